// The supervisor's part in jobring's own services: when they start, and what is done for them.
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "common/excerpt.hpp"
#include "common/keeper_pool.hpp"
#include "common/registry_pool.hpp"
#include "daemon/keeper_pool.hpp"
#include "daemon/log.hpp"
#include "daemon/registry_pool.hpp"
#include "daemon/state_dir.hpp"
#include "daemon/supervisor.hpp"

namespace jobring {
namespace {

// Between tries for the state directory.
constexpr std::chrono::milliseconds kTryAgainMin{20}, kTryAgainMax{5'000};
// For processes that were killed to be gone.
constexpr std::chrono::seconds kSweepMax{10};

std::string place(const char* pool) {
  return std::string("pool ") + pool;
}

// A client that opens a service's pool is told, and so is the log.
Error cannot_start(const char* pool, const Error& error) {
  log::error(place(pool) + ": cannot be started: " + error.line());
  return {Errc::no_daemon, "cannot be started: " + error.line(), place(pool), {}};
}

}  // namespace

// A service starts when the first client asks for it: a daemon that nobody needs it of goes
// without.
Result<Pool*> Supervisor::pool_to_open(const std::string& name) {
  if (Pool* pool = find_pool(name)) return pool;
  if (name == kRegistryPool) return start_registry();
  if (name == kKeeperPool) return start_keeper();
  return Error{Errc::unknown_pool,
               "there is no pool \"" + excerpt(name) + "\"",
               {},
               "pools here: " + pool_names()};
}

Result<Pool*> Supervisor::start_registry() {
  if (!config_.registry.enabled) {
    return Error{Errc::unknown_pool, "this daemon has no registry", place(kRegistryPool),
                 "its config has \"registry\": {\"enabled\": false}"};
  }
  if (killing_)
    return Error{Errc::no_daemon, "the daemon is shutting down", place(kRegistryPool), {}};
  auto program = find_registry_program();
  if (!program) return cannot_start(kRegistryPool, program.error());
  auto service = registry_service(config_.registry);
  if (!service) return cannot_start(kRegistryPool, service.error());
  auto pool =
      std::make_unique<Pool>(registry_pool(config_.registry), std::vector<std::string>{*program},
                             pool_host(), std::move(*service));
  if (auto started = pool->start(); !started) return cannot_start(kRegistryPool, started.error());
  pools_.push_back(std::move(pool));
  return pools_.back().get();
}

// With the daemon if there may be jobs that wait.
void Supervisor::start_keeper_if_used() {
  const auto state_dir = keeper_state_dir(config_.keeper, !listener_);
  if (!state_dir) return;
  struct stat info;
  if (stat((*state_dir + "/" + kKeeperStoreFile).c_str(), &info) == 0) (void)start_keeper();
}

Result<Pool*> Supervisor::start_keeper() {
  auto state_dir = keeper_state_dir(config_.keeper, !listener_);
  if (!state_dir) return state_dir.error();
  if (draining_)
    return Error{Errc::no_daemon, "the daemon is shutting down", place(kKeeperPool), {}};
  auto program = find_keeper_program();
  if (!program) return cannot_start(kKeeperPool, program.error());
  if (auto taken = take_state_dir(*state_dir); !taken) return taken.error();
  KeeperHost host{[this](pid_t keeper) { return open_keeper_session(keeper); },
                  [this] {
                    std::vector<KeptName> names;
                    for (const auto& pool : pools_) {
                      for (KeptName& name : pool->kept_channels()) names.push_back(std::move(name));
                    }
                    return names;
                  }};
  if (listener_) {
    host.socket = listener_->path();
    host.users = access_->users();
    host.groups = access_->groups();
  }
  auto pool =
      std::make_unique<Pool>(keeper_pool(config_.keeper), std::vector<std::string>{*program},
                             pool_host(), keeper_service(config_, *state_dir_, std::move(host)));
  if (auto started = pool->start(); !started) return cannot_start(kKeeperPool, started.error());
  pools_.push_back(std::move(pool));
  return pools_.back().get();
}

// Jobs that were running when another daemon died there are run again by our keeper: not before
// nothing of their first copies can be alive.
Result<void> Supervisor::take_state_dir(const std::string& path) {
  if (!state_dir_) {
    auto opened = StateDir::open(path);
    if (!opened) return cannot_start(kKeeperPool, opened.error());
    state_dir_ = std::move(*opened);
  }
  if (!state_dir_->locked()) {
    const auto now = std::chrono::steady_clock::now();
    const auto lock = state_dir_->lock();
    if (!lock) return cannot_start(kKeeperPool, lock.error());
    if (*lock == StateDir::Lock::of_daemon) {
      workers_until_.reset();
      return state_dir_not_yet({Errc::no_daemon,
                                "another daemon keeps its durable jobs there, pid " +
                                    std::to_string(state_dir_->daemon()),
                                path, "use that one, or set keeper.state_dir"});
    }
    if (*lock == StateDir::Lock::of_workers) {
      if (!workers_until_) workers_until_ = now + config_.kill_grace;
      if (now >= *workers_until_) {
        log::warning(place(kKeeperPool) + ": killed " + std::to_string(state_dir_->kill_holders()) +
                     " processes of a daemon that is gone");
      }
      return state_dir_not_yet({Errc::no_daemon,
                                "workers of a daemon that is gone still run durable jobs", path,
                                "try again in a moment"});
    }
    sweep_until_ = now + kSweepMax;
  }
  if (!swept_) {
    const std::vector<pid_t> left = kill_marked(state_dir_->mark());
    const std::string words = std::to_string(left.size()) +
                              (left.size() == 1 ? " process" : " processes") +
                              " that durable jobs of a daemon that is gone have left running";
    if (!left.empty() && std::chrono::steady_clock::now() < sweep_until_)
      return state_dir_not_yet(
          {Errc::full, words + ": being ended", path, "try again in a moment"});
    if (!left.empty()) log::error(place(kKeeperPool) + ": cannot end " + words + "; going on");
    swept_ = true;
  }
  if (try_again_.count() != 0) log::info(place(kKeeperPool) + ": has its durable jobs now");
  try_again_ = {};
  state_dir_timer_.reset();
  return {};
}

Error Supervisor::state_dir_not_yet(Error why) {
  if (try_again_.count() == 0) log::warning(place(kKeeperPool) + ": waits: " + why.line());
  try_again_ = std::clamp(2 * try_again_, kTryAgainMin, kTryAgainMax);
  state_dir_timer_ = loop_.after(try_again_, [this] {
    if (find_pool(kKeeperPool) == nullptr) (void)start_keeper();
  });
  return why;
}

Result<UniqueFd> Supervisor::open_keeper_session(pid_t keeper) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return system_error("socketpair", "keeper");
  UniqueFd ours(ends[0]), theirs(ends[1]);
  // The one before belongs to a process that is dead. It may have posted its end, and nobody else
  // may have its address when that comes.
  loop_.post([before = std::shared_ptr<Session>(std::move(keeper_session_))] {});
  keeper_session_ = std::make_unique<Session>(std::move(ours), Peer{keeper, geteuid(), getegid()},
                                              session_host(), true);
  return theirs;
}

}  // namespace jobring
