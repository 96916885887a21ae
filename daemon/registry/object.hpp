// A named object, a session, a waiter: what the registry holds in its heap.
//
// Each has a durable half, which only Store changes and which comes back from the journal, and a
// live half, which only the operations change and which a restart of the registry loses: who holds,
// who waits.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "common/registry_messages.hpp"

namespace jobring::registry {

// What is accounted for one of these, beside the bytes of its texts. Each is at least what it takes
// in a snapshot (so that what fits into the limit fits into the journal) and about what it takes in
// the heap.
inline constexpr std::uint64_t kObjectCost = 384;
inline constexpr std::uint64_t kEntryCost = 160;    // a dict's key and value
inline constexpr std::uint64_t kItemCost = 128;     // of a queue; leased too
inline constexpr std::uint64_t kElementCost = 128;  // of a list
inline constexpr std::uint64_t kAnswerCost = 128;   // the last answer of a slot
inline constexpr std::uint64_t kSessionCost = 128;
inline constexpr std::uint64_t kUseCost = 96;  // a session's use of an object

namespace intrusive = boost::intrusive;
struct Object;
struct Session;

// Hooks unlink themselves, so that whatever destroys an element takes it out of its lists.
template <class Tag>
using ListHook =
    intrusive::list_base_hook<intrusive::tag<Tag>, intrusive::link_mode<intrusive::auto_unlink>>;
template <class T, class Tag>
using AutoList =
    intrusive::list<T, intrusive::base_hook<ListHook<Tag>>, intrusive::constant_time_size<false>>;
struct InLine;
struct InSession;
struct InOrder;
struct ByChange;
struct DeadlineTag;
using DeadlineHook = intrusive::set_base_hook<intrusive::tag<DeadlineTag>,
                                              intrusive::link_mode<intrusive::auto_unlink>>;

// Who asks, as the service knows it from the channel.
struct Caller {
  std::uint64_t request_id = 0;  // opaque; comes back with the reply
  std::uint64_t session = 0;     // one per channel, never used again
  std::uint32_t slot = 0;
  std::uint64_t generation = 0;  // of the slot; grows. 0: not to be answered from memory
  std::uint32_t uid = 0, gid = 0;
  const std::vector<std::uint32_t>* groups = nullptr;  // supplementary; may be null
};

// A request that waits in the line of an object.
struct Waiter : ListHook<InLine>, ListHook<InSession>, DeadlineHook {
  Caller caller;
  Session* session = nullptr;
  Object* object = nullptr;
  RegistryOp op{};
  std::uint16_t flags = 0;
  std::uint64_t owner = 0;
  std::int64_t deadline_ns = kNoDeadline;
  std::int64_t a = 0;
  std::string text;  // the item to put, the key to watch
  // condition_wait: it waits at the condition, then in the line of the lock.
  std::uint64_t condition_id = 0;  // not 0: it is in the lock's line
  std::int64_t level = 0;          // levels of the lock to take again
  bool timed_out = false;          // it was not notified

  bool operator<(const Waiter& other) const { return deadline_ns < other.deadline_ns; }
};
using WaitLine = AutoList<Waiter, InLine>;
using Deadlines = intrusive::multiset<Waiter, intrusive::base_hook<DeadlineHook>,
                                      intrusive::constant_time_size<false>>;

// Who holds a lock; linked into its session's list while it is held.
struct Hold : ListHook<InSession> {
  Object* object = nullptr;
  Session* session = nullptr;  // null: nobody
  std::uint64_t owner = 0;
  std::uint64_t token = 0;
  std::int64_t level = 0;
};

// Contents, all durable.
struct EventData {
  bool set = false;
};
struct SemaphoreData {
  std::int64_t permits = 0;  // those held included
};
struct CounterData {
  std::int64_t value = 0;
};
struct ListData {
  std::deque<std::string> items;
};
struct DictEntry : ListHook<InOrder>, ListHook<ByChange> {
  std::string_view key;  // of the map's node
  std::string value;
  std::uint64_t version = 0;    // the dict's, when it last changed
  std::uint64_t inserted = 0;   // the dict's, when it came
  std::int64_t expires_ns = 0;  // CLOCK_MONOTONIC; 0: never
};
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
struct DictData {
  std::unordered_map<std::string, DictEntry, TextHash, std::equal_to<>> entries;
  AutoList<DictEntry, InOrder> order;       // as they came
  AutoList<DictEntry, ByChange> by_change;  // versions ascending
  std::uint64_t version = 0;
  // Keys that went, versions ascending; older ones than `compacted` are forgotten. Not durable
  // beyond what the journal still holds.
  std::deque<std::pair<std::uint64_t, std::string>> erased;
  std::size_t erased_bytes = 0;
  std::uint64_t compacted = 0;
};
// Where an item stands: (priority, number). FIFO and LIFO have priority 0.
using ItemPlace = std::pair<std::int64_t, std::uint64_t>;
struct Item {
  std::string value;
  bool redelivered = false;
};
struct Lease {
  std::uint64_t session = 0;
  ItemPlace place;
  std::string value;
};
struct QueueData {
  std::map<ItemPlace, Item> items;
  std::map<std::uint64_t, Lease> leases;        // by token
  std::map<std::uint64_t, std::int64_t> taken;  // by session: got without lease, not yet done
  std::uint64_t next = 1;                       // number of the next item
  std::int64_t unfinished = 0;                  // put, and not yet done
};
using Contents = std::variant<std::monostate, EventData, SemaphoreData, CounterData, ListData,
                              DictData, QueueData>;

struct Definition {
  std::uint64_t id = 0;  // never used again
  ObjectType type = ObjectType::none;
  QueueOrder order = QueueOrder::fifo;
  bool ephemeral = false;
  std::uint32_t uid = 0, gid = 0;
  std::uint16_t mode = 0;
  std::int64_t size = 0;
  std::string name;
  std::string lock;  // of a condition
};

// What one user has. Stays where it is as long as the store.
struct Usage {
  std::uint32_t objects = 0;
  std::uint64_t bytes = 0;
  std::uint32_t waiters = 0;  // live
};

struct Object {
  Usage* usage = nullptr;  // of its user
  // durable
  Definition def;
  Contents contents;
  std::uint64_t bytes = 0;        // accounted
  std::set<std::uint64_t> users;  // sessions that use it, if it is ephemeral

  // live
  Hold hold;                                           // lock, rlock
  std::map<std::uint64_t, std::int64_t> permits_held;  // semaphores, by session
  std::int64_t permits_out = 0;                        // their sum
  bool owner_died = false;                             // to tell to the next grant
  bool restarted = false;                              // to tell to the first grant
  bool broken = false;                                 // barrier
  WaitLine line;     // those who want it; queue: getters; dict: watchers
  WaitLine putters;  // queue
  WaitLine joiners;  // queue

  template <class T>
  T& as() {
    return *std::get_if<T>(&contents);
  }
  std::uint64_t length() const;
};

// The last answer to a slot of a session, so that a request that is run again is answered, not
// done.
struct Answer {
  std::uint64_t generation = 0;
  RegistryReply reply;
};

struct Session {
  std::uint64_t id = 0;
  std::uint32_t uid = 0;
  Usage* usage = nullptr;
  // durable
  bool durable = false;  // the journal knows it
  std::unordered_map<std::uint32_t, Answer> answers;
  // derived from what is durable: ephemeral objects that it uses, ids of queues that it got from
  std::set<Object*> uses;
  std::set<std::uint64_t> queues;
  // live
  AutoList<Hold, InSession> holds;
  AutoList<Waiter, InSession> waiters;
  std::set<std::uint64_t> semaphores;
};

}  // namespace jobring::registry
