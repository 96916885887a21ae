#include "tests/fuzz/fake_supervisor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "common/clock.hpp"
#include "common/control.hpp"
#include "common/messages.hpp"
#include "tests/fuzz/fuzz_support.hpp"
#include "worker/worker.hpp"

namespace jobring::fuzz {
namespace {

// A run of the worker is a few hundred microseconds. One that takes this long does not end.
constexpr std::uint64_t kPatience = 20'000'000'000;  // nanoseconds
// Asked at the end of a run, so that all reports of the run have been heard.
constexpr std::uint32_t kLastQuestion = ~std::uint32_t{0};

}  // namespace

FakeSupervisor::FakeSupervisor(std::uint32_t workers, int pool_page) : workers_(workers), pool_page_(pool_page) {
  for (std::uint32_t i = 0; i < workers; ++i) events_.emplace_back(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) violated("socketpair");
  ours_.reset(sockets[0]);
  theirs_.reset(sockets[1]);
  thread_ = std::thread([this] { serve(); });
}

FakeSupervisor::~FakeSupervisor() {
  over_ = true;
  theirs_.reset();
  thread_.join();
}

void FakeSupervisor::set_channels(std::vector<OpenChannel> channels) {
  const std::lock_guard lock(mutex_);
  channels_ = std::move(channels);
}

void FakeSupervisor::serve() {
  std::uint64_t seen = 0, since = 0;
  while (!over_) {
    auto message = await_control(ours_.get(), 1000);
    if (message) {
      answer(message->text);
    } else if (message.error().code == Errc::no_daemon) {
      return;
    }
    // The watch: libFuzzer's own timer takes the signal that the worker's JobTimer needs.
    const std::uint64_t now = now_ns();
    if (runs_ != seen || runs_ == ended_) since = now;
    seen = runs_;
    if (now - since > kPatience) violated("the worker does not come to an end");
  }
}

void FakeSupervisor::answer(const std::string& text) {
  auto report = decode_worker_report(text);
  if (!report) violated("a worker's report makes no sense");
  const auto send = [&](const WorkerOrder& order, const std::vector<int>& fds = {}) {
    if (auto sent = send_control(ours_.get(), encode(order), fds); !sent) violated("send_control to the worker");
  };
  const auto with_events = [&](int segment) {
    std::vector<int> fds{segment};
    for (const UniqueFd& event : events_) fds.push_back(event.get());
    return fds;
  };
  if (const auto* hello = std::get_if<WorkerHello>(&*report)) {
    if (hello->handlers.empty()) {
      send(Welcome{0, workers_, 0, kBatchMax, 0, 0, 5000, true, {}}, with_events(pool_page_));
      for (std::uint32_t i = 0; i < doorbells_.size(); ++i)
        send(DoorbellAdded{i, doorbells_[i].uid}, with_events(doorbells_[i].segment));
      send(Drain{});
    }
  } else if (const auto* map = std::get_if<MapRequest>(&*report)) {
    const std::lock_guard lock(mutex_);
    for (const OpenChannel& channel : channels_) {
      if (channel.id != map->channel) continue;
      send(ChannelMapped{channel.id, channel.shape.slots, channel.shape.max_payload, channel.shape.max_result,
                         channel.uid, channel.uid},
           {channel.segment, channel.client_event});
      return;
    }
    send(ChannelMapped{map->channel, 0, 0, 0, 0, 0});
  } else if (const auto* stdio = std::get_if<StdioRequest>(&*report)) {
    send(StdioReply{stdio->channel});
  } else if (const auto* broken = std::get_if<ChannelBroken>(&*report)) {
    if (broken->channel != channels_.front().id) violated("a channel is called broken that nobody scribbled on");
    broken_ = true;
  }
}

bool FakeSupervisor::run_worker() {
  broken_ = false;
  ++runs_;
  {
    SupervisorLink link(UniqueFd(fcntl(theirs_.get(), F_DUPFD_CLOEXEC, 3)));
    Worker worker(link);
    if (worker.run() != 0) violated("the worker ends with an error");
    link.report(MapRequest{kLastQuestion});
    link.await<ChannelMapped>();
  }
  ++ended_;
  return !broken_;
}

}  // namespace jobring::fuzz
