#include "daemon/worker_process.hpp"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "common/closing_table.hpp"
#include "common/keeper_pool.hpp"
#include "common/pidfd.hpp"

extern char** environ;

namespace jobring {
namespace {

void set_limit(__rlimit_resource resource, const std::optional<std::uint64_t>& value) {
  if (!value) return;
  const rlimit limit{*value, *value};
  if (setrlimit(resource, &limit) != 0) {
    std::fprintf(stderr, "cannot set a limit of the pool (resource %d, %llu): %s\n", int(resource),
                 static_cast<unsigned long long>(*value), std::strerror(errno));
  }
}

std::vector<std::string> environment_of(const PoolConfig& pool) {
  std::vector<std::string> result;
  for (char** e = environ; *e != nullptr; ++e) {
    const std::string_view entry(*e);
    const std::string name(entry.substr(0, entry.find('=')));
    // What our own manager told us is not for workers: they would answer in our name.
    if (name == "NOTIFY_SOCKET" || name == "WATCHDOG_USEC" || name == "WATCHDOG_PID" ||
        name == "LISTEN_FDS")
      continue;
    // Nor are they part of the durable job from within which we may have been started.
    if (name == kStateVariable || name == "JOBRING_JOB_ID" || name == "JOBRING_JOB_KEY" ||
        name == "JOBRING_ATTEMPT" || name == "JOBRING_INDEX")
      continue;
    if (name == "JOBRING_WORKER_FD" || pool.environment.contains(name)) continue;
    result.emplace_back(entry);
  }
  for (const auto& [name, value] : pool.environment) result.push_back(name + "=" + value);
  result.push_back("JOBRING_WORKER_FD=" + std::to_string(kWorkerControlFd));
  result.push_back("JOBRING_POOL=" + pool.name);
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& s : strings) result.push_back(s.data());
  result.push_back(nullptr);
  return result;
}

// In the child. The parent has no threads but those that close descriptors, so ordinary functions
// may be called here. `told` is closed as the last of what is not the worker's.
[[noreturn]] void become_worker(const PoolConfig& pool, char* const* argv, char* const* envp,
                                int control, int output, int told, pid_t parent) {
  // The worker turns this into a clean-up of its command (worker/main.cpp); before that it simply
  // dies.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(0);
  // Survives exec: what a command of this worker leaves behind goes to the worker, not to us.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  setpgid(0, 0);  // the terminal's Ctrl-C is for the supervisor, which drains
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGXFSZ, SIG_DFL);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(null, 0);
  dup2(output, 1);
  dup2(output, 2);
  if (control == kWorkerControlFd) {
    fcntl(control, F_SETFD, 0);
  } else {
    dup2(control, kWorkerControlFd);
  }
  // Not left to exec: launch_worker() waits until we hold nothing of others any more.
  close_range(kWorkerControlFd + 1, unsigned(told) - 1, 0);
  close_range(unsigned(told) + 1, ~0u, 0);
  close(told);
  set_limit(RLIMIT_AS, pool.limits.memory);
  set_limit(RLIMIT_CPU, pool.limits.cpu);
  set_limit(RLIMIT_NOFILE, pool.limits.open_files);
  set_limit(RLIMIT_NPROC, pool.limits.processes);
  set_limit(RLIMIT_FSIZE, pool.limits.file_size);
  set_limit(RLIMIT_CORE, pool.limits.core);
  if (pool.nice != 0 && setpriority(PRIO_PROCESS, 0, pool.nice) != 0) {
    std::fprintf(stderr, "cannot set nice to %d: %s\n", pool.nice, std::strerror(errno));
  }
  execvpe(argv[0], argv, envp);
  std::fprintf(stderr, "cannot execute %s: %s\n", argv[0], std::strerror(errno));
  _exit(127);
}

}  // namespace

Result<LaunchedWorker> launch_worker(const PoolConfig& pool,
                                     const std::vector<std::string>& command) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
    return system_error("socketpair", "worker");
  LaunchedWorker worker;
  worker.control.reset(sockets[0]);
  UniqueFd theirs(sockets[1]);
  int pipes[2];
  if (pipe2(pipes, O_CLOEXEC) != 0) return system_error("pipe", "worker");
  worker.output.reset(pipes[0]);
  UniqueFd their_output(pipes[1]);
  fcntl(worker.control.get(), F_SETFL, O_NONBLOCK);
  fcntl(worker.output.get(), F_SETFL, O_NONBLOCK);

  std::vector<std::string> arguments = command;
  std::vector<std::string> environment = environment_of(pool);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  const pid_t parent = getpid();
  if (pipe2(pipes, O_CLOEXEC) != 0) return system_error("pipe", "worker");
  const UniqueFd hears(pipes[0]);
  UniqueFd told(fcntl(pipes[1], F_DUPFD_CLOEXEC, kWorkerControlFd + 1));
  close(pipes[1]);
  if (!told) return system_error("fcntl", "worker");
  {
    const auto gate = spawn_gate();
    worker.pid = fork();
    if (worker.pid < 0) return system_error("fork", "worker of pool " + pool.name);
    if (worker.pid == 0) {
      become_worker(pool, argv.data(), envp.data(), theirs.get(), their_output.get(), told.get(),
                    parent);
    }
    told.reset();
    char nothing;
    while (read(hears.get(), &nothing, 1) < 0 && errno == EINTR) {
    }
  }
  worker.pidfd = open_pidfd(worker.pid);
  if (!worker.pidfd) {
    const Error error = system_error("pidfd_open", "worker of pool " + pool.name);
    kill(worker.pid, SIGKILL);  // becomes a stray, and is reaped as one
    return error;
  }
  return worker;
}

namespace {

Result<std::string> find_program(const std::string& name, const char* variable,
                                 const std::string& hint) {
  if (const char* named = std::getenv(variable); named != nullptr && *named != '\0')
    return std::string(named);
  char self[PATH_MAX];
  const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n <= 0) return system_error("readlink", "/proc/self/exe");
  const std::string directory = std::string(self, std::size_t(n))
                                    .substr(0, std::string_view(self, std::size_t(n)).rfind('/'));
  for (const char* place : {"/", "/../libexec/jobring/"}) {
    const std::string candidate = directory + place + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return Error{Errc::config, name + " is not beside jobringd", directory, hint};
}

}  // namespace

Result<std::string> find_worker_program(WorkerModel model) {
  if (model == WorkerModel::async) {
    return find_program("jobring-async-worker", "JOBRING_ASYNC_WORKER",
                        "name it in $JOBRING_ASYNC_WORKER or in the pool's \"command\"");
  }
  return find_program("jobring-worker", "JOBRING_WORKER",
                      "name it in $JOBRING_WORKER or in the pool's \"command\"");
}

Result<std::string> find_registry_program() {
  return find_program("jobring-registry", "JOBRING_REGISTRY", "name it in $JOBRING_REGISTRY");
}

Result<std::string> find_keeper_program() {
  return find_program("jobring-keeper", "JOBRING_KEEPER", "name it in $JOBRING_KEEPER");
}

}  // namespace jobring
