#include "tests/fuzz/fake_supervisor.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>

#include "common/clock.hpp"
#include "tests/fuzz/fuzz_support.hpp"
#include "worker/worker.hpp"

namespace jobring {
namespace {

fuzz::FakeSupervisor* supervisor = nullptr;

}  // namespace

// In place of worker/supervisor_link.cpp: no socket, no JSON, so that an input takes microseconds.

void SupervisorLink::report(const WorkerReport& message) {
  supervisor->hear(message);
}

std::optional<Order> SupervisorLink::receive(bool wait) {
  if (supervisor->orders.empty()) {
    if (wait) fuzz::violated("the worker waits for an order that never comes");
    return std::nullopt;
  }
  Order order = std::move(supervisor->orders.front());
  supervisor->orders.pop_front();
  return order;
}

namespace fuzz {
namespace {

// A run of the worker is well under a millisecond. One that takes this long does not end.
constexpr std::uint64_t kPatience = 20'000'000'000;  // nanoseconds

}  // namespace

FakeSupervisor::FakeSupervisor(std::uint32_t workers, int pool_page)
    : workers_(workers), pool_page_(pool_page) {
  for (std::uint32_t i = 0; i < workers; ++i)
    events_.emplace_back(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  supervisor = this;
  watch_ = std::thread([this] { watch(); });
}

FakeSupervisor::~FakeSupervisor() {
  over_ = true;
  watch_.join();
  supervisor = nullptr;
}

// libFuzzer's own timer takes the signal that the worker's JobTimer needs.
void FakeSupervisor::watch() {
  while (!over_) {
    const std::uint64_t started = started_ns_;
    if (started != 0 && now_ns() - started > kPatience)
      violated("the worker does not come to an end");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

void FakeSupervisor::order(const WorkerOrder& message, const std::vector<int>& fds) {
  Order order{message, {}};
  for (const int fd : fds) order.fds.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 3));
  orders.push_back(std::move(order));
}

std::vector<int> FakeSupervisor::with_events(int segment) const {
  std::vector<int> fds{segment};
  for (const UniqueFd& event : events_) fds.push_back(event.get());
  return fds;
}

void FakeSupervisor::hear(const WorkerReport& report) {
  if (const auto* hello = std::get_if<WorkerHello>(&report)) {
    if (!hello->handlers.empty()) return;
    order(Welcome{0, workers_, 0, kBatchMax, 0, 0, 5000, true, {}}, with_events(pool_page_));
    for (std::uint32_t i = 0; i < doorbells_.size(); ++i)
      order(DoorbellAdded{i, doorbells_[i].uid}, {doorbells_[i].segment, events_[0].get()});
    order(Drain{});
  } else if (const auto* map = std::get_if<MapRequest>(&report)) {
    for (const OpenChannel& channel : channels_) {
      if (channel.id != map->channel) continue;
      return order(ChannelMapped{channel.id, channel.shape.slots, channel.shape.max_payload,
                                 channel.shape.max_result, channel.uid, channel.uid},
                   {channel.segment, channel.client_event});
    }
    order(ChannelMapped{map->channel, 0, 0, 0, 0, 0});
  } else if (const auto* stdio = std::get_if<StdioRequest>(&report)) {
    order(StdioReply{stdio->channel});
  } else if (const auto* broken = std::get_if<ChannelBroken>(&report)) {
    if (broken->channel != channels_.front().id)
      violated("a channel is called broken that nobody scribbled on");
    broken_ = true;
  }
}

bool FakeSupervisor::run_worker() {
  broken_ = false;
  started_ns_ = now_ns();
  {
    SupervisorLink link(UniqueFd(eventfd(0, EFD_CLOEXEC)));
    WorkerProcess process;
    start(process, link);
    Worker worker(process, 0, link);
    if (worker.run() != 0) violated("the worker ends with an error");
  }
  if (!orders.empty()) violated("the worker has left orders unread");
  started_ns_ = 0;
  return !broken_;
}

}  // namespace fuzz
}  // namespace jobring
