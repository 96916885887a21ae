// Layouts, little-endian, without padding.
//
// Request, 64 bytes and three texts           Reply, 24 bytes and a text
//   u8   format = 1                             u8   format = 1
//   u8   op, type, order                        u8   status
//   u16  flags                                  u16  flags
//   u16  mode                                   u32  payload length
//   i64  size                                   u64  token
//   u64  owner, token                           i64  number
//   i64  deadline_ns                            payload
//   i64  a, b
//   u16  length of name, key                  Entry, 16 bytes and two texts
//   u32  length of value                        u16  length of key, flags
//   name, key, value                            u32  length of value
//                                               u64  version
//                                               key, value
//
// If you change one of them, increment kFormat.
#include "common/registry_messages.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

namespace jobring {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kRequestHead = 64;
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they are");

constexpr std::array<const char*, kObjectTypes> kTypeNames = {
    "object", "lock", "rlock", "semaphore", "bounded_semaphore", "event", "condition", "barrier",
    "queue",  "dict", "list",  "counter"};
constexpr std::array<const char*, kRegistryStatuses> kStatusNames = {
    "ok",           "timed_out",    "cancelled",    "not_found", "exists",       "wrong_type",
    "wrong_params", "permission",   "not_holder",   "lost",      "over_release", "broken",
    "removed",      "no_key",       "out_of_range", "mismatch",  "not_a_number", "bad_name",
    "bad_timeout",  "bad_argument", "too_large",    "full",      "too_many",     "stale_request"};

template <class T>
void put(char*& to, T value) {
  static_assert(std::is_integral_v<T> || std::is_enum_v<T>);
  std::memcpy(to, &value, sizeof value);
  to += sizeof value;
}
void put(char*& to, std::string_view text) {
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  to += text.size();
}
template <class T>
T take(const char*& from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  from += sizeof value;
  return value;
}

Error bad(const char* where, std::string what) {
  return Error{Errc::protocol, std::move(what), where, {}};
}
constexpr const char* kRequestWhere = "registry request";
constexpr const char* kReplyWhere = "registry reply";

}  // namespace

std::string encode(const RegistryRequest& r) {
  // A text too long for its length field is cut to one that decodes, and is refused, as too long.
  const auto name = r.name.substr(0, 0xffff), key = r.key.substr(0, 0xffff);
  const auto value = r.value.substr(0, kRegistryValueMax + 1);
  std::string bytes(kRequestHead + name.size() + key.size() + value.size(), '\0');
  char* to = bytes.data();
  put(to, kFormat);
  put(to, r.op);
  put(to, r.type);
  put(to, r.order);
  put(to, r.flags);
  put(to, r.mode);
  put(to, r.size);
  put(to, r.owner);
  put(to, r.token);
  put(to, r.deadline_ns);
  put(to, r.a);
  put(to, r.b);
  put(to, std::uint16_t(name.size()));
  put(to, std::uint16_t(key.size()));
  put(to, std::uint32_t(value.size()));
  put(to, name);
  put(to, key);
  put(to, value);
  return bytes;
}

Result<RegistryRequest> decode_registry_request(std::span<const unsigned char> payload) {
  if (payload.size() < kRequestHead) return bad(kRequestWhere, "it is shorter than its head");
  // The head is copied once: its source may be shared with a process that changes it meanwhile.
  std::array<char, kRequestHead> head;
  std::memcpy(head.data(), payload.data(), head.size());
  const char* from = head.data();
  const auto format = take<std::uint8_t>(from);
  if (format != kFormat) {
    return bad(kRequestWhere, "format " + std::to_string(format) +
                                  " is unknown, this registry reads format " +
                                  std::to_string(kFormat));
  }
  RegistryRequest r;
  r.op = RegistryOp(take<std::uint8_t>(from));
  const auto type = take<std::uint8_t>(from), order = take<std::uint8_t>(from);
  r.flags = take<std::uint16_t>(from);
  r.mode = take<std::uint16_t>(from);
  r.size = take<std::int64_t>(from);
  r.owner = take<std::uint64_t>(from);
  r.token = take<std::uint64_t>(from);
  r.deadline_ns = take<std::int64_t>(from);
  r.a = take<std::int64_t>(from);
  r.b = take<std::int64_t>(from);
  const std::size_t name = take<std::uint16_t>(from), key = take<std::uint16_t>(from);
  const std::size_t value = take<std::uint32_t>(from);
  if (type >= kObjectTypes) return bad(kRequestWhere, "an unknown type of object");
  if (order > std::uint8_t(QueueOrder::priority)) return bad(kRequestWhere, "an unknown order");
  if ((r.flags & ~kRegistryRequestFlagsAll) != 0) return bad(kRequestWhere, "unknown flags");
  if (payload.size() != kRequestHead + name + key + value)
    return bad(kRequestWhere, "its lengths do not add up to its size");
  r.type = ObjectType(type);
  r.order = QueueOrder(order);
  const std::string_view texts(reinterpret_cast<const char*>(payload.data()) + kRequestHead,
                               name + key + value);
  r.name = texts.substr(0, name);
  r.key = texts.substr(name, key);
  r.value = texts.substr(name + key);
  return r;
}

std::string encode(const RegistryReply& r) {
  std::string bytes(kRegistryReplyHead + r.payload.size(), '\0');
  char* to = bytes.data();
  put(to, kFormat);
  put(to, r.status);
  put(to, r.flags);
  put(to, std::uint32_t(r.payload.size()));
  put(to, r.token);
  put(to, r.number);
  put(to, std::string_view(r.payload));
  return bytes;
}

Result<RegistryReplyView> decode_registry_reply(std::span<const unsigned char> result) {
  if (result.size() < kRegistryReplyHead) return bad(kReplyWhere, "it is shorter than its head");
  const char* from = reinterpret_cast<const char*>(result.data());
  const auto format = take<std::uint8_t>(from);
  if (format != kFormat) {
    return bad(kReplyWhere, "format " + std::to_string(format) +
                                " is unknown, this client reads format " + std::to_string(kFormat));
  }
  RegistryReplyView r;
  const auto status = take<std::uint8_t>(from);
  if (status >= kRegistryStatuses) return bad(kReplyWhere, "an unknown status");
  r.status = RegistryStatus(status);
  r.flags = take<std::uint16_t>(from);
  const std::size_t length = take<std::uint32_t>(from);
  r.token = take<std::uint64_t>(from);
  r.number = take<std::int64_t>(from);
  if (result.size() != kRegistryReplyHead + length)
    return bad(kReplyWhere, "its length does not add up to its size");
  r.payload = {from, length};
  return r;
}

void append(std::string& text, const RegistryEntry& entry) {
  const std::size_t before = text.size();
  text.resize(before + kRegistryEntryHead + entry.key.size() + entry.value.size());
  char* to = text.data() + before;
  put(to, std::uint16_t(entry.key.size()));
  put(to, entry.flags);
  put(to, std::uint32_t(entry.value.size()));
  put(to, entry.version);
  put(to, entry.key);
  put(to, entry.value);
}

std::optional<std::vector<RegistryEntry>> decode_registry_entries(std::string_view text) {
  std::vector<RegistryEntry> entries;
  while (!text.empty()) {
    if (text.size() < kRegistryEntryHead) return std::nullopt;
    const char* from = text.data();
    RegistryEntry entry;
    const std::size_t key = take<std::uint16_t>(from);
    entry.flags = take<std::uint16_t>(from);
    const std::size_t value = take<std::uint32_t>(from);
    entry.version = take<std::uint64_t>(from);
    text.remove_prefix(kRegistryEntryHead);
    if (key + value > text.size()) return std::nullopt;
    entry.key = text.substr(0, key);
    entry.value = text.substr(key, value);
    text.remove_prefix(key + value);
    entries.push_back(entry);
  }
  return entries;
}

namespace {
constexpr std::size_t kObjectStatusSize = 5 * 8 + 4 * 4 + 2 + 4;
}

std::string encode(const ObjectStatus& s) {
  std::string bytes(kObjectStatusSize, '\0');
  char* to = bytes.data();
  put(to, s.id);
  put(to, s.bytes);
  put(to, s.size);
  put(to, s.length);
  put(to, s.token);
  put(to, s.holders);
  put(to, s.waiters);
  put(to, s.uid);
  put(to, s.gid);
  put(to, s.mode);
  put(to, s.type);
  put(to, s.order);
  put(to, std::uint8_t(s.ephemeral));
  put(to, std::uint8_t(s.broken));
  return bytes;
}

std::optional<ObjectStatus> decode_object_status(std::string_view value) {
  if (value.size() != kObjectStatusSize) return std::nullopt;
  const char* from = value.data();
  ObjectStatus s;
  s.id = take<std::uint64_t>(from);
  s.bytes = take<std::uint64_t>(from);
  s.size = take<std::int64_t>(from);
  s.length = take<std::int64_t>(from);
  s.token = take<std::uint64_t>(from);
  s.holders = take<std::uint32_t>(from);
  s.waiters = take<std::uint32_t>(from);
  s.uid = take<std::uint32_t>(from);
  s.gid = take<std::uint32_t>(from);
  s.mode = take<std::uint16_t>(from);
  const auto type = take<std::uint8_t>(from), order = take<std::uint8_t>(from);
  s.ephemeral = take<std::uint8_t>(from) != 0;
  s.broken = take<std::uint8_t>(from) != 0;
  if (type >= kObjectTypes || order > std::uint8_t(QueueOrder::priority)) return std::nullopt;
  s.type = ObjectType(type);
  s.order = QueueOrder(order);
  return s;
}

const char* to_string(ObjectType type) {
  return std::size_t(type) < kTypeNames.size() ? kTypeNames[std::size_t(type)] : "object";
}
const char* to_string(RegistryStatus status) {
  return std::size_t(status) < kStatusNames.size() ? kStatusNames[std::size_t(status)] : "unknown";
}
std::optional<ObjectType> object_type(std::string_view name) {
  const auto found = std::find(kTypeNames.begin() + 1, kTypeNames.end(), name);
  if (found == kTypeNames.end()) return std::nullopt;
  return ObjectType(found - kTypeNames.begin());
}

}  // namespace jobring
