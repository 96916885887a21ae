#include "common/messages.hpp"

#include <nlohmann/json.hpp>
#include <tuple>
#include <type_traits>

#include "common/excerpt.hpp"

namespace jobring {
namespace {

using Json = nlohmann::json;

// Each message names its op and its fields once; writing and reading both follow from that.
template <class T>
struct Fields;

#define JOBRING_MESSAGE(Type, op_name, ...)                                         \
  template <>                                                                       \
  struct Fields<Type> {                                                             \
    static constexpr const char* op = op_name;                                      \
    template <class Message, class Visit>                                           \
    static void each([[maybe_unused]] Message& m, [[maybe_unused]] Visit&& visit) { \
      __VA_ARGS__                                                                   \
    }                                                                               \
  };
#define F(field) visit(#field, m.field);

JOBRING_MESSAGE(OpenRequest, "open",
                F(version) F(pool) F(slots) F(pass_stdio) F(client) F(kept) F(uid) F(gid))
JOBRING_MESSAGE(CloseRequest, "close", F(pool) F(channel))
JOBRING_MESSAGE(KillRequest, "kill", F(pool) F(channel) F(slot) F(generation) F(signal))
JOBRING_MESSAGE(PingRequest, "ping", F(pool))
JOBRING_MESSAGE(StatusRequest, "status", )
JOBRING_MESSAGE(OpenReply, "opened",
                F(channel) F(ready_bit) F(slots) F(max_payload) F(max_result) F(extent_cache)
                    F(spin_ns) F(workers) F(adopted))
JOBRING_MESSAGE(PongReply, "pong", F(version) F(pid) F(uptime_ms))
JOBRING_MESSAGE(StatusReply, "status", )
JOBRING_MESSAGE(ErrorReply, "error", F(kind) F(what) F(where) F(hint))
JOBRING_MESSAGE(WorkerHello, "hello", F(version) F(handlers))
JOBRING_MESSAGE(WorkerFailed, "failed", F(what))
JOBRING_MESSAGE(MapRequest, "map", F(channel) F(lane))
JOBRING_MESSAGE(StdioRequest, "stdio", F(channel) F(lane))
JOBRING_MESSAGE(Unmapped, "unmapped", F(channel) F(lane))
JOBRING_MESSAGE(ChannelBroken, "broken", F(channel) F(reason))
JOBRING_MESSAGE(Welcome, "welcome",
                F(index) F(workers) F(spin_ns) F(batch) F(max_jobs) F(max_rss) F(kill_grace_ms)
                    F(run_as_client) F(keep_strays) F(modules) F(pool) F(model) F(threads)
                        F(max_in_flight))
JOBRING_MESSAGE(DoorbellAdded, "doorbell", F(doorbell) F(uid))
JOBRING_MESSAGE(ChannelMapped, "mapped",
                F(channel) F(slots) F(max_payload) F(max_result) F(uid) F(gid) F(lane) F(kept)
                    F(session) F(groups) F(outputs_dir) F(output_max) F(state_id))
JOBRING_MESSAGE(StdioReply, "stdio", F(channel) F(lane))
JOBRING_MESSAGE(ChannelClosed, "closed", F(channel) F(lane) F(session))
JOBRING_MESSAGE(StopJob, "stop", F(channel) F(slot) F(generation) F(signal) F(lane))
JOBRING_MESSAGE(StopChannel, "stop_channel", F(channel) F(all) F(signal))
JOBRING_MESSAGE(Drain, "drain", )
JOBRING_MESSAGE(RegistryStart, "registry",
                F(memory) F(objects) F(objects_per_user) F(memory_per_user) F(value_max)
                    F(reply_max) F(waiters) F(waiters_per_user) F(waiting_memory))
JOBRING_MESSAGE(KeeperStart, "keeper",
                F(state_dir) F(request_max) F(reply_max) F(ageing) F(keep_ms) F(output_max)
                    F(outputs_max) F(tail) F(flush_ms) F(lost_limit) F(window) F(events) F(jobs_max)
                        F(jobs_per_user) F(pools) F(ask_socket) F(users) F(groups))
JOBRING_MESSAGE(KeptChannels, "kept", F(channels) F(last))
JOBRING_MESSAGE(LiveSessions, "sessions", F(sessions) F(last))

// Parts of messages: objects without an op.
JOBRING_MESSAGE(KeeperPool, nullptr, F(name) F(lanes) F(slots) F(max_payload) F(max_result) F(rate))
JOBRING_MESSAGE(KeptName, nullptr, F(pool) F(uid) F(gid))

#undef F
#undef JOBRING_MESSAGE

template <class T>
void read_field(const Json& value, T& field) {
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    // nlohmann converts silently between integer types; a length that was cut would be worse than
    // an error.
    if (!value.is_number_integer()) throw std::runtime_error("not a whole number");
    const bool negative = !value.is_number_unsigned() && value.template get<std::int64_t>() < 0;
    if (negative ? !std::in_range<T>(value.template get<std::int64_t>())
                 : !std::in_range<T>(value.template get<std::uint64_t>())) {
      throw std::runtime_error("out of range");
    }
  }
  value.get_to(field);
}

template <class Message>
void read_fields(const Json& json, Message& message) {
  Fields<Message>::each(message, [&](const char* name, auto& value) {
    const auto found = json.find(name);
    if (found == json.end()) return;
    try {
      read_field(*found, value);
    } catch (const std::exception& e) {
      throw std::runtime_error("field \"" + std::string(name) + "\": " + e.what());
    }
  });
}

template <class T>
concept MessagePart = std::is_same_v<T, KeeperPool> || std::is_same_v<T, KeptName>;

}  // namespace

// Found by nlohmann when such a part is read or written.
template <MessagePart T>
void to_json(Json& json, const T& part) {
  json = Json::object();
  Fields<T>::each(part, [&](const char* name, const auto& value) { json[name] = value; });
}
template <MessagePart T>
void from_json(const Json& json, T& part) {
  if (!json.is_object()) throw std::runtime_error("not an object");
  read_fields(json, part);
}

namespace {

template <class Variant>
std::string encode_any(const Variant& message) {
  return std::visit(
      [](const auto& m) {
        using Message = std::decay_t<decltype(m)>;
        Json json;
        json["op"] = Fields<Message>::op;
        Fields<Message>::each(m, [&](const char* name, const auto& value) { json[name] = value; });
        // Text from users (names) may not be UTF-8: replace what is not, rather than throw.
        return json.dump(-1, ' ', false, Json::error_handler_t::replace);
      },
      message);
}

template <class Message, class Variant>
bool try_decode(const Json& json, const std::string& op, Variant& out) {
  if (op != Fields<Message>::op) return false;
  Message message;
  read_fields(json, message);
  out = std::move(message);
  return true;
}

template <class... Messages>
Result<std::variant<Messages...>> decode_any(std::string_view text,
                                             std::type_identity<std::variant<Messages...>>) {
  std::variant<Messages...> message;
  try {
    const Json json = Json::parse(text);
    const std::string op = json.at("op").get<std::string>();
    if ((try_decode<Messages>(json, op, message) || ...)) return message;
    return Error{Errc::protocol,
                 "unknown control message \"" + excerpt(op) + "\"",
                 {},
                 "are all parts of jobring of one version?"};
  } catch (const std::exception& e) {
    return Error{Errc::protocol, "malformed control message: " + excerpt(e.what()), {}, {}};
  }
}

}  // namespace

std::string encode(const ClientRequest& message) {
  return encode_any(message);
}
std::string encode(const ClientReply& message) {
  return encode_any(message);
}
std::string encode(const WorkerReport& message) {
  return encode_any(message);
}
std::string encode(const WorkerOrder& message) {
  return encode_any(message);
}

Result<ClientRequest> decode_client_request(std::string_view text) {
  return decode_any(text, std::type_identity<ClientRequest>());
}
Result<ClientReply> decode_client_reply(std::string_view text) {
  return decode_any(text, std::type_identity<ClientReply>());
}
Result<WorkerReport> decode_worker_report(std::string_view text) {
  return decode_any(text, std::type_identity<WorkerReport>());
}
Result<WorkerOrder> decode_worker_order(std::string_view text) {
  return decode_any(text, std::type_identity<WorkerOrder>());
}

ErrorReply to_reply(const Error& error) {
  return {to_string(error.code), error.what, error.where, error.hint};
}

Error from_reply(const ErrorReply& reply) {
  for (int code = 0; code <= int(Errc::config); ++code) {
    if (reply.kind == to_string(Errc(code)))
      return {Errc(code), reply.what, reply.where, reply.hint};
  }
  return {Errc::protocol, reply.what, reply.where, reply.hint};
}

}  // namespace jobring
