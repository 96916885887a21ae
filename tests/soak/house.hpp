// The soak's processes: one daemon at a time, and clients. Starts them, kills them, starts them
// again, and knows what must be gone.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/soak/audit.hpp"
#include "tests/soak/ledger.hpp"
#include "tests/support/daemon.hpp"

namespace jobring::soak {

enum class Victim { worker, client, daemon };
inline constexpr std::size_t kVictims = 3;

struct Toll {
  std::array<std::uint64_t, kVictims> kills{};
  std::array<std::uint64_t, kPools.size()> workers{};  // of kills, by pool, if they had become one
  std::uint64_t stops = 0;                             // SIGSTOP, later SIGCONT
  std::uint64_t all() const { return kills[0] + kills[1] + kills[2]; }
};

class House {
 public:
  House(std::uint32_t clients, std::uint64_t seed);
  // Ends whatever still runs, by SIGKILL.
  ~House();

  Ledger& ledger() { return *ledger_; }
  pid_t daemon() const { return daemon_; }
  const std::string& socket() const { return socket_; }
  const Toll& toll() const { return toll_; }
  // Of this round.
  Deaths deaths() const { return {killed_clients_, killed_workers_, log()}; }
  const std::vector<pid_t>& clients() const { return clients_; }
  std::uint64_t daemon_age() const { return daemon_age_; }  // rounds
  // Processes that lost their worker and then their daemon, before it had ended them.
  std::uint64_t orphans() const { return orphans_; }

  void start_daemon();
  // One random process of this kind. False if there is none to hit.
  bool strike(Victim kind);
  bool stop_one(std::uint64_t for_ns);
  void continue_due(bool all = false);
  // Reaps, replaces what was killed; complains of what ended without being killed, and of what
  // outlived its daemon.
  void tend();
  void new_round();
  std::vector<ProcessName> workers() const;
  // Of all workers: commands, and what these have left.
  std::size_t children_of_workers() const;
  // Asks the daemon to end, and checks that nothing of the house is left.
  void close(std::uint64_t patience_ns);
  // What the daemon and the clients do now, for a person who wonders why nothing moves.
  void describe() const;
  std::string log() const { return test::read_file(dir_ / "log"); }
  // Runs `body` in a process of its own, and waits for it; false if it took longer than this.
  template <class Body>
  bool in_child(Body body, std::uint64_t patience_ns) {
    const pid_t pid = fork();
    if (pid == 0) {
      body();
      _exit(0);
    }
    return await(pid, patience_ns);
  }

 private:
  struct Stopped {
    ProcessName name;
    std::uint64_t until_ns;
  };
  // What a daemon that is killed has started, at that moment.
  struct Doomed {
    ProcessName name;
    ProcessName worker;  // that it descends from, or itself; 0: that was dead already
    std::uint64_t until_ns;
  };
  void check_doomed();
  bool died_before(ProcessName worker) const;
  void start_client(std::uint32_t index);
  bool await(pid_t pid, std::uint64_t patience_ns);

  test::TempDir dir_;
  std::string socket_, ledger_path_;
  Ledger* ledger_ = nullptr;
  std::mt19937_64 random_;
  pid_t daemon_ = -1;
  std::uint64_t daemon_started_ns_ = 0;
  std::uint64_t daemon_age_ = 0;
  int ledger_fd_ = -1;
  std::vector<pid_t> clients_;
  std::set<ProcessName> killed_clients_, killed_workers_;
  std::vector<Stopped> stopped_;
  std::vector<Doomed> doomed_;
  std::uint64_t orphans_ = 0;
  bool daemon_struck_ = false;
  Toll toll_;
};

}  // namespace jobring::soak
