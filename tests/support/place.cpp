#include "tests/support/place.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/unique_fd.hpp"

namespace jobring::test {

Place::Place() {
  set("HOME", dir_.path());
  set("XDG_RUNTIME_DIR", dir_.path());
  set("XDG_STATE_HOME", dir_.path());
}

pid_t Place::start(const Words& argv, const int (&stdio)[3]) const {
  Words words = argv;
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid > 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // A group of its own, as a shell with a terminal does.
  setpgid(0, 0);
  for (int fd = 0; fd < 3; ++fd) {
    if (stdio[fd] == fd)
      fcntl(fd, F_SETFD, 0);
    else
      dup2(stdio[fd], fd);
  }
  unsetenv("JOBRING_SOCKET");
  unsetenv("JOBRING_CONFIG");
  unsetenv("JOBRING_DAEMON");
  unsetenv("MAKEFLAGS");
  for (const auto& [name, value] : variables_) setenv(name.c_str(), value.c_str(), 1);
  execvp(pointers[0], pointers.data());
  _exit(127);
}

Said Place::run(const Words& argv, const std::string& input) const {
  TempDir io;
  write_file(io / "in", input);
  const UniqueFd in(open((io / "in").c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd out(open((io / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const UniqueFd err(open((io / "err").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const pid_t pid = start(argv, {in.get(), out.get(), err.get()});
  int status = 0;
  rusage usage = {};
  while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(io / "out"),
          read_file(io / "err"), usage.ru_maxrss};
}

Said Place::jobring(Words words, const std::string& input) const {
  words.insert(words.begin(), program("jobring"));
  return run(words, input);
}

Said Place::shell(const std::string& line) const {
  return run({"/bin/sh", "-c", line, program("jobring")});
}

pid_t Place::jobring_started(Words words) const {
  words.insert(words.begin(), program("jobring"));
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  return start(words, {null.get(), null.get(), null.get()});
}

std::string numbers(int from, int to) {
  std::string text;
  for (int i = from; i <= to; ++i) text += std::to_string(i) + "\n";
  return text;
}

bool one_line(const std::string& text) {
  return text.size() > 1 && text.find('\n') == text.size() - 1;
}

pid_t pid_in(const std::string& file) {
  REQUIRE(eventually([&] { return read_file(file).ends_with('\n'); }));
  return pid_t(std::stol(read_file(file)));
}

std::string sleeper(const std::string& pid_file) {
  return "echo $$ > " + pid_file + "; exec sleep 1000";
}

std::vector<pid_t> jobring_processes(const Place& place) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string environment = read_file(entry.path() / "environ");
    const pid_t pid = pid_t(std::stol(name));
    if (environment.find("HOME=" + place.dir().path()) != std::string::npos && alive(pid))
      found.push_back(pid);
  }
  return found;
}

long pool_number(const Daemon& daemon, const char* key) {
  return nlohmann::json::parse(daemon.connect().status_json())["pools"][0][key].get<long>();
}

bool busy(const Daemon& daemon) {
  return daemon.connect().status_json().find("\"busy\"") != std::string::npos;
}

}  // namespace jobring::test
