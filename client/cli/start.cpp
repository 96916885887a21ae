// jobring start: a daemon in the background.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <jobring/jobring.hpp>

#include "client/cli/connection.hpp"
#include "client/cli/daemon_log.hpp"
#include "client/cli/human.hpp"
#include "client/cli/json.hpp"
#include "client/cli/verbs.hpp"
#include "common/clock.hpp"
#include "common/config/config.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "start",
    .usage = "[OPTIONS]",
    .summary = "Puts a daemon of this user into the background and waits until it answers.",
    .examples =
        "  jobring start\n"
        "  jobring start --config ~/.config/jobring/config.json\n"};

struct StartOptions {
  std::string socket;
  std::string config;
  std::string log;
  std::string daemon;
  std::chrono::milliseconds patience{10'000};
  bool json = false;
};

[[noreturn]] void fail(const Error& error) {
  throw Exception(exit_status(error.code), to_string(error.code), error.line());
}

const char* environment(const char* name) {
  return std::getenv(name);
}

std::string absolute(const std::string& path) {
  if (path.empty() || path.front() == '/') return path;
  char directory[PATH_MAX];
  if (getcwd(directory, sizeof directory) == nullptr) fail(system_error("getcwd"));
  return std::string(directory) + "/" + path;
}

// --daemon-path, $JOBRING_DAEMON, beside this program, else what PATH has.
std::string find_daemon(const StartOptions& options) {
  if (!options.daemon.empty()) return absolute(options.daemon);
  if (const char* path = environment("JOBRING_DAEMON"); path != nullptr && *path != '\0')
    return absolute(path);
  char self[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self);
  if (length > 0 && length < ssize_t(sizeof self)) {
    const std::string program(self, std::size_t(length));
    const std::string beside = program.substr(0, program.rfind('/')) + "/jobringd";
    if (access(beside.c_str(), X_OK) == 0) return beside;
  }
  return "jobringd";
}

// Where the daemon will listen: the same order as in jobringd.
std::string socket_path(const StartOptions& options) {
  if (!options.socket.empty()) return absolute(options.socket);
  if (!options.config.empty()) {
    const ConfigOutcome outcome = load_config(options.config);
    if (!outcome.problems.empty()) {
      fail({Errc::config, outcome.problems.front().line(), options.config,
            "`jobringd --check-config --config FILE` lists every problem"});
    }
    if (!outcome.config.socket.empty()) return outcome.config.socket;
  }
  return default_socket();
}

std::optional<Pong> ask(const std::string& socket) {
  try {
    ConnectOptions options;
    options.daemon = ConnectOptions::Daemon::existing;
    options.socket = socket;
    return Client::connect(options).ping();
  } catch (const Exception& e) {
    if (e.exit_status() == exit_status(Errc::no_daemon)) return std::nullopt;
    throw;
  }
}

[[noreturn]] void become_daemon(const std::vector<std::string>& argv, int log) {
  // A session of its own: no terminal, so neither its Ctrl-C nor its hang-up.
  setsid();
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  if (null > STDERR_FILENO) close(null);
  if (chdir("/") != 0) _exit(126);
  std::vector<char*> arguments;
  for (const std::string& word : argv) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  dprintf(STDERR_FILENO, "jobring start: exec %s: %s\n", arguments[0], std::strerror(errno));
  _exit(127);
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return "ended by signal " + std::to_string(WTERMSIG(status));
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

// Looks until the daemon answers. Throws with the last lines of its log if it ends instead, or says
// nothing in time.
Pong await_answer(pid_t child, const std::string& socket, const std::string& log, off_t log_from,
                  std::chrono::milliseconds patience) {
  const std::uint64_t deadline = now_ns() + std::uint64_t(patience.count()) * 1'000'000;
  while (true) {
    int status = 0;
    const bool ended = waitpid(child, &status, WNOHANG) == child;
    // It may also have lost a race against another daemon that is up now.
    if (const auto pong = ask(socket)) return *pong;
    if (ended || now_ns() > deadline) {
      std::fputs(tail(log, log_from, 10).c_str(), stderr);
      if (ended) fail({Errc::no_daemon, "the daemon " + how_it_ended(status), log, ""});
      fail({Errc::no_daemon,
            "the daemon (pid " + std::to_string(child) + ") does not answer on " + socket, log,
            ""});
    }
    const timespec pause = {0, 2'000'000};
    nanosleep(&pause, nullptr);
  }
}

void report(const Pong& pong, const std::string& socket, bool was_running, bool json) {
  if (json) {
    std::printf("%s\n", started_json(pong, socket, was_running).c_str());
  } else {
    std::printf("%s: jobringd %s, pid %d, listening on %s\n",
                was_running ? "already running" : "started", pong.version.c_str(), int(pong.pid),
                socket.c_str());
  }
}

int start(const StartOptions& options) {
  const std::string socket = socket_path(options);
  if (const auto pong = ask(socket)) {
    report(*pong, socket, true, options.json);
    return 0;
  }
  std::string log_path = options.log;
  if (log_path.empty()) {
    auto found = default_log_path(environment);
    if (!found) fail(found.error());
    log_path = *found;
  }
  log_path = absolute(log_path);
  auto log = open_log(log_path);
  if (!log) fail(log.error());
  const off_t log_from = lseek(log->get(), 0, SEEK_END);

  std::vector<std::string> argv = {find_daemon(options), "--socket", socket};
  if (!options.config.empty()) argv.insert(argv.end(), {"--config", absolute(options.config)});
  const pid_t child = fork();
  if (child < 0) fail(system_error("fork"));
  if (child == 0) become_daemon(argv, log->get());
  report(await_answer(child, socket, log_path, log_from, options.patience), socket, false,
         options.json);
  return 0;
}

}  // namespace

int start_verb(Arguments arguments) {
  StartOptions start_options;
  Options options(kHelp);
  options.text("--config", start_options.config, "FILE",
               "the daemon's config file; default: $JOBRING_CONFIG, else none");
  options.text("--socket", start_options.socket, "PATH",
               "where it shall listen; default: the config's, else the user's");
  options.text("--log", start_options.log, "FILE",
               "its log; default: ~/.local/state/jobring/jobringd.log");
  options.text("--daemon-path", start_options.daemon, "FILE",
               "jobringd; default: $JOBRING_DAEMON, beside jobring, in PATH");
  options.duration("--wait", start_options.patience,
                   "how long it may take to answer; default: 10s");
  options.flag("--json", start_options.json, "print a JSON object");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (!words.empty()) return options.usage_error("unexpected word \"" + words[0] + "\"");
  if (start_options.config.empty()) {
    if (const char* config = environment("JOBRING_CONFIG"); config != nullptr)
      start_options.config = config;
  }
  return start(start_options);
}

}  // namespace jobring::cli
