// `jobring-soak --job ID BEHAVIOUR US RESULT_SIZE`: a job that is a command.
#include "tests/soak/command.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "tests/soak/ledger.hpp"

namespace jobring::soak {

std::vector<std::string> command_of(const JobSpec& spec) {
  static const std::string self = [] {
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    return std::string(path, n > 0 ? std::size_t(n) : 0);
  }();
  return {self,
          "--job",
          std::to_string(spec.id),
          std::to_string(int(spec.behaviour)),
          std::to_string(spec.us),
          std::to_string(spec.result_size)};
}

namespace {

// The worker that runs this command; 0 if it has died since, so that our parent is another one.
ProcessName worker_of_command() {
  const pid_t parent = getppid();
  const ProcessName name = name_process(parent);
  char path[48], text[32] = {};
  std::snprintf(path, sizeof path, "/proc/%d/comm", int(parent));
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  const bool known = fd >= 0 && ::read(fd, text, sizeof text - 1) > 0;
  if (fd >= 0) ::close(fd);
  // The kernel keeps 15 characters.
  const bool worker = known && (std::strcmp(text, "jobring-worker\n") == 0 ||
                                std::strcmp(text, "jobring-async-w\n") == 0);
  return worker && getppid() == parent ? name : 0;
}

int reply(const JobSpec& spec) {
  std::string result(spec.result_size, '\0');
  fill(spec.id, 0, result);
  for (std::size_t written = 0; written < result.size();) {
    const ssize_t n = write(1, result.data() + written, result.size() - written);
    if (n <= 0) return 4;
    written += std::size_t(n);
  }
  return 0;
}

}  // namespace

int run_command_job(char** argv) {
  JobSpec spec;
  spec.id = std::strtoull(argv[0], nullptr, 10);
  spec.behaviour = Behaviour(std::atoi(argv[1]));
  spec.us = std::uint32_t(std::atol(argv[2]));
  spec.result_size = std::uint32_t(std::atol(argv[3]));
  const ProcessName worker = worker_of_command();
  if (spec.behaviour == Behaviour::delegate) {
    const pid_t child = fork();
    if (child == 0) {
      setsid();
      const NotedRun run(ledger_of_environment(), spec.id, name_process(getpid()), worker);
      usleep(spec.us);
      return 0;
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) return 5;
    return reply(spec);
  }
  const NotedRun run(ledger_of_environment(), spec.id, name_process(getpid()), worker);
  usleep(spec.us);
  if (spec.behaviour == Behaviour::fail) return 3;
  if (spec.behaviour == Behaviour::crash ||
      (spec.behaviour == Behaviour::crash_once && run.number() == 0)) {
    raise(SIGKILL);
  }
  if (spec.behaviour == Behaviour::leave_child && fork() == 0) {
    setsid();
    sleep(1000);
    _exit(0);
  }
  return reply(spec);
}

}  // namespace jobring::soak
