// Clients and pools.
#include <jobring/c/client.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "client/c/guard.hpp"
#include "client/c/handles.hpp"

using namespace jobring::c;

namespace {

jobring::ConnectOptions::Daemon which_daemon(int32_t daemon) {
  using Daemon = jobring::ConnectOptions::Daemon;
  switch (daemon) {
    case JOBRING_DAEMON_ANY:
      return Daemon::any;
    case JOBRING_DAEMON_EXISTING:
      return Daemon::existing;
    case JOBRING_DAEMON_OWN:
      return Daemon::own;
    default:
      bad_input(std::to_string(daemon) + " is no JOBRING_DAEMON_...", "options.daemon");
  }
}

template <class Get>
jobring_status get_number(jobring_pool* pool, uint64_t* number, const Get& get) {
  return guarded([&] { need(number, "number") = get(need(pool, "pool").pool); });
}

}  // namespace

jobring_status jobring_connect(const jobring_connect_options* options, jobring_client** client) {
  return guarded([&] {
    auto*& out = need_out(client, "client");
    const auto given = read_struct(options, "jobring_connect_options");
    jobring::ConnectOptions connect;
    connect.daemon = which_daemon(given.daemon);
    connect.socket = text_or_empty(given.socket);
    connect.config_file = text_or_empty(given.config_file);
    connect.daemon_path = text_or_empty(given.daemon_path);
    connect.name = text_or_empty(given.name);
    connect.private_workers = given.private_workers;
    out = new jobring_client{jobring::Client::connect(connect)};
  });
}

void jobring_client_free(jobring_client* client) {
  delete client;
}

jobring_status jobring_ping(jobring_client* client, jobring_pong* pong) {
  return guarded([&] {
    auto& to = need_struct(pong, "jobring_pong");
    const jobring::Pong answer = need(client, "client").client.ping();
    jobring_pong value{};
    value.pid = answer.pid;
    value.uptime_ms = std::uint64_t(answer.uptime.count());
    value.round_trip_ns = std::uint64_t(answer.round_trip.count());
    answer.version.copy(value.version, sizeof value.version - 1);
    write_struct(to, value);
  });
}

jobring_status jobring_status_json(jobring_client* client, char** text, size_t* len) {
  return guarded([&] {
    auto*& out = need_out(text, "text");
    const std::string json = need(client, "client").client.status_json();
    out = static_cast<char*>(std::malloc(json.size() + 1));
    if (out == nullptr) throw std::bad_alloc();
    std::memcpy(out, json.c_str(), json.size() + 1);
    if (len != nullptr) *len = json.size();
  });
}

jobring_status jobring_client_is_private(jobring_client* client, int32_t* is_private) {
  return guarded(
      [&] { need(is_private, "is_private") = need(client, "client").client.is_private() ? 1 : 0; });
}

jobring_status jobring_pool_open(jobring_client* client, const char* name,
                                 const jobring_pool_options* options, jobring_pool** pool) {
  return guarded([&] {
    auto*& out = need_out(pool, "pool");
    jobring::Client& from = need(client, "client").client;
    const std::string_view pool_name = name != nullptr ? name : "default";
    const auto given = read_struct(options, "jobring_pool_options");
    jobring::ChannelOptions channel;
    channel.slots = given.slots;
    channel.pass_stdio = given.pass_stdio != 0;
    out =
        new jobring_pool{options == nullptr ? from.pool(pool_name) : from.pool(pool_name, channel)};
  });
}

void jobring_pool_free(jobring_pool* pool) {
  delete pool;
}

jobring_status jobring_pool_shutdown(jobring_pool* pool, int32_t cancel_pending,
                                     int64_t timeout_ns) {
  return guarded([&]() -> jobring_status {
    jobring::Pool& which = need(pool, "pool").pool;
    const auto timeout = need_time(timeout_ns, "timeout_ns");
    return which.shutdown(true, cancel_pending != 0, timeout) ? JOBRING_OK : JOBRING_TIMED_OUT;
  });
}

jobring_status jobring_pool_fd(jobring_pool* pool, int32_t* fd) {
  return guarded([&] { need(fd, "fd") = need(pool, "pool").pool.fd(); });
}

jobring_status jobring_pool_poll(jobring_pool* pool, uint64_t* count) {
  return guarded([&] {
    const std::size_t ready = need(pool, "pool").pool.poll();
    if (count != nullptr) *count = ready;
  });
}

jobring_status jobring_pool_outstanding(jobring_pool* pool, uint64_t* jobs) {
  return get_number(pool, jobs, [](const jobring::Pool& p) { return p.outstanding(); });
}
jobring_status jobring_pool_max_payload(jobring_pool* pool, uint64_t* bytes) {
  return get_number(pool, bytes, [](const jobring::Pool& p) { return p.max_payload(); });
}
jobring_status jobring_pool_max_result(jobring_pool* pool, uint64_t* bytes) {
  return get_number(pool, bytes, [](const jobring::Pool& p) { return p.max_result(); });
}
jobring_status jobring_pool_name(jobring_pool* pool, const char** name) {
  return guarded([&] { need(name, "name") = need(pool, "pool").pool.name().c_str(); });
}
