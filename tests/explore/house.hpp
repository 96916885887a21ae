// A pool in the explorer: the product's own Worker, Channel::Impl and recovery, with modelled
// memory, kernel, time and death. Only the cold half of each is a stand-in (house.cpp): how they
// start, and the control socket.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/channel_impl.hpp"
#include "common/doorbell.hpp"
#include "common/pool_page.hpp"
#include "tests/explore/atomic.hpp"
#include "tests/explore/explorer.hpp"

namespace explore {

struct HouseOptions {
  std::uint32_t workers = 1;
  std::uint32_t slots = 4;
  bool mortal = false;      // workers may be killed at any step
  bool short_jobs = false;  // workers believe that jobs are short: they claim several at once
  int together = 0;         // the first so many jobs end only when all of them run at once
  int channels = 1;         // one client each
  bool hands = false;       // no worker is started: the scenario makes their steps (hand.hpp)
};

inline constexpr int kJobsMax = 8, kChannelsMax = 2;

class House {
 public:
  House(Scenario& scenario, const HouseOptions& options);
  static House* current;

  // One client, on the thread that calls this. Jobs are numbered from 0. It may be made, and
  // submit, before any thread runs: what happens then is not explored.
  class Client {
   public:
    explicit Client(int channel = 0);
    jobring::JobRef put(int job, std::uint8_t crash_retries = 0,
                        jobring::Priority priority = jobring::Priority::normal);
    // Waits until `count` more jobs have ended, and checks them.
    void finish(int count);
    jobring::Channel::Impl& channel() { return *channel_; }

   private:
    std::unique_ptr<jobring::Channel::Impl> channel_;
    jobring::HandlerId handler_;
  };

  // What became of a job.
  struct Job {
    int runs = 0, active = 0, ends = 0;
    jobring::Outcome outcome{};
  };
  Job jobs[kJobsMax];
  // Runs job `number`, in a worker.
  void run_job(int number);
  int deaths = 0;

  HouseOptions options;
  jobring::ChannelView views[kChannelsMax];
  jobring::ChannelView& view = views[0];
  jobring::DoorbellPage* doorbell;
  jobring::PoolPage* page;
  int segments[kChannelsMax], client_events[kChannelsMax];
  int doorbell_page, pool_page, socket;
  std::vector<int> worker_events, colleagues, links;
  void* memory_of(int descriptor) const;
  std::uint32_t worker_of(int link) const;

 private:
  void make_channel(int channel);
  void start_worker(std::uint32_t index);
  void supervise();

  Scenario scenario_;
  void* channel_memory_[kChannelsMax];
  Data<int>* running_;  // touched by whoever runs the job: two at once are a race
  Atomic<int>* during_;
  Event* all_here_;  // of each job that waits for others
  int here_ = 0;
  int worker_of_thread_[8] = {};
};

// The house lives as long as the execution.
std::shared_ptr<House> open_house(Scenario& scenario, const HouseOptions& options);

}  // namespace explore
