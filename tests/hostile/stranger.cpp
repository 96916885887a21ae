#include "tests/hostile/stranger.hpp"

#include <doctest/doctest.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace jobring::test {

Stranger::Stranger(uid_t uid, const std::function<bool()>& act) {
  if (geteuid() != 0) throw std::runtime_error("the hostile suite changes its uid: run it as root");
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ != 0) return;
  int status = 1;
  if (setgroups(0, nullptr) == 0 && setresgid(uid, uid, uid) == 0 &&
      setresuid(uid, uid, uid) == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE,
          1);  // cleared by the change of uid; without it /proc/self belongs to root
    try {
      status = act() ? 0 : 2;
    } catch (const std::exception& e) {
      std::fprintf(stderr, "stranger of uid %u: %s\n", uid, e.what());
    }
  }
  _exit(status);
}

Stranger::~Stranger() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  wait_exit(pid_);
}

bool Stranger::running() const {
  return alive(pid_);
}

bool Stranger::good() {
  const int status = wait_exit(pid_);
  pid_ = -1;
  if (status != 0) std::fprintf(stderr, "the stranger ended with status %d\n", status);
  return status == 0;
}

OpenDaemon::OpenDaemon(unsigned workers, const std::string& pool, const std::string& more)
    : Daemon(R"({"default": {"workers": )" + std::to_string(workers) + pool + "}}",
             R"(, "users": [65534, 65533])" + more) {
  chmod(dir().path().c_str(), 0711);
  GoodClient(connect()).work(50);
  if (!eventually([&] { return this->workers().size() == workers; }))
    throw std::runtime_error("workers are missing");
  workers_ = this->workers();
}

void OpenDaemon::check_unharmed() const {
  CHECK(alive(pid()));
  CHECK(workers() == workers_);
  CHECK(status_number("crashes") == 0);
  const std::string text = log();
  for (const char* word : {"AddressSanitizer", "runtime error:", "terminate called"}) {
    CAPTURE(word);
    CHECK(text.find(word) == text.npos);
  }
}

std::size_t OpenDaemon::open_files() const {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid()) + "/fd"))
    ++count;
  return count;
}

std::size_t OpenDaemon::resident_kib() const {
  const std::string status = read_file("/proc/" + std::to_string(pid()) + "/status");
  return std::stoul(status.substr(status.find("VmRSS:") + 6));
}

void GoodClient::work(int jobs) {
  std::vector<std::pair<Future, std::string>> open;
  for (int i = 0; i < jobs; ++i) {
    std::string text = "job " + std::to_string(number_++);
    if (number_ % 5 == 0) text.resize(3000, 'x');
    open.emplace_back(pool_.submit("echo", text), text);
  }
  for (auto& [future, text] : open) {
    if (!future.wait_for(std::chrono::seconds(60)))
      throw std::runtime_error("a good client's job does not end");
    if (future.get() != text) throw std::runtime_error("a good client's job has a wrong result");
  }
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace jobring::test
