// The keeper: what clients ask, what the pools do, and the store, brought together turn by turn
// (docs/keeper.md). It knows no processes: channels and answers are behind pools.hpp, the time is
// passed in.
//
//     keeper.ask(caller, request);     // any number; what only reads is answered at once
//     while (keeper.turn(now)) {}      // all there is to do, in one transaction or a few
//     sleep until keeper.next_ns()
//
// What changes something is done in the turn that follows, and answered after that was kept. If the
// store refuses a turn (a full disk, say), nothing of it has happened: those who asked are told so;
// what has ended in the pools stays where it is and is tried again, with a pause.
//
// One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/keeper/service/answered.hpp"
#include "daemon/keeper/service/clock.hpp"
#include "daemon/keeper/service/cron_table.hpp"
#include "daemon/keeper/service/events.hpp"
#include "daemon/keeper/service/feed.hpp"
#include "daemon/keeper/service/outputs.hpp"
#include "daemon/keeper/service/pools.hpp"
#include "daemon/keeper/service/waits.hpp"
#include "daemon/keeper/store.hpp"

namespace jobring::keeper {

struct Now {
  std::int64_t mono_ns = 0;  // CLOCK_MONOTONIC
  KeeperClock::System system{};
};

class Keeper {
 public:
  // Log lines go to `trouble`.
  Keeper(std::unique_ptr<Store> store, Pools& pools, Answers& answers, KeeperOptions options,
         Now now, std::function<void(const std::string&)> trouble);

  // At the start, once: what the last keeper left in the pools.
  Result<void> adopt(std::span<const Feed::Kept> channels);

  // `bytes` have to live until the next turn() has returned.
  void ask(Caller caller, std::string_view bytes, Now now);
  // The request is to be answered at once, if it waits.
  void cancel(std::uint64_t token);
  void session_ended(std::uint64_t session);
  // The daemon is going down.
  void drain();

  // True: there is more to do at once.
  bool turn(Now now);
  // Before the process ends.
  void flush();
  // When there is something to do though nobody asks, CLOCK_MONOTONIC; kForever: never.
  std::int64_t next_ns(Now now) const;
  // Whether to look for what has ended in the channels, all the time: jobs are under way.
  bool busy() const { return feed_.any_running(); }

  Store& store() { return *store_; }  // for tests

 private:
  struct Asked {
    Caller caller;
    Request request;
    std::string_view bytes;
    bool later = false;  // only its operation is decoded yet
  };
  // A verb on many jobs, done step by step.
  struct Long {
    Caller caller;
    std::vector<char> bytes;  // what the views of `request` look at; moving keeps them valid
    Request request;
    JobId from = 0;
    std::uint64_t changed = 0, unfit = 0;
  };
  struct Said {
    std::uint64_t token;
    std::string bytes;
  };

  // keeper.cpp: the turn
  bool work_to_do(Now now) const;
  bool make_turn(Now now);
  void after_commit(Now now);
  void tell_changes();
  void refused(const Error& error, Now now);
  void housekeeping(Now now);
  void look_again(Now now);
  void find_due();
  void answer(std::uint64_t token, const Reply& reply);
  void answer_later(const Caller& caller, const Reply& reply);
  void fail(std::uint64_t token, Status status, std::string line);

  // requests.cpp: what changes something
  bool reads(const Request& request) const;
  Durability level_of(const Asked& asked) const;
  std::size_t verb_bytes(std::uint32_t uid) const;
  void perform(Asked& asked, Now now);
  Reply perform_op(Asked& asked);
  Reply submit(Asked& asked);
  std::string why_not(const JobSpec& spec, const Caller& caller) const;
  void hide_others(JobSpec& spec, const Caller& caller);
  std::uint64_t room();
  std::uint64_t room_of(std::uint32_t uid);
  Reply pool_verb(const Request& request);
  Reply put_cron(Asked& asked);
  Reply import_job(Asked& asked);
  bool step(Long& work, Reply& reply);
  bool dry_step(Long& work, Reply& reply);

  // reading.cpp: what only looks
  void read(const Caller& caller, Request& request, Now now);
  Reply list(const Caller& caller, Request& request);
  Reply show(const Caller& caller, const Request& request);
  Reply bytes(const Caller& caller, const Request& request);
  Reply logs(const Wait& wait, bool& nothing_yet);
  Reply counts();
  Reply group(const Caller& caller, const Request& request);
  Reply events(const Wait& wait, bool& nothing_yet);
  Reply kill(const Caller& caller, Request& request);
  void wait(const Caller& caller, const Request& request, Now now);
  void wait_any(const Caller& caller, const Request& request, Now now);
  void wait_for_logs(const Caller& caller, const Request& request, Now now);
  void wait_for_events(const Caller& caller, const Request& request, Now now);
  Reply view_reply(JobRecord& record, std::uint16_t flags);
  void seen_from_outside(JobView& job) const;
  void leave_out(JobView& job, std::uint16_t flags, std::size_t room) const;
  // Nothing if it is not there, or not the caller's; then `reply` says so.
  std::optional<JobRecord> record_of(const Caller& caller, JobId id, Reply& reply);
  static std::optional<std::uint32_t> only(const Caller& caller) {
    return caller.privileged ? std::nullopt : std::optional(caller.uid);
  }
  // explain.cpp
  Reply explain(const Caller& caller, const Request& request, Now now);

  const KeeperOptions options_;
  std::unique_ptr<Store> store_;
  Answers& answers_;
  std::function<void(const std::string&)> trouble_;
  KeeperClock keeper_clock_;
  Clock clock_;
  Outputs outputs_;
  Feed feed_;
  Waits waits_;
  Events events_;
  CronTable cron_{options_.boot};

  std::vector<Asked> asked_;
  std::vector<Long> longs_;
  std::vector<Said> said_;
  std::vector<Wait> after_;  // waits that begin when the turn is kept
  struct Stop {
    JobId id;
    int signal;
  };
  std::vector<Stop> stops_;  // when the turn is kept
  // Jobs that are forgotten as soon as they have succeeded, and somebody waits for: seen before.
  struct LastLook {
    JobRecord record;
    Attempt attempt;
    std::string result, tail;
  };
  std::unordered_map<JobId, LastLook> last_looks_;
  // Of jobs submitted in this turn: whose, and what they are called (views of the requests).
  struct Fresh {
    JobId first, last;
    std::uint32_t uid;
    std::string_view name;
  };
  std::vector<Fresh> fresh_;
  Answered answered_;
  std::int64_t answered_until_ns_ = 0;
  struct Usage {
    std::uint64_t most = 0;       // no more than so many of this user wait
    std::int64_t counted_ms = 0;  // steady
  };
  std::unordered_map<std::uint32_t, Usage> usage_;

  std::optional<std::uint64_t> open_jobs_;  // in this turn, if somebody has counted
  Clock next_due_{};
  std::int64_t next_clean_ms_ = 0;  // steady
  bool wake_again_ = false, clean_again_ = false, cron_stale_ = false, sweep_again_ = true;
  bool look_for_clean_ = true;  // something has ended since we asked when to clean
  std::int64_t retry_ns_ = 0;   // no turn of our own before this
  std::int64_t pause_ns_ = 0;   // between turns that fail
  std::int64_t flush_ns_ = kForever;
  std::int64_t last_clean_ns_ = 0, last_reports_ns_ = 0, last_look_ns_ = 0, last_sweep_ns_ = 0;
  std::int64_t last_real_ms_ = 0, last_boot_ms_ = 0;
  std::vector<Progress> reports_;
  std::vector<std::string> report_texts_;
  bool told_trouble_ = false;
};

}  // namespace jobring::keeper
