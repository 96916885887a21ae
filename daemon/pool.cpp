#include "daemon/pool.hpp"

#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "daemon/log.hpp"

namespace jobring {
namespace {

// Between the end of its control socket and its death a worker needs no longer.
constexpr std::chrono::milliseconds kHangupGrace{100};
// Bytes of orders that a worker has not read, as the kernel counts them: with more nothing is
// offered to it.
constexpr int kUnreadMost = 16 << 10;

int unread_bytes(int socket) {
  int bytes = 0;
  return ioctl(socket, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

std::uint32_t milliseconds(std::chrono::nanoseconds d) {
  return std::uint32_t(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

}  // namespace

Pool::Pool(const PoolConfig& config, std::vector<std::string> command, Host host,
           std::unique_ptr<ServiceKind> service)
    : config_(config),
      command_(std::move(command)),
      host_(std::move(host)),
      service_(std::move(service)) {
  for (std::uint32_t i = 0; i < config_.workers; ++i) {
    workers_.push_back(std::make_unique<Worker>(host_.config.restart));
    workers_.back()->index = i;
    workers_.back()->lanes.resize(config_.lanes_each());
    for (std::uint32_t l = 0; l < config_.lanes_each(); ++l)
      workers_.back()->lanes[l].index = i * config_.lanes_each() + l;
  }
}

Result<void> Pool::start() {
  const std::size_t size = service_ ? service_->page_size() : sizeof(PoolPage);
  auto segment = create_segment(("jobring:pool:" + config_.name).c_str(), size);
  if (!segment) return segment.error();
  auto read_only = reopen_read_only(segment->get());
  if (!read_only) return read_only.error();
  auto mapping = Mapping::map(segment->get(), size, Mapping::Access::read_write);
  if (!mapping) return mapping.error();
  page_segment_ = std::move(*segment);
  page_read_only_ = std::move(*read_only);
  page_mapping_ = std::move(*mapping);
  for (std::uint32_t i = 0; i < config_.lanes(); ++i) {
    auto event = create_event();
    if (!event) return event.error();
    worker_events_.push_back(std::move(*event));
  }
  page().version.set(kShmVersion);
  page().workers.set(config_.lanes());
  for (auto& worker : workers_) launch(*worker);
  return {};
}

std::string Pool::title(const Worker& worker) const {
  return "pool " + config_.name + ": worker " + std::to_string(worker.index) + " (pid " +
         std::to_string(worker.process.pid) + ")";
}

// ---- workers

void Pool::launch(Worker& worker) {
  worker.restart_timer.reset();
  auto process = launch_worker(config_, command_);
  ++worker.starts;
  if (!process) {
    log::error("pool " + config_.name + ": cannot start worker " + std::to_string(worker.index) +
               ": " + process.error().line());
    // Not a start_failure_, with which nobody would try again soon: this may be over in a moment.
    launch_failure_ = process.error().line();
    schedule_restart(worker, false);
    return;
  }
  launch_failure_.clear();
  worker.process = std::move(*process);
  worker.state = WorkerState::starting;
  worker.output.clear();
  worker.death_watch =
      host_.loop.watch(worker.process.pidfd.get(), [this, &worker] { on_death(worker); });
  worker.control_watch =
      host_.loop.watch(worker.process.control.get(), [this, &worker] { on_report(worker); });
  worker.output_watch =
      host_.loop.watch(worker.process.output.get(), [this, &worker] { on_output(worker); });
}

void Pool::on_output(Worker& worker) {
  char buffer[4096];
  // A bounded number of reads, so that a worker that never stops writing does not keep us from the
  // others.
  for (int i = 0; i < 16; ++i) {
    const ssize_t n = read(worker.process.output.get(), buffer, sizeof buffer);
    if (n == 0) worker.output_watch.reset();
    if (n <= 0) return;
    worker.output.add(buffer, std::size_t(n),
                      [&](const std::string& line) { log::info(title(worker) + ": " + line); });
  }
}

void Pool::on_report(Worker& worker) {
  for (int i = 0; i < 16; ++i) {
    auto received = receive_control(worker.process.control.get());
    if (!received) {
      on_hangup(worker);
      return;
    }
    if (!*received) return;
    auto report = decode_worker_report((*received)->text);
    if (!report) {
      log::error(title(worker) + ": " + report.error().line() + "; killing it");
      kill(worker.process.pid, SIGKILL);
      return;
    }
    std::visit([&](const auto& r) { handle(worker, r); }, *report);
    if (!worker.control_watch) return;
  }
}

// Most often it is dying, which its pidfd will tell. If it lives on, a job has closed descriptors
// that it had not opened: no order reaches the worker, nobody is woken by it, and what it writes to
// its own descriptors' numbers could land in files of the job.
void Pool::on_hangup(Worker& worker) {
  worker.control_watch.reset();
  worker.hangup_timer = host_.loop.after(kHangupGrace, [this, &worker] {
    if (worker.state != WorkerState::running && worker.state != WorkerState::starting) return;
    log::error(title(worker) + ": has closed its control socket; killing it");
    worker.killed_for_hangup = true;
    kill(worker.process.pid, SIGKILL);
  });
}

void Pool::handle(Worker& worker, const WorkerHello& hello) {
  if (hello.version != kControlVersion) {
    log::error(title(worker) + ": speaks control version " + std::to_string(hello.version) +
               ", this jobringd speaks " + std::to_string(kControlVersion) +
               "; install both from one release");
    kill(worker.process.pid, SIGKILL);
    return;
  }
  if (hello.handlers.empty()) {
    // The first hello, before it loads its modules.
    std::vector<int> fds{page_segment_.get()};
    for (const UniqueFd& event : worker_events_) fds.push_back(event.get());
    send(worker,
         Welcome{worker.lanes.front().index, config_.lanes(), std::uint64_t(config_.spin.count()),
                 config_.batch, config_.max_jobs, config_.max_rss,
                 milliseconds(host_.config.kill_grace), config_.run_as == RunAs::client,
                 config_.modules, config_.strays == Strays::keep, config_.name,
                 to_string(config_.model), config_.lanes_each(), config_.max_in_flight},
         fds);
    if (service_) start_service(worker);
    for (const DoorbellSet& set : doorbells_) send_doorbell(worker, set);
    worker.welcomed = true;
    return;
  }
  worker.state = WorkerState::running;
  worker.ready = true;
  worker.policy.started();
  log::debug(title(worker) + ": ready with " + std::to_string(hello.handlers.size()) + " handlers");
  if (!broken_reason_.empty()) mend();
  if (draining_ || drain_told_) send(worker, Drain{});
}

void Pool::handle(Worker& worker, const WorkerFailed& failed) {
  log::error(title(worker) + ": cannot start: " + failed.what);
  start_failure_ = failed.what;
}

void Pool::handle(Worker& worker, const MapRequest& request) {
  const auto found = channels_.find(request.channel);
  if (found == channels_.end() || found->second->closed || request.lane >= worker.lanes.size()) {
    ChannelMapped gone;
    gone.channel = request.channel;
    gone.lane = request.lane;
    send(worker, gone);
  } else {
    send_channel(worker, request.lane, *found->second, true);
  }
}

void Pool::send_channel(Worker& worker, std::uint32_t lane, Channel& channel, bool with_stdio) {
  channel.mapped_by.set(worker.lanes[lane].index);
  const ChannelShape& shape = channel.view.shape();
  std::vector<int> fds{channel.segment.get(), channel.client_event.get()};
  if (with_stdio) {
    for (const ForeignFd& fd : channel.stdio) fds.push_back(fd.get());
  }
  ChannelMapped mapped;
  mapped.channel = channel.id;
  mapped.slots = shape.slots;
  mapped.max_payload = shape.max_payload;
  mapped.max_result = shape.max_result;
  mapped.uid = channel.peer.uid;
  mapped.gid = channel.peer.gid;
  mapped.lane = lane;
  if (service_) {
    mapped.session = channel.session;
    mapped.groups = channel.peer.groups;
  }
  if (channel.kept) describe_kept(mapped, fds);
  send(worker, mapped, fds);
}

// A channel that brings its stdio is about to submit one command, and its client waits for the
// start; that of a service is often opened for one request.
void Pool::offer_to_sleeper(std::uint32_t id) {
  const auto found = channels_.find(id);
  if (found == channels_.end()) return;
  Channel& channel = *found->second;
  if (!service_ && channel.stdio.empty()) return;
  for (auto& worker : workers_) {
    if (worker->state != WorkerState::running) continue;
    for (std::uint32_t l = 0; l < worker->lanes.size(); ++l) {
      const std::uint32_t index = worker->lanes[l].index;
      if ((page().sleeping[index / 64].load() >> (index % 64) & 1) == 0) continue;
      // An offer is nothing that must be sent: it may not be what fills the worker's socket.
      if (unread_bytes(worker->process.control.get()) > kUnreadMost) continue;
      send_channel(*worker, l, channel, false);
      return;
    }
  }
}

void Pool::handle(Worker& worker, const StdioRequest& request) {
  const auto found = channels_.find(request.channel);
  std::vector<int> fds;
  if (found != channels_.end()) {
    for (const ForeignFd& fd : found->second->stdio) fds.push_back(fd.get());
  }
  send(worker, StdioReply{request.channel, request.lane}, fds);
}

void Pool::handle(Worker& worker, const Unmapped& unmapped) {
  const auto found = channels_.find(unmapped.channel);
  if (found == channels_.end() || unmapped.lane >= worker.lanes.size()) return;
  found->second->mapped_by.reset(worker.lanes[unmapped.lane].index);
  forget_if_unmapped(unmapped.channel);
}

void Pool::handle(Worker& worker, const ChannelBroken& broken) {
  log::warning(title(worker) + ": channel " + std::to_string(broken.channel) + ": " +
               broken.reason);
  const auto found = channels_.find(broken.channel);
  if (found != channels_.end() && found->second->kept) return break_kept(*found->second);
  host_.disconnect(broken.channel, config_.name, broken.reason);
}

void Pool::send(Worker& worker, const WorkerOrder& order, std::span<const int> fds) {
  auto sent = send_control(worker.process.control.get(), encode(order), fds);
  if (sent) return;
  if (sent.error().code == Errc::full) {
    // It is alive but has stopped reading, and now lacks an order: only its death makes that good.
    log::error(title(worker) + ": does not read its orders; killing it");
    kill(worker.process.pid, SIGKILL);
  }
}

void Pool::send_doorbell(Worker& worker, const DoorbellSet& set) {
  std::vector<int> fds{set.segment.get()};
  for (const Lane& lane : worker.lanes) fds.push_back(set.events[lane.index].get());
  send(worker, DoorbellAdded{set.index, set.uid}, fds);
}

void Pool::rearm_all() {
  for (auto& [id, channel] : channels_) {
    if (channel->closed) continue;
    rearm(doorbell_of(*channel).page(), channel->ready_bit);
    channel->ring_client();
  }
  for (const UniqueFd& event : worker_events_) ring(event.get());
}

void Pool::drain() {
  draining_ = true;
  for (auto& [id, channel] : channels_) {
    channel->view.header().closing.store(std::max(1u, channel->view.header().closing.load()),
                                         std::memory_order_seq_cst);
  }
  for (auto& worker : workers_) {
    // One that starts now is told when it is ready: there may be jobs that only it can finish.
    if (worker->state == WorkerState::running) send(*worker, Drain{});
    if (worker->restart_timer && !has_waiting_jobs()) worker->restart_timer.reset();
  }
}

void Pool::kill_workers() {
  draining_ = killing_ = true;
  for (auto& worker : workers_) {
    worker->restart_timer.reset();
    if (worker->state == WorkerState::running || worker->state == WorkerState::starting) {
      kill(worker->process.pid, SIGKILL);
    }
  }
}

bool Pool::all_down() const {
  return std::all_of(workers_.begin(), workers_.end(), [](const auto& w) {
    return w->state == WorkerState::down && !w->restart_timer;
  });
}

bool Pool::owns(pid_t pid) const {
  return std::any_of(workers_.begin(), workers_.end(), [&](const auto& w) {
    return w->process.pid == pid &&
           (w->state == WorkerState::starting || w->state == WorkerState::running);
  });
}

// ---- channels

Result<DoorbellSet*> Pool::doorbell_for(uid_t uid) {
  std::size_t users = 0;
  for (DoorbellSet& set : doorbells_) {
    if (set.kept) continue;
    if (set.uid == uid) return &set;
    ++users;
  }
  if (users == kDoorbellsMax) {
    return Error{Errc::full,
                 "the pool already serves " + std::to_string(kDoorbellsMax) + " users",
                 "pool " + config_.name,
                 {}};
  }
  return add_doorbell(uid, false);
}

Result<DoorbellSet*> Pool::add_doorbell(uid_t uid, bool kept) {
  auto created = DoorbellSet::create(std::uint32_t(doorbells_.size()), uid, config_.lanes());
  if (!created) return created.error();
  created->kept = kept;
  doorbells_.push_back(std::move(*created));
  for (auto& worker : workers_) {
    // A worker that is not yet welcomed gets all doorbells with its welcome.
    if (worker->welcomed) send_doorbell(*worker, doorbells_.back());
  }
  return &doorbells_.back();
}

std::optional<Error> Pool::refusal() const {
  const std::string where = "pool " + config_.name;
  if (!broken_reason_.empty())
    return Error{Errc::no_daemon, "is not running: " + broken_reason_, where, {}};
  if (draining_) return Error{Errc::no_daemon, "the daemon is shutting down", where, {}};
  return std::nullopt;
}

Result<Pool::Opened> Pool::open_channel(const OpenRequest& request, const Peer& peer,
                                        std::vector<ForeignFd> stdio) {
  if (auto refused = refusal()) return std::move(*refused);
  auto doorbell = doorbell_for(peer.uid);
  if (!doorbell) return doorbell.error();
  DoorbellSet& set = **doorbell;
  std::uint32_t bit = 0;
  while (bit < config_.max_channels && set.taken[bit]) ++bit;
  if (bit == config_.max_channels) {
    return Error{Errc::full,
                 "user " + std::to_string(peer.uid) + " already has " +
                     std::to_string(config_.max_channels) + " channels",
                 "pool " + config_.name, "close some, or raise max_channels"};
  }
  auto made = make_channel(request, peer, set, bit);
  if (!made) return made.error();
  Channel& channel = **made;
  channel.stdio = std::move(stdio);
  return opened(channel);
}

Result<Channel*> Pool::make_channel(const OpenRequest& request, const Peer& peer, DoorbellSet& set,
                                    std::uint32_t bit) {
  std::uint32_t slots = std::bit_ceil(config_.slots);
  if (request.slots != 0)
    slots = std::min(slots, std::bit_ceil(std::min(request.slots, kSlotsMax)));
  auto created = Channel::create({slots, config_.max_payload, config_.max_result}, config_.name,
                                 peer, request.kept);
  if (!created) return created.error();
  Channel& channel = **created;
  channel.ready_bit = bit;
  channel.session = ++last_session_;
  channel.id = set.index * kChannelsPerDoorbell + bit;
  channel.client = request.client.substr(0, 64);
  set.taken.set(bit);
  channels_[channel.id] = std::move(*created);
  return &channel;
}

Pool::Opened Pool::opened(Channel& channel) {
  const DoorbellSet& set = doorbell_of(channel);
  Opened opened;
  opened.reply = {channel.id,
                  channel.ready_bit,
                  channel.view.shape().slots,
                  config_.max_payload,
                  config_.max_result,
                  config_.extent_cache,
                  std::uint64_t(config_.spin.count()),
                  config_.lanes()};
  opened.fds = {channel.segment.get(), set.segment.get(), page_read_only_.get(),
                channel.client_end.get()};
  // Of a kept channel it is handed out again and again.
  if (!channel.kept) opened.client_end = std::move(channel.client_end);
  for (const UniqueFd& event : set.events) opened.fds.push_back(event.get());
  return opened;
}

void Pool::close_channel(std::uint32_t id) {
  const auto found = channels_.find(id);
  if (found == channels_.end()) return;
  Channel& channel = *found->second;
  channel.held = false;
  if (channel.closed) return forget_if_unmapped(id);  // a kept one, which we had closed already
  shut_channel(channel);
  forget_if_unmapped(id);
}

void Pool::shut_channel(Channel& channel) {
  channel.closed = true;
  channel.stdio.clear();
  channel.view.header().closing.store(2, std::memory_order_seq_cst);
  for (std::uint32_t p = 0; p < kPriorities; ++p)
    doorbell_of(channel).page().clear_ready(p, channel.ready_bit);
  cancel_waiting(channel.view);
  const bool stop = channel.kept || config_.on_client_death == OnClientDeath::kill;
  if (stop && config_.model == WorkerModel::async) {
    for (auto& worker : workers_) {
      if (channel.mapped_by[worker->lanes.front().index] && worker->state == WorkerState::running)
        stop_all_in_flight(*worker, channel, SIGTERM);
    }
  } else if (stop) {
    for_each_slot(channel.view, [&](std::uint32_t slot, StateWord word) {
      if (word.is(SlotState::running)) stop_running(channel, slot, word, SIGTERM);
    });
  }
  for (auto& worker : workers_) {
    // A service was told of a session even if it has not mapped it since it started.
    if (worker->state != WorkerState::running && !(service_ && worker->welcomed)) continue;
    for (std::uint32_t l = 0; l < worker->lanes.size(); ++l) {
      if (channel.mapped_by[worker->lanes[l].index])
        send(*worker, ChannelClosed{channel.id, l, channel.session});
    }
  }
}

void Pool::forget_if_unmapped(std::uint32_t id) {
  const auto found = channels_.find(id);
  if (found == channels_.end()) return;
  const Channel& channel = *found->second;
  if (!channel.closed || channel.held || channel.mapped_by.any()) return;
  // The next channel may have the same number, and its jobs the same words: a stop that waits for
  // its time must not find them.
  for (auto& worker : workers_) {
    for (Lane& lane : worker->lanes) {
      if (lane.stop && lane.stop->channel == id) lane.stop.reset();
    }
  }
  doorbell_of(*found->second).taken.reset(found->second->ready_bit);
  channels_.erase(found);
}

}  // namespace jobring
