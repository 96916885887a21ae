// What the soak's handlers have in common, functions and coroutines.
#pragma once

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <span>
#include <stdexcept>

#include <jobring/handler.hpp>

#include "tests/soak/job_spec.hpp"
#include "tests/soak/ledger.hpp"

namespace jobring::soak {

inline JobSpec read_spec(const Job& job) {
  JobSpec spec;
  if (job.payload().size() < sizeof spec) throw std::runtime_error("the payload is cut short");
  std::memcpy(&spec, job.payload().data(), sizeof spec);
  return spec;
}

// A run by a function or a coroutine, in the worker itself.
class HandlerRun : public NotedRun {
 public:
  explicit HandlerRun(const JobSpec& spec)
      : NotedRun(ledger_of_environment(), spec.id, self(), self()), id_(spec.id) {}

  // One in two the way of a bug, the other the way of an out-of-memory killer.
  [[noreturn]] void crash() {
    about_to_crash();
    const int signal = id_ % 2 == 0 ? SIGSEGV : SIGKILL;
    if (signal == SIGSEGV) std::signal(SIGSEGV, SIG_DFL);
    raise(signal);
    std::abort();
  }

 private:
  static ProcessName self() {
    static const ProcessName name = name_process(getpid());
    return name;
  }
  std::uint64_t id_;
};

inline void check_payload(const Job& job, const JobSpec& spec) {
  if (job.payload().size() != spec.payload_size ||
      !matches(spec.id, sizeof spec, job.text().substr(sizeof spec)))
    ledger_of_environment().complain("job %llx has the wrong payload",
                                     static_cast<unsigned long long>(spec.id));
}

inline void give_result(Job& job, const JobSpec& spec) {
  const auto room = job.reserve(spec.result_size);
  fill(spec.id, 0, {reinterpret_cast<char*>(room.data()), room.size()});
  job.commit(room.size());
}

inline void burn(std::uint32_t us) {
  const std::uint64_t until = now_ns() + std::uint64_t(us) * 1000;
  while (now_ns() < until) {
  }
}

}  // namespace jobring::soak
