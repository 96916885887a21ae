// One command from its start to its burial, without the loop that waits meanwhile: run_command()
// has one of poll(), async pools have their event loop.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "common/unique_fd.hpp"
#include "worker/exec/capture.hpp"
#include "worker/exec/prepared_command.hpp"
#include "worker/exec/run_command.hpp"
#include "worker/exec/spawn.hpp"

namespace jobring {

// Not thread-safe; all signals must be blocked in the calling thread during start() (SignalGate),
// and SIGPIPE blocked or ignored during feed().
class CommandProcess {
 public:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  // Both must outlive it.
  CommandProcess(const Command& command, const CommandContext& context);
  CommandProcess(const CommandProcess&) = delete;
  CommandProcess& operator=(const CommandProcess&) = delete;

  // False: it did not start, and output() says why.
  bool start();

  pid_t pid() const { return pid_; }
  // Readable when it is dead.
  int pidfd() const { return pidfd_.get(); }
  // -1: not captured. Never blocks; false if there was nothing.
  int captured_fd(OutputRoom::Stream stream) const { return pipes_[stream].read_fd(); }
  bool read_captured(OutputRoom::Stream stream) { return pipes_[stream].read_into(kept_, stream); }
  // -1 once all is written.
  int feed_fd() const { return feed_.write_fd(); }
  void feed() { feed_.feed(); }

  // Somebody asks for its end: the signal goes to its group, KILL follows after the grace.
  void requested(int signal);
  // Sends what is due by now: TERM when its time is over, KILL when the grace is.
  void check_times(std::uint64_t now);
  // When check_times() has something to do; CLOCK_MONOTONIC nanoseconds.
  std::uint64_t next_time() const { return std::min(timeout_at_, kill_at_); }
  void kill_now();

  // It is dead (pidfd): kills what is left of its group, reaps it, reads the rest of its output.
  // Strays are the caller's business.
  void bury();
  // True if what it left running outside its group may go on.
  bool keeps_strays() const {
    return context_.keep_strays && !report_.killed && !report_.timed_out;
  }
  CommandOutput output();

 private:
  bool open_streams(SpawnPlan& plan);
  bool set_limits(SpawnPlan& plan);
  bool failed(std::string step, int error);
  void signal_group(int signal);
  void describe_failure(const StartNote& note);

  const Command& command_;
  const CommandContext& context_;
  CommandReport report_;
  OutputRoom kept_;
  CapturePipe pipes_[2];
  FeedPipe feed_;
  NoteLease lease_;
  StartNote* note_ = nullptr;
  const Identity* identity_ = nullptr;
  PreparedCommand prepared_{command_};
  std::vector<SpawnLimit> limits_;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::uint64_t started_ns_ = 0;
  std::uint64_t timeout_at_ = kNever;
  std::uint64_t kill_at_ = kNever;
};

}  // namespace jobring
