// Finding a daemon, or starting a private one.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "client/client_core.hpp"

extern char** environ;

namespace jobring::detail {
namespace {

constexpr const char* kSystemSocket = "/run/jobring/socket";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string program_path() {
  char path[PATH_MAX];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  return n > 0 ? std::string(path, std::size_t(n)) : std::string();
}

std::string default_name(const ConnectOptions& options) {
  return options.name.empty() ? program_invocation_short_name : options.name;
}

std::string find_daemon(const ConnectOptions& options) {
  if (!options.daemon_path.empty()) return options.daemon_path;
  if (const std::string named = environment("JOBRING_DAEMON"); !named.empty()) return named;
  const std::string self = program_path();
  const std::string beside = self.substr(0, self.rfind('/') + 1) + "jobringd";
  if (access(beside.c_str(), X_OK) == 0) return beside;
  return "jobringd";  // from PATH
}

Result<std::shared_ptr<ClientCore>> start_private(const ConnectOptions& options) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
    return system_error("socketpair");
  UniqueFd ours(sockets[0]), theirs(sockets[1]);
  const std::string program = find_daemon(options);
  constexpr int kTheirFd = 3;
  std::vector<std::string> arguments{program, "--private", std::to_string(kTheirFd)};
  const std::string config =
      !options.config_file.empty() ? options.config_file : environment("JOBRING_CONFIG");
  if (!config.empty()) arguments.insert(arguments.end(), {"--config", config});
  if (options.private_workers != 0) {
    arguments.insert(arguments.end(), {"--workers", std::to_string(options.private_workers)});
  }
  std::vector<char*> argv;
  for (std::string& a : arguments) argv.push_back(a.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
  // Its stdout is never ours: `jobring map | consumer` must see the end of our output, whatever the
  // daemon does.
  posix_spawn_file_actions_adddup2(&actions, 2, 1);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), kTheirFd);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    Error failed = system_error("cannot start a private daemon", program, error);
    failed.code = Errc::no_daemon;
    failed.hint = "install jobringd beside this program or in PATH, or name it in $JOBRING_DAEMON";
    return failed;
  }
  return std::make_shared<ClientCore>(std::move(ours), pid, "private daemon",
                                      default_name(options));
}

}  // namespace

Result<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error{Errc::usage, "the socket's path is too long", path, {}};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("socket");
  int result;
  do {
    result = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return fd;
  if (errno == ENOENT || errno == ECONNREFUSED) {
    return Error{Errc::no_daemon, "no daemon is listening", path, "start one with `jobring start`"};
  }
  if (errno == EACCES || errno == EPERM) {
    return Error{Errc::permission, "permission denied", path,
                 "the daemon's config names who may connect"};
  }
  if (errno == EPROTOTYPE) return Error{Errc::no_daemon, "is not a jobring socket", path, {}};
  return system_error("connect", path);
}

std::vector<std::string> sockets_of(const ConnectOptions& options) {
  const std::string named =
      !options.socket.empty() ? options.socket : environment("JOBRING_SOCKET");
  if (!named.empty()) return {named};
  const std::string runtime = environment("XDG_RUNTIME_DIR");
  if (runtime.empty()) return {kSystemSocket};
  return {runtime + "/jobring/socket", kSystemSocket};
}

Result<std::shared_ptr<ClientCore>> connect_core(const ConnectOptions& options) {
  if (options.daemon == ConnectOptions::Daemon::own) return start_private(options);
  const bool is_named = !options.socket.empty() || !environment("JOBRING_SOCKET").empty();
  const bool may_start = options.daemon == ConnectOptions::Daemon::any && !is_named;
  Error failure;
  for (const std::string& path : sockets_of(options)) {
    auto socket = connect_to(path);
    if (!socket) {
      // The first place is where a user's own daemon would be: name that, unless a later one says
      // more than "nobody".
      if (failure.what.empty() || socket.error().code != Errc::no_daemon) failure = socket.error();
      continue;
    }
    auto core = std::make_shared<ClientCore>(std::move(*socket), 0, path, default_name(options));
    // The machine's daemon may not be meant for us: find out now, while there is a choice.
    if (may_start && path == kSystemSocket && geteuid() != 0) {
      if (auto pong = core->request(PingRequest{}); !pong) {
        failure = pong.error();
        continue;
      }
    }
    return core;
  }
  if (may_start) return start_private(options);
  return failure;
}

}  // namespace jobring::detail
