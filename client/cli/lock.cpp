// jobring lock: runs a command while it holds a named lock, as flock(1) does with a file.
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "client/cli/object_options.hpp"
#include "client/cli/signals.hpp"
#include "client/cli/verbs.hpp"
#include "client/client_core.hpp"
#include "common/pidfd.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "lock",
    .usage = "[OPTIONS] NAME [--] COMMAND [ARGUMENT...]",
    .summary =
        "Runs a command while this process holds the named lock, first come, first served.\n"
        "Exits with the command's status; 75 (see -E) if the lock was not got in time.",
    .examples =
        "  jobring lock backup -- rsync -a /home /backup\n"
        "  jobring lock -n deploy -- ./deploy.sh || echo somebody else deploys\n"
        "  jobring lock -w 10s db -- sh -c 'store --fence $JOBRING_LOCK_TOKEN'\n"};

struct LockOptions {
  ObjectFlags object;
  PatienceFlags patience;
  std::uint64_t not_got = kExitNotInTime;
  bool strict = false;
};

[[noreturn]] void become(const std::vector<std::string>& words, const Grant& grant, pid_t parent) {
  // Nobody holds the lock for it once we are dead.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(128 + SIGKILL);
  setenv("JOBRING_LOCK_TOKEN", std::to_string(grant.token).c_str(), 1);
  setenv("JOBRING_LOCK_OWNER_DIED", grant.owner_died || grant.after_restart ? "1" : "0", 1);
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  const int error = errno;
  std::fprintf(stderr, "jobring lock: cannot run %s: %s\n", argv[0], std::strerror(error));
  _exit(error == ENOENT ? 127 : 126);
}

// Waits for the command; signals that ask us to stop go on to it.
int attend(pid_t child, StopSignals& signals, const Lock& lock, Pool pool, bool strict) {
  const UniqueFd ended = open_pidfd(child);
  bool told = false;
  for (;;) {
    pollfd fds[] = {{ended.get(), POLLIN, 0}, {signals.fd(), POLLIN, 0}, {pool.fd(), POLLIN, 0}};
    if (poll(fds, told ? 2 : 3, -1) < 0 && errno != EINTR)
      detail::throw_error(system_error("poll"));
    while (const auto signal = signals.next()) {
      // The terminal's reach the whole process group, the command included.
      if (*signal == SIGTERM || *signal == SIGHUP) kill(child, *signal);
    }
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child)
      return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (told) continue;
    pool.poll();
    if (lock.held()) continue;
    told = true;
    std::fprintf(stderr, "jobring lock: lock \"%s\" was lost: the registry died; the command %s\n",
                 lock.name().c_str(), strict ? "is ended" : "goes on without it");
    if (strict) kill(child, SIGTERM);
  }
}

int run_locked(const LockOptions& options, const std::string& name,
               const std::vector<std::string>& command) {
  ObjectSession session(options.object.socket);
  ObjectOptions object = options.object.resolve();
  object.ephemeral = true;
  Lock lock(session.registry, name, object);
  const Grant grant = lock.acquire(options.patience.resolve());
  if (!grant) {
    std::fprintf(stderr, "jobring lock: \"%s\" is held by another\n", name.c_str());
    return int(options.not_got);
  }
  std::fflush(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) detail::throw_error(system_error("fork"));
  if (child == 0) become(command, grant, parent);
  StopSignals signals;
  const int status = attend(child, signals, lock, session.registry.pool(), options.strict);
  lock.unlock();
  return status;
}

}  // namespace

int lock_verb(Arguments arguments) {
  LockOptions lock;
  Options options(kHelp);
  lock.patience.add_to(options);
  options.number("-E,--conflict-exit-code", lock.not_got, 0, 255, "STATUS",
                 "exit status if the lock was not got in time; default 75");
  options.flag("--strict", lock.strict,
               "end the command with TERM if the lock is lost because the registry died");
  lock.object.add_to(options);
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::before_words, words))
    return *status;
  if (words.size() < 2) return options.usage_error("a lock and a command are needed");
  const std::string name = words[0];
  words.erase(words.begin());
  if (words[0] == "--") words.erase(words.begin());
  if (words.empty()) return options.usage_error("no command is given");
  return run_locked(lock, name, words);
}

}  // namespace jobring::cli
