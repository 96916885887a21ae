// Many commands at a time on one event loop: the async pool's half of the built-in "exec".
//
// What a command leaves in its process group dies with it. What left the group (a daemon that it
// made) becomes a child of this process, a subreaper, as do those of all other commands: whose it
// is tells the variable $JOBRING_COMMAND of its environment, a number of its own for each command.
// It is killed within kSweep of its command's end; one that has cleared its environment when no
// command runs any more.
#pragma once

#include <utility>  // before Asio

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "worker/exec/run_command.hpp"
#include "worker/leave.hpp"

namespace jobring {

class CommandProcess;

// Not thread-safe.
class AsyncCommands {
 public:
  // At most so many commands run at a time; further ones wait in line, first come, first served:
  // each takes descriptors.
  AsyncCommands(boost::asio::any_io_executor loop, std::size_t at_a_time);
  ~AsyncCommands();

  // A command's handle for others than its coroutine. `stop` may be empty until it has started.
  struct Control {
    std::function<void(int signal)> stop;
    int asked = 0;  // before it started
  };
  // As run_command(); context.on_wake, wake_fd and stop_flag are not used. The context and
  // `control` must live until the end. Time in line counts for its time-out.
  boost::asio::awaitable<CommandOutput> run(Command command, CommandContext& context,
                                            Control& control);

  std::size_t running() const { return live_.size(); }

 private:
  static constexpr std::chrono::milliseconds kSweep{50};
  // How long zombies of strays may stay while commands run.
  static constexpr std::chrono::milliseconds kZombies{10'000};
  struct Place;

  void leave();
  void sweep_after(std::chrono::milliseconds delay);
  void sweep();
  boost::asio::awaitable<void> watch(CommandProcess& process, Control& control);

  boost::asio::any_io_executor loop_;
  const std::size_t at_a_time_;
  std::size_t places_taken_ = 0;
  std::list<boost::asio::steady_timer*> line_;
  std::map<pid_t, std::string> live_;  // each with its mark
  std::optional<CommandRunning> running_;
  std::uint64_t next_mark_ = 0;
  boost::asio::steady_timer sweep_;
  bool sweeping_ = false;
  bool keep_strays_ = false;
};

}  // namespace jobring
