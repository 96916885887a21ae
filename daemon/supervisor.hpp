// jobringd: the parent of all. Accepts clients, starts pools, follows signals, drains and ends.
// Never in the data path.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/config/config.hpp"
#include "common/result.hpp"
#include "common/unique_fd.hpp"
#include "daemon/access.hpp"
#include "daemon/event_loop.hpp"
#include "daemon/listener.hpp"
#include "daemon/notify.hpp"
#include "daemon/oom_watch.hpp"
#include "daemon/pool.hpp"
#include "daemon/session.hpp"
#include "daemon/state_dir.hpp"

namespace jobring {

class Supervisor {
 public:
  // Exactly one of the two: a path to listen on, or the socket of the one client of a private
  // daemon.
  struct Endpoint {
    std::string path;
    UniqueFd private_client;
  };

  Supervisor(Config config, Endpoint endpoint);
  ~Supervisor();

  // Runs until told to end. The exit status of the process, or what kept it from starting.
  Result<int> run();

 private:
  Result<void> prepare();
  Result<void> start_pools();
  Pool::Host pool_host();
  Result<Pool*> pool_to_open(const std::string& name);
  Result<Pool*> start_registry();
  Result<Pool*> start_keeper();
  void start_keeper_if_used();
  Result<void> take_state_dir(const std::string& path);
  Error state_dir_not_yet(Error why);
  Result<UniqueFd> open_keeper_session(pid_t keeper);
  void accept_clients();
  std::size_t sessions_of(uid_t uid) const;
  void add_session(UniqueFd socket, Peer peer);
  Session::Host session_host();
  void end_session(Session* session);
  void on_signal();
  void drain();
  void kill_all();
  void finish_if_down();
  bool strays_gone();
  Pool* find_pool(const std::string& name);
  std::string pool_names() const;

  Config config_;
  Endpoint endpoint_;
  EventLoop loop_;
  Notify notify_;
  std::optional<Listener> listener_;
  std::optional<Access> access_;
  UniqueFd signals_;
  OomWatch oom_;
  EventLoop::Handle signal_watch_, accept_watch_, accept_rest_, drain_timer_, watchdog_;
  std::vector<std::unique_ptr<Pool>> pools_;
  std::map<Session*, std::unique_ptr<Session>> sessions_;
  std::unique_ptr<Session> keeper_session_;  // not among those of clients
  std::optional<StateDir> state_dir_;        // taken as far as it is locked
  // How long workers of another daemon, which is gone, have to leave it; then what they started.
  std::optional<std::chrono::steady_clock::time_point> workers_until_;
  std::chrono::steady_clock::time_point sweep_until_{};
  bool swept_ = false;
  std::chrono::milliseconds try_again_{0};  // until the next try for it; 0: none has failed
  EventLoop::Handle state_dir_timer_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  bool draining_ = false;
  bool killing_ = false;
  bool timed_out_ = false;
};

}  // namespace jobring
