#include "daemon/keeper_pool.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <utility>

#include "common/ask_message.hpp"
#include "common/keeper_pool.hpp"
#include "daemon/log.hpp"

namespace jobring {
namespace {

constexpr std::size_t kNamesPerMessage = 500;  // a control message has 64 KiB

std::uint64_t milliseconds(std::chrono::nanoseconds d) {
  return std::uint64_t(std::chrono::ceil<std::chrono::milliseconds>(d).count());
}

KeeperStart start_of(const Config& config, const StateDir& state_dir, const KeeperHost& host) {
  const KeeperSettings& settings = config.keeper;
  KeeperStart start;
  start.state_dir = state_dir.path();
  start.request_max = settings.request_max;
  start.reply_max = settings.reply_max;
  start.ageing = settings.ageing;
  start.keep_ms = milliseconds(settings.keep);
  start.output_max = settings.output_max;
  start.outputs_max = settings.outputs_max;
  start.tail = settings.tail;
  start.flush_ms = std::uint32_t(milliseconds(settings.flush));
  start.lost_limit = settings.lost_limit;
  start.window = settings.window;
  start.events = settings.events;
  start.jobs_max = settings.jobs_max;
  start.jobs_per_user = settings.jobs_per_user;
  for (const PoolConfig& pool : config.pools) {
    start.pools.push_back({pool.name, pool.lanes(), std::bit_ceil(pool.slots), pool.max_payload,
                           pool.max_result, pool.rate});
  }
  if (!host.socket.empty()) start.ask_socket = ask_socket_of(host.socket);
  start.users = host.users;
  start.groups = host.groups;
  return start;
}

class KeeperService final : public ServiceKind {
 public:
  KeeperService(KeeperStart start, int lives, KeeperHost host)
      : start_(std::move(start)), lives_(lives), host_(std::move(host)) {}

  void start(pid_t process, const Send& send) override {
    auto session = host_.open_session(process);
    if (session) {
      send(start_, std::array{session->get(), lives_});
    } else {
      // Without it the keeper reports that it cannot start, and is tried again later.
      log::error("the keeper gets no control socket: " + session.error().line());
      send(start_, {});
    }
    KeptChannels part;
    for (KeptName& name : host_.kept_channels()) {
      part.channels.push_back(std::move(name));
      if (part.channels.size() < kNamesPerMessage) continue;
      send(part, {});
      part.channels.clear();
    }
    part.last = true;
    send(part, {});
  }
  std::string loss() const override {
    return "the keeper died: what it had acknowledged is kept; ask again";
  }
  // It has endings to record.
  bool ends_by_itself() const override { return true; }

 private:
  const KeeperStart start_;
  const int lives_;  // of the state directory
  const KeeperHost host_;
};

}  // namespace

PoolConfig keeper_pool(const KeeperSettings& settings) {
  PoolConfig pool;
  pool.name = kKeeperPool;
  pool.workers = 1;
  pool.slots = settings.slots;
  pool.max_payload = settings.request_max + kKeeperRequestRest;
  pool.max_result = settings.reply_max + kKeeperReplyRest;
  pool.spin = settings.spin;
  // A request that is open to repetition says so itself (crash_retries).
  pool.crash_limit = 256;
  // It hears of each client's end, and drops what waits by itself.
  pool.on_client_death = OnClientDeath::finish;
  return pool;
}

std::unique_ptr<ServiceKind> keeper_service(const Config& config, const StateDir& state_dir,
                                            KeeperHost host) {
  KeeperStart start = start_of(config, state_dir, host);
  return std::make_unique<KeeperService>(std::move(start), state_dir.lives(), std::move(host));
}

Result<std::string> keeper_state_dir(const KeeperSettings& settings, bool is_private) {
  const std::string where = std::string("pool ") + kKeeperPool;
  if (!settings.enabled)
    return Error{Errc::unknown_pool, "this daemon keeps no durable jobs", where,
                 "its config has \"keeper\": {\"enabled\": false}"};
  if (settings.state_dir != "auto") return settings.state_dir;
  if (is_private)
    return Error{Errc::no_daemon, "durable jobs need a daemon that stays", where, "jobring start"};
  std::string path = default_state_dir(geteuid() == 0,
                                       [](const char* n) -> const char* { return std::getenv(n); });
  if (path.empty())
    return Error{Errc::no_daemon, "there is no directory for durable jobs: HOME is not set", where,
                 "set keeper.state_dir in the config"};
  return path;
}

}  // namespace jobring
