// What a client asks the registry, and what it answers: the payload and the result of a job for the
// internal pool @registry. Layouts: see registry_messages.cpp. Both sides check what they decode;
// decoded texts are views of the bytes that were decoded, so they live as long as those do.
//
// What each operation does with the fields stands in docs/registry.md.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace jobring {

enum class ObjectType : std::uint8_t {
  none = 0,
  lock = 1,
  rlock = 2,
  semaphore = 3,
  bounded_semaphore = 4,
  event = 5,
  condition = 6,
  barrier = 7,
  queue = 8,
  dict = 9,
  list = 10,
  counter = 11,
};
inline constexpr std::size_t kObjectTypes = 12;

enum class QueueOrder : std::uint8_t { fifo = 0, lifo = 1, priority = 2 };

enum class RegistryOp : std::uint8_t {
  create = 1,
  remove,
  info,
  enumerate,
  set_access,

  lock_acquire = 10,
  lock_release,
  lock_check,

  semaphore_acquire = 20,
  semaphore_release,
  semaphore_value,

  event_set = 30,
  event_clear,
  event_wait,
  event_is_set,

  condition_wait = 40,
  condition_notify,

  barrier_wait = 50,
  barrier_reset,
  barrier_abort,
  barrier_state,

  queue_put = 60,
  queue_get,
  queue_task_done,
  queue_join,
  queue_length,
  queue_clear,

  dict_get = 70,
  dict_set,
  dict_remove,
  dict_pop,
  dict_keys,
  dict_items,
  dict_length,
  dict_increment,
  dict_compare_and_set,
  dict_update,
  dict_clear,
  dict_watch,
  dict_expire,

  list_append = 90,
  list_extend,
  list_insert,
  list_pop,
  list_get,
  list_set,
  list_length,
  list_slice,
  list_index,
  list_remove,
  list_clear,

  counter_add = 110,
  counter_set,
  counter_get,
  counter_compare_and_set,
};

enum class RegistryStatus : std::uint8_t {
  ok = 0,
  timed_out = 1,       // the deadline passed; with deadline 0: it would have had to wait
  cancelled = 2,       // the waiter was taken out of the line by its client
  not_found = 3,       // no object of that name
  exists = 4,          // create with `exclusive`: the name is taken
  wrong_type = 5,      // the name belongs to an object of another type
  wrong_params = 6,    // it exists with another size, order or lock
  permission = 7,      // the object's mode does not allow it
  not_holder = 8,      // release, check, task_done: by one who does not hold
  lost = 9,            // the grant is of an earlier life of the registry or of the object
  over_release = 10,   // a bounded semaphore above its size; task_done more often than get
  broken = 11,         // the barrier is broken
  removed = 12,        // the object was removed while the request waited
  no_key = 13,         // the dict has no such key
  out_of_range = 14,   // list index; a number that would overflow
  mismatch = 15,       // compare_and_set and the like: it is not what was expected
  not_a_number = 16,   // increment of a value that is no decimal number
  bad_name = 17,       // empty, too long, or with control characters
  bad_timeout = 18,    // a negative time-out
  bad_argument = 19,   // any other argument that makes no sense
  too_large = 20,      // a key, value or reply above its limit
  full = 21,           // no memory left, of the registry or of this user
  too_many = 22,       // objects, sessions or waiters above their limit
  stale_request = 23,  // an older request than the last one answered for this slot
};
inline constexpr std::size_t kRegistryStatuses = 24;

enum RegistryRequestFlags : std::uint16_t {
  kCreateIfMissing = 1,  // use type (of the operation), size, order, mode, ephemeral and lock
  kExclusive = 2,        // create: refuse if it exists
  kEphemeral = 4,        // create: vanishes when no session uses it any more
  kConsume = 8,          // semaphore_acquire: the permit is used up, it does not come back
  kLease = 16,           // queue_get: the item goes back unless task_done is called for it
  kIfAbsent = 32,        // dict_set: only if the key is not there
  kWholeDict = 64,       // dict_watch: any key
  kIfVersion = 128,      // dict_update: only if the dict's version is `a`
};
inline constexpr std::uint16_t kRegistryRequestFlagsAll = 255;

enum RegistryReplyFlags : std::uint16_t {
  kOwnerDied = 1,     // who held it before died holding it: what it guards may be half changed
  kAfterRestart = 2,  // first grant since the registry was restarted: as kOwnerDied
  kRedelivered = 4,   // the queue's item was given out before, to a client that died
  kCompacted = 8,     // dict_watch: changes were forgotten, read the whole dict
  kMore = 16,         // the reply was cut at its limit; ask again from `number`
  kExisted = 32,      // create, dict_set with kIfAbsent: it was there already
  kAbsent = 64,       // mismatch: there is no such key
  kReplayed = 128,    // answered before: this is the same answer, nothing was done again
};

inline constexpr std::size_t kRegistryNameMax = 255;          // bytes
inline constexpr std::size_t kRegistryKeyMax = 1024;          // bytes
inline constexpr std::uint32_t kRegistryValueMax = 1u << 30;  // bytes; the config sets less
// deadline_ns is CLOCK_MONOTONIC; 0: do not wait; none: wait for ever; below 0: refused.
inline constexpr std::int64_t kNoDeadline = std::numeric_limits<std::int64_t>::max();

struct RegistryRequest {
  RegistryOp op = RegistryOp::info;
  ObjectType type = ObjectType::none;  // create, enumerate; else follows from the operation
  QueueOrder order = QueueOrder::fifo;
  std::uint16_t flags = 0;  // RegistryRequestFlags
  std::uint16_t mode = 0;   // of a new object, 0: the config's default
  std::int64_t size = 0;    // permits, parties, capacity (0: unbounded)
  std::uint64_t owner = 0;  // who in this session: a thread, for RLock
  std::uint64_t token = 0;  // the grant that is meant, 0: whatever is held
  std::int64_t deadline_ns = kNoDeadline;
  std::int64_t a = 0, b = 0;  // per operation
  std::string_view name, key, value;
};

struct RegistryReply {
  RegistryStatus status = RegistryStatus::ok;
  std::uint16_t flags = 0;  // RegistryReplyFlags
  std::uint64_t token = 0;  // fencing token of a grant; version of a dict
  std::int64_t number = 0;  // per operation
  std::string payload;      // value, entries; for an error its one line
};
struct RegistryReplyView {
  RegistryStatus status = RegistryStatus::ok;
  std::uint16_t flags = 0;
  std::uint64_t token = 0;
  std::int64_t number = 0;
  std::string_view payload;
};

std::string encode(const RegistryRequest& request);
Result<RegistryRequest> decode_registry_request(std::span<const unsigned char> payload);
inline constexpr std::size_t kRegistryReplyHead = 24;  // bytes before the payload
std::string encode(const RegistryReply& reply);
Result<RegistryReplyView> decode_registry_reply(std::span<const unsigned char> result);

// Many keys and values in one text: batches of a request, listings of a reply.
enum RegistryEntryFlags : std::uint16_t { kErased = 1 };
inline constexpr std::size_t kRegistryEntryHead = 16;  // bytes
struct RegistryEntry {
  std::string_view key, value;
  std::uint64_t version = 0;
  std::uint16_t flags = 0;
};
void append(std::string& text, const RegistryEntry& entry);
// nullopt: the text is no sequence of entries.
std::optional<std::vector<RegistryEntry>> decode_registry_entries(std::string_view text);

// One object as `info` and `enumerate` tell of it: the value of an entry whose key is its name.
struct ObjectStatus {
  std::uint64_t id = 0;
  std::uint64_t bytes = 0;    // accounted memory
  std::int64_t size = 0;      // permits, parties, capacity
  std::int64_t length = 0;    // items, keys, permits left, parties that wait, the counter, 1: set
  std::uint64_t token = 0;    // of the present holder; version of a dict
  std::uint32_t holders = 0;  // lock: its levels; semaphore: permits out; queue: leases
  std::uint32_t waiters = 0;
  std::uint32_t uid = 0, gid = 0;
  std::uint16_t mode = 0;
  ObjectType type = ObjectType::none;
  QueueOrder order = QueueOrder::fifo;
  bool ephemeral = false;
  bool broken = false;  // barrier

  friend bool operator==(const ObjectStatus&, const ObjectStatus&) = default;
};
std::string encode(const ObjectStatus& status);
std::optional<ObjectStatus> decode_object_status(std::string_view value);

const char* to_string(ObjectType type);
const char* to_string(RegistryStatus status);
std::optional<ObjectType> object_type(std::string_view name);

}  // namespace jobring
