// A jobringd whose workers can be kept from starting, whose jobs are noted, and that can be started
// again after its death in the same place.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/daemon.hpp"
#include "tests/sweep/run_log.hpp"
#include "tests/sweep/shared_view.hpp"

namespace jobring::test {

// As eventually(), but looks more often: some things are waited for at every kill.
template <class Condition>
bool soon(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    usleep(300);
  }
  return true;
}

// The pool's workers.
struct Crew {
  enum class Model { process, thread, async };
  std::uint32_t processes = 1;
  Model model = Model::process;
  std::uint32_t lanes = 1;  // of a process, in a thread pool

  // Owner ids: as many as the pool page has entries in use.
  std::uint32_t workers() const { return processes * lanes; }
};

class House {
 public:
  // Small channels, nobody spins, payloads and results stay in their slots.
  explicit House(const Crew& crew);
  ~House();
  House(const House&) = delete;
  House& operator=(const House&) = delete;

  static constexpr ChannelShape kShape{16, 192, 192};
  static constexpr std::uint32_t kChannelsMax = 8;

  void start();
  // Kills it, if it is not dead, and forgets it.
  void end();
  // Its tracer has killed and reaped it.
  void gone() { daemon_ = -1; }
  bool up() const { return daemon_ > 0; }
  // What a dead daemon leaves behind becomes our child: true when all of it has ended, `ours`
  // apart.
  static bool nothing_left(const std::vector<pid_t>& ours);

  pid_t daemon() const { return daemon_; }
  std::uint32_t workers() const { return crew_.workers(); }
  const std::string& socket() const { return socket_; }
  RunLog& log() { return *log_; }
  SharedView& view() { return *view_; }
  std::string daemon_log() const { return read_file(dir_ / "log"); }

  // The pids of the workers, by index (lanes of one process have the same); 0: it is down. Asks the
  // supervisor.
  std::vector<pid_t> worker_pids() const;
  // Waits until all workers are up and asleep, and nobody moves any more; says who does if it waits
  // in vain.
  bool at_rest(const std::vector<pid_t>& others = {});
  // While closed, workers that are launched do not start.
  void close_gate();
  void open_gate();
  // Coroutines of the handler "hold" wait until they are let go, and all that come later do not
  // wait until keep_coroutines().
  void let_coroutines_go();
  void keep_coroutines();

 private:
  bool all_asleep() const;
  // All that the workers' processes and the daemon run, and `others`.
  std::vector<pid_t> threads_of_all(const std::vector<pid_t>& others) const;
  std::string restless(const std::vector<pid_t>& others) const;

  TempDir dir_;
  std::string socket_;
  Crew crew_;
  int gate_ = -1, fifo_ = -1;
  pid_t daemon_ = -1;
  RunLog* log_ = nullptr;
  std::unique_ptr<SharedView> view_;
};

}  // namespace jobring::test
