// jobring stop: SIGTERM to the daemon, then waits until it is gone.
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

#include <jobring/jobring.hpp>

#include "client/cli/connection.hpp"
#include "client/cli/human.hpp"
#include "client/cli/verbs.hpp"
#include "common/clock.hpp"
#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {.verb = "stop",
                            .usage = "[OPTIONS]",
                            .summary =
                                "Ends a running daemon: it takes no new jobs, finishes the running "
                                "ones within its drain_timeout, and exits.",
                            .examples = "  jobring stop\n  jobring stop --now\n"};

[[noreturn]] void fail(const Error& error) {
  throw Exception(exit_status(error.code), to_string(error.code), error.line());
}

UniqueFd open_pidfd(pid_t pid) {
  UniqueFd fd(int(syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) fail(system_error("pidfd_open", "daemon with pid " + std::to_string(pid)));
  return fd;
}

void send_term(const UniqueFd& daemon, pid_t pid) {
  if (syscall(SYS_pidfd_send_signal, daemon.get(), SIGTERM, nullptr, 0) == 0) return;
  if (errno == ESRCH) return;  // it has just ended by itself
  fail(system_error("send SIGTERM", "daemon with pid " + std::to_string(pid)));
}

// The process behind the pid may be another by the time we look: the daemon must answer once more
// after the pidfd was opened, and still have that pid.
UniqueFd pin(Client& client, pid_t pid) {
  UniqueFd daemon = open_pidfd(pid);
  if (client.ping().pid != pid) fail({Errc::no_daemon, "the daemon is changing", "", "try again"});
  struct stat owner = {};
  const std::string proc = "/proc/" + std::to_string(pid);
  if (stat(proc.c_str(), &owner) == 0 && owner.st_uid != geteuid() && geteuid() != 0) {
    fail({Errc::permission, "the daemon belongs to uid " + std::to_string(owner.st_uid), "",
          "stop it as that user, or with `systemctl stop jobring`"});
  }
  return daemon;
}

bool wait_for_end(const UniqueFd& daemon, std::chrono::milliseconds patience) {
  pollfd fd = {daemon.get(), POLLIN, 0};
  const int timeout = patience.count() == 0 ? -1 : int(patience.count());
  int ready;
  do {
    ready = poll(&fd, 1, timeout);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace

int stop_verb(Arguments arguments) {
  std::string socket;
  bool now = false;
  bool json = false;
  std::chrono::milliseconds patience{0};
  Options options(kHelp);
  options.text("--socket", socket, "PATH", "the daemon's socket");
  options.flag("--now", now, "do not wait for running jobs: they are killed");
  options.duration("--wait", patience,
                   "give up waiting (124) after so long; default: wait until it is gone");
  options.flag("--json", json, "print a JSON object");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (!words.empty()) return options.usage_error("unexpected word \"" + words[0] + "\"");

  pid_t pid = 0;
  UniqueFd daemon;
  {
    // The connection ends with this block: a draining daemon should not wait for us.
    Client client = connect_existing(socket);
    pid = client.ping().pid;
    daemon = pin(client, pid);
  }
  const std::uint64_t began = now_ns();
  send_term(daemon, pid);
  if (now) {
    // Two signals that are pending at once are one: the second must come after the first was taken.
    if (!wait_for_end(daemon, std::chrono::milliseconds(100))) send_term(daemon, pid);
  }
  if (!wait_for_end(daemon, patience)) {
    fail({Errc::timeout,
          "the daemon with pid " + std::to_string(pid) + " is still finishing its jobs", "",
          "wait longer, or use --now"});
  }
  const std::uint64_t took = now_ns() - began;
  if (json) {
    std::printf("{\"pid\":%d,\"took_ms\":%llu}\n", int(pid),
                static_cast<unsigned long long>(took / 1'000'000));
  } else {
    std::printf("stopped the daemon with pid %d after %s\n", int(pid),
                human_duration(took).c_str());
  }
  return 0;
}

}  // namespace jobring::cli
