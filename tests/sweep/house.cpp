#include "tests/sweep/house.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "tests/sweep/proc.hpp"

namespace jobring::test {
namespace {

ConnectOptions to(const std::string& socket) {
  ConnectOptions options;
  options.daemon = ConnectOptions::Daemon::existing;
  options.socket = socket;
  options.name = "sweep";
  return options;
}

std::string model_of(const Crew& crew) {
  switch (crew.model) {
    case Crew::Model::process:
      break;
    case Crew::Model::thread:
      return R"(, "model": "thread", "threads": )" + std::to_string(crew.lanes);
    case Crew::Model::async:
      return R"(, "model": "async", "max_in_flight": 8)";
  }
  return "";
}

}  // namespace

House::House(const Crew& crew) : socket_(dir_ / "socket"), crew_(crew) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);  // nothing_left()
  const std::string gate = dir_ / "gate", notes = dir_ / "notes";
  write_file(gate, "");
  gate_ = open(gate.c_str(), O_RDONLY | O_CLOEXEC);
  const std::string fifo = notes + kFifoSuffix;
  if (mkfifo(fifo.c_str(), 0600) == 0) fifo_ = open(fifo.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fifo_ < 0) throw std::runtime_error("cannot make " + fifo);
  const int fd = open(notes.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (gate_ < 0 || fd < 0 || ftruncate(fd, sizeof(RunLog)) != 0)
    throw std::runtime_error("cannot make the run log");
  void* base = mmap(nullptr, sizeof(RunLog), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (base == MAP_FAILED) throw std::runtime_error("cannot map the run log");
  log_ = static_cast<RunLog*>(base);
  const bool async = crew.model == Crew::Model::async;
  write_file(dir_ / "config.json",
             "{\"socket\": \"" + socket_ + "\", \"log\": {\"level\": \"debug\"}, " +
                 "\"kill_grace\": \"60s\", \"pools\": {\"default\": {\"workers\": " +
                 std::to_string(crew.processes) + model_of(crew) + ", \"spin\": 0, \"slots\": " +
                 std::to_string(kShape.slots) + ", \"max_payload\": \"192B\", " +
                 "\"max_result\": \"192B\", \"max_channels\": " + std::to_string(kChannelsMax) +
                 ", \"modules\": [\"" + test_module(async ? "noted_async" : "noted") +
                 "\"], \"environment\": {\"" + kRunLogVariable + "\": \"" + notes +
                 "\"}, \"command\": [\"" + program("gated_worker") + "\", \"" + gate + "\", \"" +
                 program(async ? "jobring-async-worker" : "jobring-worker") + "\"]}}}");
  start();
}

House::~House() {
  open_gate();
  end();
  munmap(log_, sizeof(RunLog));
  close(gate_);
  close(fifo_);
}

void House::start() {
  daemon_ = spawn({program("jobringd"), "--config", dir_ / "config.json"}, dir_ / "log");
  const bool up = soon([&] {
    try {
      Client::connect(to(socket_)).ping();
      return true;
    } catch (const Exception&) {
      return !alive(daemon_);
    }
  });
  if (!up || !alive(daemon_)) throw std::runtime_error("jobringd did not come up: " + daemon_log());
  view_ = std::make_unique<SharedView>(daemon_, kShape);
}

void House::end() {
  if (daemon_ <= 0) return;
  kill(daemon_, SIGKILL);
  waitpid(daemon_, nullptr, 0);
  daemon_ = -1;
}

bool House::nothing_left(const std::vector<pid_t>& ours) {
  return soon([&] {
    bool left = false;
    for (const pid_t child : children_of(getpid())) {
      if (std::find(ours.begin(), ours.end(), child) != ours.end()) continue;
      left = waitpid(child, nullptr, WNOHANG) != child || left;
    }
    return !left;
  });
}

std::vector<pid_t> House::worker_pids() const {
  const auto status = nlohmann::json::parse(Client::connect(to(socket_)).status_json());
  std::vector<pid_t> pids;
  for (const auto& worker : status["pools"][0]["workers"]) pids.push_back(worker["pid"]);
  return pids;
}

bool House::all_asleep() const {
  for (std::uint32_t w = 0; w < workers(); ++w) {
    if (!view_->sleeps(w)) return false;
  }
  return true;
}

std::vector<pid_t> House::threads_of_all(const std::vector<pid_t>& others) const {
  std::vector<pid_t> all;
  for (const pid_t child : children_of(daemon_)) {
    const std::vector<pid_t> threads = threads_of(child);
    all.insert(all.end(), threads.begin(), threads.end());
  }
  all.push_back(daemon_);
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

bool House::at_rest(const std::vector<pid_t>& others) {
  const bool rests = soon([&] {
    // A worker that was killed lying down counts as asleep until the supervisor has settled its
    // death. Before that it is a zombie among the children, then it is missing; its successor comes
    // when its bit is cleared. So all are there and asleep if these are as many as they should be,
    // and the same when they rest.
    const std::vector<pid_t> children = children_of(daemon_);
    if (children.size() != crew_.processes || !all_asleep()) return false;
    return come_to_rest(threads_of_all(others)) && children_of(daemon_) == children && all_asleep();
  });
  if (!rests) MESSAGE(restless(others));
  return rests;
}

// Who does what, for the reader of a failure: nobody can look later.
std::string House::restless(const std::vector<pid_t>& others) const {
  std::string text = "nobody rests: asleep are the workers";
  for (std::uint32_t w = 0; w < workers(); ++w) {
    if (view_->sleeps(w)) text += " " + std::to_string(w);
  }
  text += " of " + std::to_string(workers()) + ";";
  const auto look = [](pid_t pid) {
    return std::pair(process_state(pid), processor_time(pid).value_or(0));
  };
  const std::vector<pid_t> all = threads_of_all(others);
  std::vector<std::pair<char, std::uint64_t>> before;
  for (const pid_t pid : all) before.push_back(look(pid));
  usleep(200'000);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto [state, ran] = look(all[i]);
    text += "\n  " + std::to_string(all[i]) + (all[i] == daemon_ ? " (the daemon) " : " ") +
            before[i].first + " then " + state + ", ran " +
            std::to_string((ran - before[i].second) / 1000) + " us in 0.2 s, in call " +
            read_file("/proc/" + std::to_string(all[i]) + "/syscall");
  }
  const std::string log = daemon_log();
  return text + "\n" + log.substr(log.size() - std::min<std::size_t>(log.size(), 2000));
}

void House::let_coroutines_go() {
  [[maybe_unused]] const ssize_t n = write(fifo_, "x", 1);
}

void House::keep_coroutines() {
  char bytes[64];
  while (read(fifo_, bytes, sizeof bytes) > 0) {
  }
}

void House::close_gate() {
  flock(gate_, LOCK_EX);
}
void House::open_gate() {
  flock(gate_, LOCK_UN);
}

}  // namespace jobring::test
