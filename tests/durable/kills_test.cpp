// SIGKILL of the keeper, of workers, of the daemon and of all of them at random moments under load:
// what was acknowledged is found again and comes to its end, nothing runs twice at a time, and
// attempts are counted. $JOBRING_DURABLE_KILLS says how many kills (24), $JOBRING_DURABLE_EVERYBODY
// that each is of all of them at once.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>
#include <thread>

#include "tests/durable/house.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

TEST_CASE("what was acknowledged survives the death of everybody at any moment") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const char* set = std::getenv("JOBRING_DURABLE_KILLS");
  const int kills = set != nullptr ? std::atoi(set) : 24;
  const bool only_everybody = std::getenv("JOBRING_DURABLE_EVERYBODY") != nullptr;
  DurableHouse house(
      R"({"default": {"workers": 2, "modules": [")" + test_module("durable_note") + R"("]}})",
      R"(, "lost_limit": 1000)");
  TempDir notes;
  std::set<JobId> acknowledged;
  std::uint64_t names = 0;
  int killed = 0, keepers = 0, workers = 0, daemons = 0;

  DurableOptions options;
  options.retry.max = 1'000;
  options.retry.base = 1ms;
  options.retry.cap = 5ms;
  const auto next_jobs = [&] {
    std::vector<DurableJob> all;
    for (std::uint64_t n = 1 + random() % 8; n > 0; --n) {
      DurableJob job{
          "durable_note",
          notes.path() + " " + std::to_string(++names) + " " + std::to_string(random() % 4),
          options};
      if (random() % 8 == 0) job.options.delay = std::chrono::milliseconds(random() % 20);
      if (random() % 8 == 0) job.options.priority = int(random() % 3);
      all.push_back(std::move(job));
    }
    return all;
  };
  while (killed < kills) {
    // A client for as long as its daemon lives.
    try {
      Client client = house.daemon->connect();
      DurableJobs jobs(client);
      std::vector<Future> asked;
      const auto settle = [&](Future& f) {
        for (const SubmitAnswer& answer : DurableJobs::answers(f))
          if (answer.status == SubmitAnswer::Status::stored) acknowledged.insert(answer.id);
      };
      bool daemon_lives = true;
      while (daemon_lives && killed < kills) {
        for (std::uint64_t n = random() % 12; n > 0; --n) {
          const std::vector<DurableJob> batch = next_jobs();
          asked.push_back(jobs.start_submit(batch));
        }
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 30'000));
        switch (only_everybody ? 5 : random() % 8) {
          case 0:
          case 1:
          case 2:
            if (const pid_t keeper = house.keeper(); keeper != 0) {
              ::kill(keeper, SIGKILL);
              ++keepers;
              ++killed;
            }
            break;
          case 3:
          case 4: {
            const auto all = house.daemon->workers();
            const pid_t keeper = house.keeper();
            if (all.empty()) break;
            const pid_t one = all[random() % all.size()];
            if (one == keeper) break;
            ::kill(one, SIGKILL);
            ++workers;
            ++killed;
            break;
          }
          case 5: {
            // Everybody, in some order.
            auto all = house.daemon->workers();
            all.push_back(house.daemon->pid());
            std::shuffle(all.begin(), all.end(), random);
            for (const pid_t pid : all) ::kill(pid, SIGKILL);
            daemon_lives = false;
            break;
          }
          case 6:
            house.daemon->signal(SIGKILL);
            daemon_lives = false;
            break;
          default:
            break;
        }
        // Answers that have come so far, before what comes next.
        for (Future& f : asked) {
          if (!f.ready()) continue;
          try {
            settle(f);
          } catch (const Exception&) {
            // Lost with its daemon: not acknowledged.
          }
        }
        std::erase_if(asked, [](const Future& f) { return f.ready(); });
      }
      if (daemon_lives)
        for (Future& f : asked) settle(f);
    } catch (const Exception&) {
      // No daemon, or a keeper that was not there: not acknowledged.
    }
    if (killed < kills || !alive(house.daemon->pid())) {
      if (alive(house.daemon->pid())) continue;
      ++daemons;
      ++killed;
      house.daemon->wait_end();
      house.daemon.reset();
      house.start();
    }
  }

  Client client = house.daemon->connect();
  DurableJobs jobs(client);
  const bool all_over = eventually(
      [&] {
        std::uint64_t open = 0;
        for (const PoolJobs& pool : jobs.counts())
          for (unsigned s = 0; s < 8; ++s)
            if (!has_ended(JobState(s))) open += pool.jobs[s];
        return open == 0;
      },
      100s);
  REQUIRE(all_over);
  CHECK_FALSE(std::filesystem::exists(notes / "twice"));
  for (const JobId id : acknowledged) {
    CAPTURE(id);
    const auto info = jobs.show(id);
    REQUIRE(info.has_value());
    CHECK(info->state == JobState::succeeded);
    const std::string trace = read_file(notes / info->result);
    CHECK(trace.ends_with("e"));
    // Each run was an attempt; an attempt may have been killed before it left a trace.
    CHECK(info->attempts >= std::uint32_t(std::count(trace.begin(), trace.end(), 'b')));
  }
  CHECK_FALSE(acknowledged.empty());
  MESSAGE("killed " << keepers << " keepers, " << workers << " workers, " << daemons << " daemons; "
                    << acknowledged.size() << " of " << names << " jobs were acknowledged");
}
