// The supervisor as a worker sees it, in the worker's own process: stands behind SupervisorLink in
// place of the control socket, answers what a worker asks while it runs, and orders it to drain, so
// that Worker::run() of the product ends when nothing is left to do.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <thread>
#include <vector>

#include "common/channel_layout.hpp"
#include "common/unique_fd.hpp"
#include "worker/supervisor_link.hpp"

namespace jobring::fuzz {

// What one channel is to the workers.
struct OpenChannel {
  std::uint32_t id;
  ChannelShape shape;
  std::uint32_t uid;
  int segment;
  int client_event;
};
struct OpenDoorbell {
  std::uint32_t uid;
  int segment;
};

// There is one at a time.
class FakeSupervisor {
 public:
  FakeSupervisor(std::uint32_t workers, int pool_page);
  ~FakeSupervisor();

  void set_doorbells(std::vector<OpenDoorbell> doorbells) { doorbells_ = std::move(doorbells); }
  // The first is the one that may be reported as broken.
  void set_channels(std::vector<OpenChannel> channels) { channels_ = std::move(channels); }
  // Runs a fresh worker of index 0 until it has nothing left to do. False if it reported a channel
  // as broken.
  bool run_worker();
  int event(std::uint32_t worker) const { return events_[worker].get(); }

  // The link's other end.
  void hear(const WorkerReport& report);
  std::deque<Order> orders;

 private:
  void watch();
  void order(const WorkerOrder& message, const std::vector<int>& fds = {});
  std::vector<int> with_events(int segment) const;

  std::uint32_t workers_;
  int pool_page_;
  std::vector<UniqueFd> events_;
  std::vector<OpenDoorbell> doorbells_;
  std::vector<OpenChannel> channels_;
  bool broken_ = false;
  std::atomic<std::uint64_t> started_ns_{0};  // of the run under way; 0: none
  std::atomic<bool> over_{false};
  std::thread watch_;
};

}  // namespace jobring::fuzz
