// A worker of the house step by step: the product's Claimer, JobRun and completion, without the
// loop around them (worker.cpp). A scenario that is about two words of the protocol takes the few
// steps between them, and is small enough to be searched to its end.
//
//     auto house = open_house(s, {.workers = 2, .hands = true});
//     auto hand = std::make_shared<Hand>(0);
//     hand->look();                             // before any thread runs: not explored
//     s.thread("worker", [=] { hand->start(0); hand->end(0); });
#pragma once

#include <memory>
#include <vector>

#include "tests/explore/house.hpp"
#include "worker/channel_table.hpp"
#include "worker/claimer.hpp"
#include "worker/job_run.hpp"
#include "worker/supervisor_link.hpp"
#include "worker/worker_process.hpp"

namespace explore {

class Hand {
 public:
  explicit Hand(std::uint32_t index);

  jobring::Claimer& claimer() { return *claimer_; }
  // One look. What it claims are the jobs of start() and end().
  bool look();
  const jobring::Batch& batch() const { return batch_; }
  // As Worker::run_one(): RUNNING, then open() says whether the job may run. False: it was stolen,
  // or it is to end as what `run` says.
  bool start(std::uint32_t i);
  // Completes it, with the job's own number as its result.
  void end();
  // W1 to W4 of doorbell.hpp. False: it stays awake, or was shown work before it slept.
  bool falls_asleep();
  // W5, then up again.
  void sleep();
  // How often its bells were rung.
  std::uint64_t rings() const;

 private:
  jobring::SupervisorLink link_;
  jobring::WorkerProcess process_;
  const int epoll_;
  std::unique_ptr<jobring::ChannelTable> channels_;
  std::unique_ptr<jobring::Claimer> claimer_;
  std::vector<unsigned char> copy_;
  jobring::Batch batch_;
  std::unique_ptr<jobring::JobRun> run_;
  jobring::StateWord running_;
  const std::uint32_t index_;
};

}  // namespace explore
