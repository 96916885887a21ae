#include "tests/support/daemon.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace jobring::test {

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

bool alive(pid_t pid) {
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t after = stat.rfind(')');
  return after != std::string::npos && stat.size() > after + 2 && stat[after + 2] != 'Z' &&
         stat[after + 2] != 'X';
}

pid_t spawn(const std::vector<std::string>& argv, const std::string& output_file) {
  std::vector<std::string> copy = argv;
  std::vector<char*> pointers;
  for (auto& a : copy) pointers.push_back(a.data());
  pointers.push_back(nullptr);
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = open(output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(out, 1);
    dup2(out, 2);
    execvp(pointers[0], pointers.data());
    _exit(127);
  }
  return pid;
}

int wait_exit(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Ran run_program(const std::vector<std::string>& argv) {
  TempDir dir;
  const pid_t pid = spawn(argv, dir / "out");
  const int status = wait_exit(pid);
  return {status, read_file(dir / "out")};
}

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "jobring-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
  path_ = pattern;
}
TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string program(const std::string& name) {
  return std::string(JOBRING_BIN_DIR) + "/" + name;
}
std::string test_module(const std::string& name) {
  return std::string(JOBRING_MODULE_DIR) + "/" + name + ".so";
}

Daemon::Daemon(const std::string& pools, const std::string& more, std::vector<std::string> wrapper,
               const std::string& log_file)
    : socket_(dir_ / "socket") {
  write_file(config_file(), "{\"socket\": \"" + socket_ +
                                "\", \"log\": {\"level\": \"debug\"}, \"pools\": " + pools + more +
                                "}");
  std::vector<std::string> command = std::move(wrapper);
  command.insert(command.end(), {program("jobringd"), "--config", config_file()});
  pid_ = spawn(command, log_file.empty() ? dir_ / "log" : log_file);
  const bool up = eventually([&] {
    try {
      connect().ping();
      return true;
    } catch (const Exception&) {
      return !alive(pid_);
    }
  });
  if (!up || !alive(pid_)) throw std::runtime_error("jobringd did not come up: " + log());
}

Daemon::~Daemon() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    wait_exit(pid_);
  }
}

bool Daemon::die(bool stopped) const {
  const std::vector<pid_t> those = stopped ? workers() : std::vector<pid_t>();
  for (const pid_t worker : those) ::kill(worker, SIGSTOP);
  signal(SIGKILL);
  const bool dead = eventually([&] { return !alive(pid_); });
  for (const pid_t worker : those) ::kill(worker, SIGCONT);
  return dead;
}

int Daemon::wait_end() {
  const int status = wait_exit(pid_);
  pid_ = -1;
  return status;
}

Client Daemon::connect(const std::string& name) const {
  ConnectOptions options;
  options.daemon = ConnectOptions::Daemon::existing;
  options.socket = socket_;
  options.name = name;
  return Client::connect(options);
}

long Daemon::status_number(const std::string& key, std::size_t nth) const {
  const std::string text = connect().status_json();
  const std::string pattern = "\"" + key + "\":";
  std::size_t at = text.find(pattern);
  while (at != std::string::npos && nth-- > 0) at = text.find(pattern, at + 1);
  return at == std::string::npos ? -1 : std::atol(text.c_str() + at + pattern.size());
}

std::vector<pid_t> Daemon::workers() const {
  std::vector<pid_t> pids;
  std::ifstream children("/proc/" + std::to_string(pid_) + "/task/" + std::to_string(pid_) +
                         "/children");
  for (pid_t pid; children >> pid;) {
    if (alive(pid)) pids.push_back(pid);
  }
  return pids;
}

}  // namespace jobring::test
