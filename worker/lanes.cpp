#include "worker/lanes.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "worker/crash_report.hpp"
#include "worker/exec/run_command.hpp"
#include "worker/inbox.hpp"
#include "worker/leave.hpp"
#include "worker/worker.hpp"

namespace jobring {
namespace {

class Lanes {
 public:
  Lanes(const WorkerProcess& process, SupervisorLink& link);
  int run();

 private:
  void run_lane(std::uint32_t lane);
  void deliver(Order order);
  void hand_out(const Order& order);

  const WorkerProcess& process_;
  SupervisorLink& link_;
  UniqueFd done_event_;  // a lane has done its share
  std::vector<std::unique_ptr<LaneLink>> links_;
  std::atomic<std::uint32_t> done_{0};
  std::atomic<bool> over_{false};  // all lanes have
};

Lanes::Lanes(const WorkerProcess& process, SupervisorLink& link)
    : process_(process), link_(link), done_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!done_event_) leave_without_descriptors();
  for (std::uint32_t lane = 0; lane < process.settings.threads; ++lane)
    links_.push_back(std::make_unique<LaneLink>(link, lane));
}

void Lanes::run_lane(std::uint32_t lane) {
  prepare_crash_stack();
  LaneLink& link = *links_[lane];
  const StraysOfLane strays(process_.page->worker(process_.settings.index + lane));
  Worker worker(process_, process_.settings.index + lane, link);
  worker.run();
  // The process lives as long as any lane has a job. Until then channels still close, and ours must
  // let go of them.
  done_.fetch_add(1);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t rung = write(done_event_.get(), &one, sizeof one);
  while (!over_.load()) {
    pollfd orders{link.fd(), POLLIN, 0};
    if (poll(&orders, 1, -1) < 0 && errno != EINTR) leave_without_descriptors();
    worker.handle_orders();
  }
}

int Lanes::run() {
  // Threads inherit the mask: the signals that the supervisor is gone are for us.
  sigset_t gone, before;
  sigemptyset(&gone);
  for (const int signal : {SIGTERM, SIGHUP}) sigaddset(&gone, signal);
  pthread_sigmask(SIG_BLOCK, &gone, &before);
  std::vector<std::thread> threads;
  for (std::uint32_t lane = 0; lane < links_.size(); ++lane)
    threads.emplace_back([this, lane] { run_lane(lane); });
  while (done_.load() != links_.size()) {
    pollfd fds[] = {{link_.fd(), POLLIN, 0}, {done_event_.get(), POLLIN, 0}};
    // They come here, and only here: they are seen before the next sleep.
    if (ppoll(fds, 2, nullptr, &before) < 0 && errno != EINTR) leave_without_descriptors();
    if (leave_requested) leave_now();
    if (fds[1].revents != 0) {
      std::uint64_t rings = 0;
      [[maybe_unused]] const ssize_t n = read(done_event_.get(), &rings, sizeof rings);
    }
    while (auto order = link_.poll()) deliver(std::move(*order));
  }
  over_.store(true);
  for (auto& link : links_) link->inbox().poke();
  for (std::thread& thread : threads) thread.join();
  return 0;
}

void Lanes::deliver(Order order) {
  if (std::holds_alternative<DoorbellAdded>(order.message) ||
      std::holds_alternative<Drain>(order.message)) {
    hand_out(order);
    return;
  }
  const std::uint32_t lane = std::visit(
      [](const auto& message) -> std::uint32_t {
        if constexpr (requires { message.lane; }) {
          return message.lane;
        } else {
          return 0;
        }
      },
      order.message);
  if (lane < links_.size()) links_[lane]->inbox().put(std::move(order));
}

// What concerns all lanes. A doorbell comes with one event for each.
void Lanes::hand_out(const Order& order) {
  for (std::size_t lane = 0; lane < links_.size(); ++lane) {
    Order copy{order.message, {}};
    if (order.fds.size() == links_.size() + 1) {
      for (const std::size_t fd : {std::size_t{0}, lane + 1}) {
        copy.fds.emplace_back(fcntl(order.fds[fd].get(), F_DUPFD_CLOEXEC, 3));
        if (!copy.fds.back()) leave_without_descriptors();
      }
    }
    links_[lane]->inbox().put(std::move(copy));
  }
}

}  // namespace

int run_lanes(const WorkerProcess& process, SupervisorLink& link) {
  return Lanes(process, link).run();
}

}  // namespace jobring
