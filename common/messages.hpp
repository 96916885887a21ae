// The control messages: small JSON objects {"op": name, ...} over common/control.hpp. Plain structs
// here; the JSON stays in messages.cpp. Unknown fields are ignored and missing ones take the
// defaults below, so that fields may be added; if you change or remove one, increment
// kControlVersion.
//
//   client                            supervisor                           worker
//     │── open (+stdio fds) ─────────────►│◄─────────────────────── hello ─────│
//     │◄── opened (+fds) ─────────────────│── welcome (+pool page) ───────────►│
//     │                                   │── doorbell (+page, event) ────────►│
//     │                                   │◄────────────────── map channel ────│
//     │                                   │── mapped (+segment, event) ───────►│
//     │── kill job ──────────────────────►│── stop job ───────────────────────►│
//     │── close ─────────────────────────►│── closed ─────────────────────────►│
//     │                                   │◄───────────────────── unmapped ────│
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/limits.hpp"
#include "common/result.hpp"

namespace jobring {

// ---- client → supervisor

// Asks for a channel. With pass_stdio, three descriptors come along.
//
// `kept` is for the keeper alone: a channel that outlives its session, whose jobs run with the
// rights of `uid` and `gid`. There is at most one of a pool and uid; who asks again gets that one.
struct OpenRequest {
  std::uint32_t version = 0;
  std::string pool;
  std::uint32_t slots = 0;  // 0: the pool's
  bool pass_stdio = false;
  std::string client;  // a name for `jobring status`
  bool kept = false;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};
struct CloseRequest {
  std::string pool;
  std::uint32_t channel = 0;
};
struct KillRequest {
  std::string pool;
  std::uint32_t channel = 0;
  std::uint32_t slot = 0;
  std::uint64_t generation = 0;  // of the QUEUED word it was submitted with
  std::int32_t signal = 15;
};
// With a pool: if that takes no jobs, the answer is the error that says why.
struct PingRequest {
  std::string pool{};
};
struct StatusRequest {};
using ClientRequest =
    std::variant<OpenRequest, CloseRequest, KillRequest, PingRequest, StatusRequest>;

// ---- supervisor → client

// Descriptors: segment, doorbell page, pool page (read-only), the client's bell, one eventfd per
// worker.
struct OpenReply {
  std::uint32_t channel = 0;    // unique in its pool while it is open
  std::uint32_t ready_bit = 0;  // its bit in the doorbell
  std::uint32_t slots = 0;
  std::uint64_t max_payload = 0;
  std::uint64_t max_result = 0;
  std::uint64_t extent_cache = 0;
  std::uint64_t spin_ns = 0;
  std::uint32_t workers = 0;
  bool adopted = false;  // a kept channel that was there already, with all that is in it
};
struct PongReply {
  std::string version;
  std::int32_t pid = 0;
  std::uint64_t uptime_ms = 0;
};
// One descriptor: a memfd with the JSON text.
struct StatusReply {};
struct ErrorReply {
  std::string kind;  // to_string(Errc)
  std::string what;
  std::string where;
  std::string hint;
};
using ClientReply = std::variant<OpenReply, PongReply, StatusReply, ErrorReply>;

// ---- worker → supervisor
//
// A process of a thread pool has several lanes, each with an owner id of its own: `lane` counts
// from 0 in each process, and is always 0 in one of another kind.

struct WorkerHello {
  std::uint32_t version = 0;
  std::vector<std::string> handlers;
};
// It could not start: `what` is shown to clients until a worker does.
struct WorkerFailed {
  std::string what;
};
struct MapRequest {
  std::uint32_t channel = 0;
  std::uint32_t lane = 0;
};
struct StdioRequest {
  std::uint32_t channel = 0;
  std::uint32_t lane = 0;
};
struct Unmapped {
  std::uint32_t channel = 0;
  std::uint32_t lane = 0;
};
// The client of this channel wrote nonsense into it.
struct ChannelBroken {
  std::uint32_t channel = 0;
  std::string reason;
};
using WorkerReport =
    std::variant<WorkerHello, WorkerFailed, MapRequest, StdioRequest, Unmapped, ChannelBroken>;

// ---- supervisor → worker

// Descriptors: the pool page, then one eventfd per lane of the pool that only workers and
// supervisor ring.
struct Welcome {
  std::uint32_t index = 0;    // of the process's first lane among those of the pool
  std::uint32_t workers = 0;  // lanes of the pool
  std::uint64_t spin_ns = 0;
  std::uint32_t batch = 1;
  std::uint64_t max_jobs = 0;
  std::uint64_t max_rss = 0;
  std::uint32_t kill_grace_ms = 0;
  bool run_as_client = true;
  std::vector<std::string> modules;
  bool keep_strays = false;
  std::string pool{};             // its name
  std::string model = "process";  // as in the config
  std::uint32_t threads = 1;      // lanes of this process: owners index + 1 .. index + threads
  std::uint32_t max_in_flight = 1;
};
// Descriptors: the doorbell's page, then one eventfd per lane of the process.
struct DoorbellAdded {
  std::uint32_t doorbell = 0;
  std::uint32_t uid = 0;
};
// The answer to a map request, or an offer to an idle worker when a channel opens. Descriptors:
// segment, the client's bell, and, in an answer, the client's stdin, stdout and stderr if the
// channel has them. None if the channel is gone (slots is 0).
struct ChannelMapped {
  std::uint32_t channel = 0;
  std::uint32_t slots = 0;
  std::uint64_t max_payload = 0;
  std::uint64_t max_result = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t lane = 0;
  // Of the keeper, whose bell is an eventfd whatever the uid. Its jobs are durable. A third
  // descriptor is the lock that says that somebody may run such (daemon/state_dir.hpp).
  bool kept = false;
  // For services only.
  std::uint64_t session = 0;            // the channel's, never used again
  std::vector<std::uint32_t> groups{};  // of its client, supplementary
  // For kept channels only.
  std::string outputs_dir{};
  std::uint64_t output_max = 0;  // bytes of one stream of one attempt of a command
  std::string state_id{};        // marks its commands
};
// Three descriptors, or none if the channel has none or is gone.
struct StdioReply {
  std::uint32_t channel = 0;
  std::uint32_t lane = 0;
};
struct ChannelClosed {
  std::uint32_t channel = 0;
  std::uint32_t lane = 0;
  std::uint64_t session = 0;  // for services only
};
struct StopJob {
  std::uint32_t channel = 0;
  std::uint32_t slot = 0;
  std::uint64_t generation = 0;  // of its RUNNING word
  std::int32_t signal = 15;
  std::uint32_t lane = 0;
};
// To a worker with many jobs under way, of which too many are to stop for an order each: all of
// this channel, or those whose slot has its kill_request raised.
struct StopChannel {
  std::uint32_t channel = 0;
  bool all = false;
  std::int32_t signal = 15;
};
// Finish what is ready, then exit. To a service: the pools drain, hand them nothing more; its own
// end is a signal.
struct Drain {};
// To the registry, after the welcome. A descriptor: the memory that outlives it.
struct RegistryStart {
  std::uint64_t memory = 0;  // bytes of that
  std::uint32_t objects = 0;
  std::uint32_t objects_per_user = 0;
  std::uint64_t memory_per_user = 0;  // bytes
  std::uint32_t value_max = 0;        // bytes
  std::uint32_t reply_max = 0;        // bytes
  std::uint32_t waiters = 0;
  std::uint32_t waiters_per_user = 0;
  std::uint64_t waiting_memory = 0;  // bytes
};
// A pool, as the keeper knows it.
struct KeeperPool {
  std::string name;
  std::uint32_t lanes = 0;  // workers
  std::uint32_t slots = 0;  // of a channel
  std::uint64_t max_payload = 0;
  std::uint64_t max_result = 0;
  std::uint32_t rate = 0;  // jobs started a second, 0: no limit

  bool operator==(const KeeperPool&) const = default;
};
// To the keeper, after the welcome. Two descriptors: its end of a control socket on which it is a
// client of this supervisor, and the only one that may ask for kept channels; and the lock of the
// state directory (daemon/state_dir.hpp), which it holds as long as it lives.
struct KeeperStart {
  std::string state_dir;          // absolute; it exists
  std::uint64_t request_max = 0;  // bytes
  std::uint64_t reply_max = 0;    // bytes
  std::uint32_t ageing = 0;       // places in the line
  std::uint64_t keep_ms = 0;      // ended jobs that say nothing else
  std::uint64_t output_max = 0;   // bytes of one stream of one attempt
  std::uint64_t outputs_max = 0;  // bytes of all
  std::uint32_t tail = 0;         // bytes
  std::uint32_t flush_ms = 0;     // batched durability
  std::uint32_t lost_limit = 0;   // attempts
  std::uint32_t window = 0;       // jobs ahead in a pool
  std::uint32_t events = 0;       // remembered
  std::uint64_t jobs_max = 0;     // that wait; 0: no limit
  std::uint64_t jobs_per_user = 0;
  std::vector<KeeperPool> pools{};
  std::string ask_socket{};  // to listen on (ask_message.hpp); empty: nowhere
  // Who may connect beside root and the daemon's user.
  std::vector<std::uint32_t> users{}, groups{};
};
// A kept channel (OpenRequest::kept) by what it is asked for with.
struct KeptName {
  std::string pool;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;

  bool operator==(const KeptName&) const = default;
};
// To the keeper, after its start: the kept channels that there are, in as many of these as it
// takes.
struct KeptChannels {
  std::vector<KeptName> channels;
  bool last = false;
};
// To a service, after its start: the sessions that live, in as many of these as it takes. It
// hears of the end of each of them, and of those that it maps later, by ChannelClosed.
struct LiveSessions {
  std::vector<std::uint64_t> sessions;
  bool last = false;
};
using WorkerOrder =
    std::variant<Welcome, DoorbellAdded, ChannelMapped, StdioReply, ChannelClosed, StopJob,
                 StopChannel, Drain, RegistryStart, KeeperStart, KeptChannels, LiveSessions>;

std::string encode(const ClientRequest& message);
std::string encode(const ClientReply& message);
std::string encode(const WorkerReport& message);
std::string encode(const WorkerOrder& message);

// Errc::protocol if the text is not JSON, has no known "op", or a field has the wrong type or is
// out of its type's range.
Result<ClientRequest> decode_client_request(std::string_view text);
Result<ClientReply> decode_client_reply(std::string_view text);
Result<WorkerReport> decode_worker_report(std::string_view text);
Result<WorkerOrder> decode_worker_order(std::string_view text);

ErrorReply to_reply(const Error& error);
Error from_reply(const ErrorReply& reply);

}  // namespace jobring
