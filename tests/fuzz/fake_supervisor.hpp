// The supervisor's end of a worker's control socket, on a thread: answers what a worker asks while it runs, and orders
// it to drain, so that Worker::run() of the product ends when nothing is left to do.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/channel_layout.hpp"
#include "common/unique_fd.hpp"

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

class FakeSupervisor {
 public:
  FakeSupervisor(std::uint32_t workers, int pool_page);
  ~FakeSupervisor();

  void set_doorbells(std::vector<OpenDoorbell> doorbells) { doorbells_ = std::move(doorbells); }
  void set_channels(std::vector<OpenChannel> channels);
  // Runs a fresh worker of index 0 until it has nothing left to do. False if it reported a channel as broken.
  bool run_worker();
  int event(std::uint32_t worker) const { return events_[worker].get(); }

 private:
  void serve();
  void answer(const std::string& text);

  std::uint32_t workers_;
  int pool_page_;
  std::vector<UniqueFd> events_;
  std::vector<OpenDoorbell> doorbells_;
  std::mutex mutex_;
  std::vector<OpenChannel> channels_;
  UniqueFd ours_, theirs_;
  std::atomic<bool> broken_{false};
  std::atomic<std::uint64_t> runs_{0}, ended_{0};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace jobring::fuzz
