#include "client/durable/core.hpp"

#include <algorithm>

#include "client/client_core.hpp"
#include "client/durable/ends.hpp"
#include "client/pool_core.hpp"
#include "common/clock.hpp"

namespace jobring::detail {
namespace {

using keeper::Status;

constexpr const char* kKeeperPool = "@keeper";
constexpr std::uint8_t kEveryTime = 255;
constexpr std::size_t kMostWaits = 256;
constexpr std::uint32_t kFewRequests = 16;  // with fewer, waits would leave no slot for the rest

// What of a channel's slots waits may take: the rest is for requests that somebody waits for.
std::size_t share_of(std::size_t slots, std::size_t part) {
  return std::clamp<std::size_t>(slots / part, 1, kMostWaits * 4 / part);
}

int exit_status_of(Status status) {
  switch (status) {
    case Status::timed_out:
      return exit_status(Errc::timeout);
    case Status::permission:
      return exit_status(Errc::permission);
    case Status::full:
      return exit_status(Errc::full);
    case Status::store_failed:
      return exit_status(Errc::system);
    default:
      return exit_status(Errc::bad_input);
  }
}

}  // namespace

// ---- requests

std::shared_ptr<DurableCore> DurableCore::of(Client& client, std::uint32_t requests) {
  ClientCore& connection = *client.core_;
  {
    const std::lock_guard lock(connection.pools_mutex);
    if (auto core = connection.durable.lock(); core && !core->channel_->shut_down()) return core;
  }
  auto core = std::make_shared<DurableCore>(
      requests == 0
          ? client.pool(kKeeperPool)
          : client.pool(kKeeperPool, ChannelOptions{.slots = std::max(requests, kFewRequests)}));
  const std::lock_guard lock(connection.pools_mutex);
  // Another thread may have made one meanwhile: of the same channel.
  if (auto other = connection.durable.lock(); other && other->channel_ == core->channel_)
    return other;
  connection.durable = core;
  return core;
}

DurableCore::DurableCore(Pool pool)
    : pool_(std::move(pool)),
      channel_(pool_.core_),
      most_waits_(share_of(channel_->shape().slots, 4)),
      most_ended_(share_of(channel_->shape().slots, 8)),
      requests_(std::make_shared<Ends>()) {}

Future DurableCore::start(const keeper::Request& request) {
  if (request.jobs.size() > keeper::kJobsMax) {
    raise_durable(Status::too_large, std::to_string(request.jobs.size()) +
                                         " jobs in one request, where " +
                                         std::to_string(keeper::kJobsMax) + " are allowed");
  }
  return start(encode(request));
}

Future DurableCore::start(std::string request) {
  if (request.size() > pool_.max_payload()) {
    raise_durable(Status::too_large,
                  "a request of " + std::to_string(request.size()) + " bytes, where " +
                      std::to_string(pool_.max_payload()) +
                      " are allowed; see \"request_max\" of \"keeper\" in the daemon's config");
  }
  JobOptions options;
  options.crash_retries = kEveryTime;
  Future future = pool_.submit(keeper::kKeeperHandler, request, options);
  watch(0, future);
  return future;
}

KeeperAnswer DurableCore::ask(const keeper::Request& request) {
  return ask_or(Status::ok, request);
}

KeeperAnswer DurableCore::ask_or(Status also, const keeper::Request& request) {
  const Future future = start(request);
  return {future, reply_of(future, also)};
}

// ---- answers

void raise_durable(Status status, const std::string& line) {
  const char* kind = keeper::to_string(status);
  throw DurableError(exit_status_of(status), kind, line.empty() ? kind : line);
}

void bad_argument(const std::string& line) {
  raise_durable(Status::bad_argument, line);
}

void bad_answer() {
  throw_error({Errc::protocol, "an answer that makes no sense", "keeper",
               "install client and daemon from one release"});
}

keeper::ReplyView reply_of(const Future& future, Status also) {
  const JobResult& result = future.result();
  switch (result.outcome) {
    case Outcome::ok:
      break;
    case Outcome::lost: {
      const auto channel = PoolCore::of(future);
      if (!channel || !channel->connected()) {
        throw_error({Errc::no_daemon, result.bytes.empty() ? "the daemon went away" : result.bytes,
                     "durable jobs", "connect again: what was accepted is kept"});
      }
      throw DurableError(exit_status(Errc::no_daemon), "lost", result.bytes);
    }
    case Outcome::crashed:
      throw DurableError(exit_status(Errc::no_daemon), "lost", result.bytes);
    case Outcome::cancelled:
    case Outcome::killed:
      raise_durable(Status::cancelled, result.bytes);
    case Outcome::result_too_big:
      raise_durable(Status::too_large, result.bytes);
    default:
      throw_error({Errc::protocol, result.bytes, "keeper", {}});
  }
  return reply_in(result.bytes, also);
}

keeper::ReplyView reply_in(std::string_view bytes, Status also) {
  auto reply = keeper::decode_reply(bytes);
  if (!reply) throw_error(reply.error());
  if (reply->status != Status::ok && reply->status != also)
    raise_durable(reply->status, std::string(reply->payload));
  return *reply;
}

std::int64_t deadline_in(std::chrono::nanoseconds timeout) {
  if (timeout.count() <= 0) return 0;
  const auto now = std::int64_t(now_ns());
  return timeout.count() >= keeper::kForever - now ? keeper::kForever : now + timeout.count();
}

}  // namespace jobring::detail
