// The registry as a state machine: requests, ends of sessions and the clock go in, replies and the
// next deadline come out. Pure: no IO, no threads, no clock of its own. One thread uses it.
//
//   auto engine = Engine::open(segment, config, now, realtime_ns);
//   engine->handle(caller, request, now);          // as many as there are
//   for (const Reply& r : engine->commit()) ...    // only now may they be told to anybody
//   wait until engine->next_deadline(), then engine->tick(now)
//
// Fair: every line is first come, first served; who comes never overtakes who waits. A waiter
// leaves its line when it is granted, at its deadline, by cancel(), with its session or with the
// object; those behind it then get what they can have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "daemon/registry/core.hpp"
#include "daemon/registry/journal.hpp"

namespace jobring::registry {

class Engine {
 public:
  // `segment`: zeroes, or what a former registry left; it must outlive the engine. A damaged one is
  // refused. `first_token`: fencing tokens start above it if the segment is fresh; the real-time
  // clock's nanoseconds make them grow over reboots too.
  static Result<std::unique_ptr<Engine>> open(std::span<std::byte> segment,
                                              const RegistryConfig& config, std::int64_t now_ns,
                                              std::uint64_t first_token);

  // Replies once, at some commit. `now_ns` is CLOCK_MONOTONIC and never goes back.
  void handle(const Caller& caller, const RegistryRequest& request, std::int64_t now_ns);
  // The client is gone: its waiters leave without a reply, what it held is free.
  void session_ended(std::uint64_t session, std::int64_t now_ns);
  // Takes a waiting request out of its line; it is replied to as `cancelled`. False: it does not
  // wait (any more).
  bool cancel(std::uint64_t request_id, std::int64_t now_ns);
  // Deadlines and times to live.
  void tick(std::int64_t now_ns);

  // Makes all that was done survive, then hands out the replies to it. They are valid until the
  // next call. Throws std::logic_error if the journal cannot take it, which accounting excludes.
  std::span<const Reply> commit();
  // When tick() has something to do; kNoDeadline: never.
  std::int64_t next_deadline() const;

  // Sessions that left something behind. After a restart the service ends those that are gone.
  std::vector<std::uint64_t> sessions() const;

  // For status and tests.
  const Core& core() const { return core_; }
  std::size_t waiters() const { return core_.waiters(); }
  // The durable state as text, equal for equal states.
  std::string dump() const;
  Journal& journal() { return journal_; }

 private:
  Engine(Journal journal, const RegistryConfig& config);
  void at(std::int64_t now_ns);
  void expire();
  bool check(const Call& call);
  Session* admit(const Caller& caller);

  Journal journal_;
  Core core_;
  std::vector<Reply> told_;
};

}  // namespace jobring::registry
