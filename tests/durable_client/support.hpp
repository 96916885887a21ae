// A daemon whose pool "fake" answers as the keeper does (fake_keeper.cpp), and durable jobs there.
#pragma once

#include <doctest/doctest.h>
#include <poll.h>

#include <string>
#include <vector>

#include <jobring/durable.hpp>

#include "client/durable/core.hpp"
#include "tests/support/daemon.hpp"

namespace jobring::test {

inline std::string fake_pool(int slots) {
  return R"({"fake": {"model": "async", "workers": 1, "max_in_flight": 2048, "slots": )" +
         std::to_string(slots) + R"(, "modules": [")" + test_module("fake_keeper") + "\"]}}";
}

class FakeKeeper {
 public:
  explicit FakeKeeper(int slots = 1024)
      : daemon(fake_pool(slots)), client(daemon.connect()), jobs(open()) {}

  DurableJobs open() {
    return detail::DurableCore::jobs(
        std::make_shared<detail::DurableCore>(client.pool("fake", ChannelOptions{})));
  }
  // What was asked for so far: see fake_keeper.cpp.
  struct Asked {
    std::uint64_t jobs, waits, most_waits, single_waits, sets, jobs_in_sets;
  };
  Asked asked() {
    const auto n = open().counts().at(0).jobs;
    return {n[0], n[1], n[2], n[3], n[4], n[5]};
  }
  void end(JobId id, JobVerb how = JobVerb::release) { open().apply(how, {.ids = {{id, id}}}); }

  Daemon daemon;
  Client client;
  DurableJobs jobs;
};

// As an event loop does: sleeps on the descriptor, polls.
template <class Done>
void loop_until(const DurableJobs& jobs, const Done& done) {
  Pool pool = jobs.pool();
  pollfd readable{pool.fd(), POLLIN, 0};
  while (!done()) {
    REQUIRE(poll(&readable, 1, 60'000) == 1);
    pool.poll();
  }
}

// Runs it; the kind of the DurableError or Exception that it throws.
template <class Run>
std::string kind_of(const Run& run) {
  try {
    run();
  } catch (const Exception& e) {
    return e.kind();
  }
  return "nothing";
}

}  // namespace jobring::test
