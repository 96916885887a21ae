// Requests that are answered when something has happened: who waits for what, and until when.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/keeper/messages.hpp"
#include "daemon/keeper/service/pools.hpp"

namespace jobring::keeper {

struct Wait {
  enum class Kind : std::uint8_t { job, started, any, group, log, event, drain };
  Kind kind = Kind::job;
  Caller caller;
  std::int64_t deadline_ns = kForever;         // CLOCK_MONOTONIC
  JobId id = 0;                                // job, started, group, log
  std::uint16_t flags = 0;                     // of the request
  std::uint64_t number = 0;                    // log: the attempt; event: at most
  std::int64_t offset = 0;                     // log
  std::uint64_t size = 0;                      // log
  std::uint64_t after = 0;                     // event
  std::string pool{};                          // drain
  std::vector<std::pair<JobId, JobId>> ids{};  // any: ranges in order
  std::vector<JobId> ended{};                  // any: of those, in this turn
};

class Waits {
 public:
  void add(Wait wait);
  bool remove(std::uint64_t token);
  const Wait* find(std::uint64_t token) const;
  // Those whose client has gone.
  void remove_session(std::uint64_t session);
  bool empty() const { return waits_.empty(); }
  std::size_t size() const { return waits_.size(); }

  // Tokens, copied: answering one removes it.
  std::vector<std::uint64_t> of_job(JobId id) const;
  bool anybody_for_jobs() const { return !by_job_.empty() || count(Wait::Kind::any) > 0; }
  std::vector<std::uint64_t> of_kind(Wait::Kind kind) const;
  std::size_t count(Wait::Kind kind) const { return counts_[std::size_t(kind)]; }
  // Of ids, in all waits of kind `any` of a user.
  std::size_t ranges(std::uint32_t uid) const;
  // A job has ended or is gone: notes it for those that wait for any of many.
  void ended(JobId id);
  // Those of kind `any` for which there is something.
  std::vector<Wait*> any_ended();

  std::vector<std::uint64_t> due(std::int64_t now_ns) const;
  std::int64_t next_deadline() const;

 private:
  static bool for_one_job(Wait::Kind kind) {
    return kind == Wait::Kind::job || kind == Wait::Kind::started;
  }

  std::unordered_map<std::uint64_t, Wait> waits_;  // by token
  std::unordered_map<JobId, std::vector<std::uint64_t>> by_job_;
  std::multimap<std::int64_t, std::uint64_t> deadlines_;
  std::unordered_map<std::uint32_t, std::size_t> ranges_;  // by user
  std::size_t counts_[7] = {};
};

}  // namespace jobring::keeper
