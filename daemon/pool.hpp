// A pool: its workers, its channels, its doorbells. Makes and mends; never touches a job that
// lives.
//
// A worker's life:
//
//   down ──launch──► starting ──hello──► running ──process died──► dead ──settled──► down
//                       └──────────────process died────────────────►┘
//
// Settled: its descendants are dead as well, and no slot names any of its lanes any more. Only then
// are its owner ids (the lanes' index + 1) used again.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/config/config.hpp"
#include "common/control.hpp"
#include "common/messages.hpp"
#include "common/pool_page.hpp"
#include "common/result.hpp"
#include "daemon/channel.hpp"
#include "daemon/crash_list.hpp"
#include "daemon/doorbell_set.hpp"
#include "daemon/event_loop.hpp"
#include "daemon/recovery.hpp"
#include "daemon/restart_policy.hpp"
#include "daemon/service_kind.hpp"
#include "daemon/worker_process.hpp"

namespace jobring {

class StateDir;

enum class WorkerState { down, starting, running, dead };

// A job that somebody wants stopped, and when its worker is killed for it.
struct StopOrder {
  std::uint32_t channel;
  std::uint32_t slot;
  StateWord running;
  std::uint64_t signals;  // bit s-1: signal s was sent
  EventLoop::Handle deadline;
};

// A job for which we killed its worker. Only this very job ends as `outcome`: another one that the
// worker began in that moment has crashed.
struct Condemned {
  std::uint32_t channel;
  std::uint32_t slot;
  StateWord running;
  Outcome outcome;  // killed or timed_out
};

// Orders to stop for a worker of an async pool (pool_async.cpp).
struct AsyncStops {
  std::map<std::uint32_t, StopChannel> due;  // by channel: not sent yet, for it has too many unread
  std::vector<Condemned> targets;            // that it may not have read of
  EventLoop::Handle timer, watch;
};

// One of the loops of a worker process: the only one, or a thread of a thread pool's. To the shared
// memory it is a worker: it has an owner id, a page entry and events of its own.
struct Lane {
  std::uint32_t index = 0;  // in the pool
  std::optional<StopOrder> stop;
  EventLoop::Handle stopped_timeout;

  std::uint32_t owner() const { return index + 1; }
};

// A worker process.
struct Worker {
  std::uint32_t index = 0;
  std::vector<Lane> lanes;
  WorkerState state = WorkerState::down;
  LaunchedWorker process;
  EventLoop::Handle death_watch, control_watch, output_watch, restart_timer;
  OutputTail output;
  RestartPolicy policy;
  bool welcomed = false;  // it has its settings; further doorbells are sent to it as they come
  bool ready = false;     // it has started: loaded its modules and said so
  std::vector<Condemned> condemned;
  AsyncStops async_stops;
  bool stopped = false;  // by SIGSTOP or the like; pool_stopped.cpp
  EventLoop::Handle hangup_timer;
  bool killed_for_hangup = false;  // we sent KILL: it had lost its control socket
  std::uint64_t max_rss = 0;       // bytes, of the dead process
  std::uint32_t starts = 0;
  int wait_status = 0;

  explicit Worker(const RestartConfig& restart) : policy(restart) {}
};

class Pool {
 public:
  // What a pool needs from the supervisor.
  struct Host {
    EventLoop& loop;
    const Config& config;
    std::function<bool()> strays_gone;  // kills what dead workers left; true when nothing is left
    std::function<void(std::uint32_t channel, const std::string& pool, const std::string& reason)>
        disconnect;
    std::function<void()> worker_ended;  // for the end of a drain
    std::function<bool()> oom_struck;    // the kernel's out-of-memory killer, since the last call
    std::function<const StateDir*()> state_dir;  // of durable jobs, if they are ours
  };

  Pool(const PoolConfig& config, std::vector<std::string> command, Host host,
       std::unique_ptr<ServiceKind> service = nullptr);

  Result<void> start();
  // Opens a channel for a peer. The reply's descriptors are borrowed from the returned channel and
  // its doorbell.
  struct Opened {
    OpenReply reply;
    std::vector<int> fds;
    UniqueFd client_end;  // one of them, not needed here once the reply is sent
  };
  // Why it takes no jobs, if it does not.
  std::optional<Error> refusal() const;
  Result<Opened> open_channel(const OpenRequest& request, const Peer& peer,
                              std::vector<ForeignFd> stdio);
  // Lets a worker that sleeps map it while the client does, if that is likely to be of use: two
  // wake-ups less before the first answer. Nothing, if there is none, or no such channel any more.
  void offer_to_sleeper(std::uint32_t id);
  void close_channel(std::uint32_t id);
  // The kept channel of the request's user: there already, with all that is in it, or a fresh one.
  Result<Opened> open_kept(const OpenRequest& request, pid_t keeper);
  // The keeper is gone without having closed it: it waits for the next one.
  void leave_kept(std::uint32_t id);
  // Stops the job if it runs: asks first, kills its worker after kill_grace. The generation is that
  // of its QUEUED word.
  void kill_job(const KillRequest& request);

  // Takes note of workers that a signal stopped or continued since the last call.
  void notice_stops();
  // Tries to settle workers that are dead but had descendants alive.
  void settle_dead_workers();
  // No more jobs are taken in; workers finish what is ready and end.
  void drain();
  void kill_workers();
  bool all_down() const;
  bool owns(pid_t pid) const;
  // One of jobring's own, which serves until the others are down.
  bool is_service() const { return service_ != nullptr; }
  // Of a service: the others are about to drain; the others are down (may be called again).
  void drain_service();
  void end_service();

  // Kept channels that are open, by user.
  std::vector<KeptName> kept_channels() const;

  const PoolConfig& config() const { return config_; }
  const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }
  const std::map<std::uint32_t, std::unique_ptr<Channel>>& channels() const { return channels_; }
  PoolPage& page() const { return *page_mapping_.as<PoolPage>(); }
  const std::string& broken_reason() const { return broken_reason_; }
  std::uint64_t crashes() const { return crashes_; }
  const CrashList& crashed_jobs() const { return crashed_jobs_; }
  // Totals of workers that are gone; add the live ones' counters from the page.
  std::uint64_t past_jobs() const { return past_jobs_; }
  std::uint64_t past_failed() const { return past_failed_; }

 private:
  void launch(Worker& worker);
  void on_report(Worker& worker);
  void handle(Worker& worker, const WorkerHello& hello);
  void handle(Worker& worker, const WorkerFailed& failed);
  void handle(Worker& worker, const MapRequest& request);
  void handle(Worker& worker, const StdioRequest& request);
  void handle(Worker& worker, const Unmapped& unmapped);
  void handle(Worker& worker, const ChannelBroken& broken);
  void on_output(Worker& worker);
  void on_death(Worker& worker);
  void on_hangup(Worker& worker);
  void on_stopped(Worker& worker, int signal);
  void on_continued(Worker& worker);
  void watch_timeout(Worker& worker, Lane& lane);
  void settle(Worker& worker);
  std::uint32_t end_condemned(Worker& worker);
  void recover_lane(const Lane& lane, const Death& death, Recovered& total);
  void stop_in_flight(Worker& worker, Channel& channel, std::uint32_t slot, StateWord running,
                      int signal);
  void stop_all_in_flight(Worker& worker, Channel& channel, int signal);
  void send_stops(Worker& worker);
  void send_stops_later(Worker& worker);
  void watch_stops(Worker& worker);
  void note_crash(const Channel& channel, const EndedJob& job, const Death& death);
  void schedule_restart(Worker& worker, bool was_ready);
  bool has_waiting_jobs() const;
  Death describe_death(const Worker& worker) const;
  void send(Worker& worker, const WorkerOrder& order, std::span<const int> fds = {});
  void send_channel(Worker& worker, std::uint32_t lane, Channel& channel, bool with_stdio);
  void send_doorbell(Worker& worker, const DoorbellSet& set);
  void stop_running(Channel& channel, std::uint32_t slot, StateWord running, int signal);
  void start_service(Worker& worker);
  void cancel_request(const Channel& channel, std::uint32_t slot, StateWord running);
  void send_cancellations();
  void rearm_all();
  void shut_channel(Channel& channel);
  void break_kept(Channel& channel);
  void describe_kept(ChannelMapped& mapped, std::vector<int>& fds) const;
  void forget_if_unmapped(std::uint32_t id);
  Opened opened(Channel& channel);
  Result<Channel*> make_channel(const OpenRequest& request, const Peer& peer, DoorbellSet& set,
                                std::uint32_t bit);
  Result<DoorbellSet*> kept_doorbell();
  Result<DoorbellSet*> add_doorbell(uid_t uid, bool kept);
  void update_broken(const std::string& reason);
  void mend();
  DoorbellSet& doorbell_of(const Channel& channel) {
    return doorbells_[channel.id / kChannelsPerDoorbell];
  }
  Result<DoorbellSet*> doorbell_for(uid_t uid);
  std::string title(const Worker& worker) const;
  // A lane by its index in the pool, and the process that it is in.
  Lane& lane(std::uint32_t index) { return worker_of(index).lanes[index % config_.lanes_each()]; }
  Worker& worker_of(std::uint32_t lane) { return *workers_[lane / config_.lanes_each()]; }

  PoolConfig config_;
  std::vector<std::string> command_;
  Host host_;
  std::unique_ptr<ServiceKind> service_;  // null: an ordinary pool
  // Requests that the service is to cancel, as soon as it reads its orders: by channel and slot,
  // so that no client can make this long.
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> cancellations_;
  EventLoop::Handle cancel_timer_, end_timer_;
  std::uint64_t last_session_ = 0;
  UniqueFd page_segment_, page_read_only_;
  Mapping page_mapping_;
  std::vector<UniqueFd> worker_events_;  // one per lane, known to workers and us only
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<DoorbellSet> doorbells_;
  std::map<std::uint32_t, std::unique_ptr<Channel>> channels_;  // by id
  std::string broken_reason_;                                   // not empty: no worker can start
  std::string launch_failure_;  // why the system would not give us the last process we asked for
  std::string start_failure_;   // what the last worker that could not start reported
  CrashList crashed_jobs_;
  bool draining_ = false;
  bool drain_told_ = false;  // to a service
  bool killing_ = false;
  std::uint64_t crashes_ = 0, past_jobs_ = 0, past_failed_ = 0;
};

}  // namespace jobring
