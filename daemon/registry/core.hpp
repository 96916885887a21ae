// What all operations of the registry stand on: the store, the lines of waiters, deadlines,
// fencing tokens, limits, and the replies that wait for the next commit.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/registry/config.hpp"
#include "daemon/registry/store.hpp"

namespace jobring::registry {

struct Reply {
  std::uint64_t request_id = 0;
  RegistryReply reply;
};

// One request under way. `object` is set for every operation but `create` and `enumerate`.
struct Call {
  const Caller& caller;
  const RegistryRequest& request;
  Session& session;
  Object* object = nullptr;
};

// Why a waiter leaves its line without having got what it waited for.
enum class Leaving { timed_out, cancelled, died };
// Whether something that survives was changed for it: then its answer is remembered as well.
enum class Changed : bool { no, yes };

class Core {
 public:
  Core(const RegistryConfig& config, std::size_t live_max, std::size_t reserve)
      : config(config), live_max_(live_max), reserve_(reserve) {}

  const RegistryConfig config;
  Store store;
  std::int64_t now_ns = 0;
  std::vector<Reply> replies;
  Deadlines deadlines;

  // Answers.
  void reply(const Call& call, RegistryReply reply, Changed changed = Changed::no);
  void refuse(const Call& call, RegistryStatus status, std::string_view why);
  // These end the waiter: it is gone afterwards.
  void reply(Waiter& waiter, RegistryReply reply, Changed changed = Changed::no);
  void refuse(Waiter& waiter, RegistryStatus status, std::string_view why);

  // Puts the request into a line, or answers it: its time is over, or there are too many.
  Waiter* wait(const Call& call, WaitLine& line);
  Waiter* find_waiter(std::uint64_t request_id);
  // The waiter leaves its line, and those behind it get what they can have.
  void leave(Waiter& waiter, Leaving why);
  // Those whose time is over leave, all of them before anybody else is granted anything.
  void time_out();
  // All of a session leave likewise, so that none of them is granted anything on the way.
  void abandon(Session& session);
  std::size_t waiters() const { return waiters_.size(); }
  std::uint64_t waiting_bytes() const { return waiting_bytes_; }

  // Whether `content` more bytes (below 0: less) may be stored for a user, with an answer of
  // `answer` bytes for the caller. What only shrinks may use the reserve, so that a full registry
  // can be emptied.
  RegistryStatus room(const Usage& usage, std::int64_t content, const Session& session,
                      const Caller& caller, std::size_t answer) const;
  // The same, and the refusal.
  bool make_room(const Call& call, std::int64_t content, std::size_t answer = 0);

  // A token above all that were ever given out, by former lives as well.
  std::uint64_t next_token();
  void start_tokens(std::uint64_t first);
  bool of_former_life(std::uint64_t token) const { return token <= tokens_at_start_; }

  // Removes an object; who waits in its lines is told.
  void remove(Object& object);

 private:
  void remember(Session& session, const Caller& caller, const RegistryReply& reply);
  void end(Waiter& waiter);
  Object* depart(Waiter& waiter, Leaving why);  // to be pumped; null: nobody gains by it

  std::unordered_map<std::uint64_t, std::unique_ptr<Waiter>> waiters_;  // by request id
  std::uint64_t waiting_bytes_ = 0;
  std::uint64_t token_ = 0;
  std::uint64_t tokens_at_start_ = 0;
  const std::uint64_t live_max_, reserve_;
};

// `lock "name": why`, one line for a person.
std::string describe(const Object& object, std::string_view why);

}  // namespace jobring::registry
