#include "daemon/supervisor.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "common/control.hpp"
#include "daemon/log.hpp"
#include "daemon/status.hpp"
#include "daemon/strays.hpp"

#ifndef JOBRING_VERSION
#error "the build defines JOBRING_VERSION"
#endif

namespace jobring {

Supervisor::Supervisor(Config config, Endpoint endpoint)
    : config_(std::move(config)), endpoint_(std::move(endpoint)) {}
Supervisor::~Supervisor() = default;

Result<void> Supervisor::prepare() {
  // Descriptors: a socket, a segment and an eventfd per client.
  rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1);  // strays.hpp
  signal(SIGPIPE, SIG_IGN);
  // A file or segment that outgrows RLIMIT_FSIZE is an error to report, not our end.
  signal(SIGXFSZ, SIG_IGN);
  sigset_t watched;
  sigemptyset(&watched);
  for (const int s : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&watched, s);
  if (sigprocmask(SIG_BLOCK, &watched, nullptr) != 0) return system_error("sigprocmask");
  signals_.reset(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return system_error("signalfd");
  signal_watch_ = loop_.watch(signals_.get(), [this] { on_signal(); });

  if (endpoint_.private_client) return {};
  auto access = Access::from_config(config_);
  if (!access) return access.error();
  access_ = std::move(*access);
  auto listener = Listener::bind(endpoint_.path, access_->open_to_others());
  if (!listener) return listener.error();
  listener_ = std::move(*listener);
  return {};
}

Result<void> Supervisor::start_pools() {
  for (const PoolConfig& pool : config_.pools) {
    std::vector<std::string> command = pool.command;
    if (command.empty()) {
      auto found = find_worker_program(pool.model);
      if (!found) return found.error();
      command = {*found};
    }
    pools_.push_back(std::make_unique<Pool>(pool, std::move(command), pool_host()));
    if (auto started = pools_.back()->start(); !started) return started.error();
  }
  return {};
}

Pool::Host Supervisor::pool_host() {
  return {
      loop_,
      config_,
      [this] { return strays_gone(); },
      [this](std::uint32_t channel, const std::string& name, const std::string& reason) {
        for (auto& [key, session] : sessions_) {
          if (session->holds(name, channel))
            session->disconnect({Errc::protocol, reason, "channel " + std::to_string(channel), {}});
        }
      },
      [this] { finish_if_down(); },
      [this] { return oom_.struck(); },
      [this] { return state_dir_ ? &*state_dir_ : nullptr; }};
}

Result<int> Supervisor::run() {
  if (auto prepared = prepare(); !prepared) return prepared.error();
  if (auto started = start_pools(); !started) return started.error();
  if (endpoint_.private_client) {
    const Peer self{getppid(), getuid(), getgid()};
    add_session(std::move(endpoint_.private_client), self);
  } else {
    accept_watch_ = loop_.watch(listener_->fd(), [this] { accept_clients(); });
    log::info("jobringd " JOBRING_VERSION " listens on " + listener_->path() +
              ", pools: " + pool_names());
  }
  start_keeper_if_used();
  notify_.ready("pools: " + pool_names());
  if (const auto interval = notify_.watchdog_interval()) {
    // A timer that sets itself again: it stops when this loop does, and that is the point.
    std::function<void()> beat = [this, interval, &beat] {
      notify_.watchdog();
      watchdog_ = loop_.after(*interval, beat);
    };
    beat();
    loop_.run();
  } else {
    loop_.run();
  }
  sessions_.clear();
  keeper_session_.reset();
  log::info("ends");
  log::flush();
  return timed_out_ ? 1 : 0;
}

void Supervisor::accept_clients() {
  for (int i = 0; i < 64; ++i) {
    UniqueFd socket(accept4(listener_->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      if (errno == EMFILE || errno == ENFILE) {
        // The connection stays in the backlog and would call us again at once: rest a little.
        log::error("out of file descriptors; raise LimitNOFILE= or lower max_clients");
        accept_watch_.reset();
        accept_rest_ = loop_.after(std::chrono::milliseconds(200), [this] {
          accept_watch_ = loop_.watch(listener_->fd(), [this] { accept_clients(); });
        });
      }
      return;
    }
    auto peer = peer_of(socket.get());
    std::optional<Error> refusal;
    if (!peer) {
      refusal = peer.error();
    } else if (!access_->allows(*peer)) {
      refusal =
          Error{Errc::permission, "user " + std::to_string(peer->uid) + " may not use this daemon",
                listener_->path(),
                "its administrator can add you to \"users\" or \"groups\" in the config"};
    } else if (sessions_.size() >= config_.max_clients) {
      refusal =
          Error{Errc::full,
                "the daemon already serves " + std::to_string(config_.max_clients) + " clients",
                listener_->path(), "try again later, or raise max_clients"};
    } else if (peer->uid != 0 && peer->uid != geteuid() &&
               sessions_of(peer->uid) >= config_.max_clients_per_user) {
      refusal = Error{Errc::full,
                      "user " + std::to_string(peer->uid) + " already has " +
                          std::to_string(config_.max_clients_per_user) + " connections",
                      listener_->path(), "close some, or raise max_clients_per_user"};
    }
    if (refusal) {
      log::warning("refused a client: " + refusal->line());
      (void)send_control(socket.get(), encode(ClientReply(to_reply(*refusal))));
      close_connection(std::move(socket), peer ? peer->uid : uid_t(-1));
      continue;
    }
    add_session(std::move(socket), *peer);
  }
}

// Those too that left descriptors behind which do not let themselves be closed.
std::size_t Supervisor::sessions_of(uid_t uid) const {
  return foreign_closes(uid) +
         std::size_t(std::count_if(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
           return entry.first->peer().uid == uid;
         }));
}

Session::Host Supervisor::session_host() {
  const auto pong = [this] {
    const auto up = std::chrono::steady_clock::now() - started_;
    return PongReply{
        JOBRING_VERSION, getpid(),
        std::uint64_t(std::chrono::duration_cast<std::chrono::milliseconds>(up).count())};
  };
  return {loop_,
          [this](const std::string& name) { return find_pool(name); },
          [this](const std::string& name) { return pool_to_open(name); },
          pong,
          [this, pong] {
            return status_json(
                {pong(), listener_ ? listener_->path() : "", sessions_.size(), draining_}, pools_);
          },
          [this](Session* ended) { end_session(ended); },
          config_.max_channels_per_client,
          config_.max_clients_per_user};
}

void Supervisor::add_session(UniqueFd socket, Peer peer) {
  auto session = std::make_unique<Session>(std::move(socket), peer, session_host());
  sessions_[session.get()] = std::move(session);
}

void Supervisor::end_session(Session* session) {
  if (session == keeper_session_.get()) return keeper_session_.reset();
  sessions_.erase(session);
  if (!listener_ && sessions_.empty() && !killing_) {
    // The one client of a private daemon is gone: so is the reason to be.
    kill_all();
  }
}

void Supervisor::on_signal() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    switch (int(info.ssi_signo)) {
      case SIGCHLD:
        break;  // below
      case SIGHUP:
        log::info("SIGHUP: nothing to reload; restart to apply a changed config");
        break;
      default:
        if (draining_) {
          log::warning("second signal: killing what still runs");
          kill_all();
        } else {
          drain();
        }
    }
  }
  for (auto& pool : pools_) pool->notice_stops();
  for (auto& pool : pools_) pool->settle_dead_workers();
  if (killing_) finish_if_down();
}

bool Supervisor::strays_gone() {
  const bool gone = reap_strays([this](pid_t pid) {
    return std::any_of(pools_.begin(), pools_.end(),
                       [&](const auto& pool) { return pool->owns(pid); });
  });
  return gone;
}

void Supervisor::drain() {
  draining_ = true;
  log::info("draining: no new jobs, " +
            std::to_string(
                std::chrono::duration_cast<std::chrono::seconds>(config_.drain_timeout).count()) +
            " s for those that wait or run");
  notify_.stopping("draining");
  // Clients still come in: to ask for the status, or to learn from us that there are no more
  // channels.
  // The services serve the jobs that still run; the keeper, told first, withdraws what it has
  // queued.
  for (auto& pool : pools_) {
    if (pool->is_service()) pool->drain_service();
  }
  for (auto& pool : pools_) {
    if (!pool->is_service()) pool->drain();
  }
  drain_timer_ = loop_.after(config_.drain_timeout, [this] {
    log::warning("drain_timeout is over: killing what still runs");
    timed_out_ = true;
    kill_all();
  });
  finish_if_down();
}

void Supervisor::kill_all() {
  killing_ = true;
  draining_ = true;
  for (auto& pool : pools_) {
    if (!pool->is_service()) pool->kill_workers();
  }
  finish_if_down();
}

void Supervisor::finish_if_down() {
  for (const auto& pool : pools_) {
    if (!pool->is_service() && !pool->all_down()) return;
  }
  bool services_down = true;
  for (auto& pool : pools_) {
    if (!pool->is_service() || pool->all_down()) continue;
    pool->end_service();
    // One that was only to be started again is down now; of the others we hear when they are dead.
    services_down = services_down && pool->all_down();
  }
  if (!services_down) return;
  if (!strays_gone()) return;  // their SIGCHLD brings us back
  loop_.stop();
}

Pool* Supervisor::find_pool(const std::string& name) {
  for (auto& pool : pools_) {
    if (pool->config().name == name) return pool.get();
  }
  return nullptr;
}

std::string Supervisor::pool_names() const {
  std::string names;
  for (const auto& pool : pools_) {
    if (!pool->is_service()) names += (names.empty() ? "" : ", ") + pool->config().name;
  }
  return names;
}

}  // namespace jobring
