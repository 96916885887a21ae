#include "bench/daemon.hpp"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace bench {

Daemon::Daemon(const Settings& settings, const std::string& pool, const std::string& state) {
  std::string pattern = (std::filesystem::temp_directory_path() / "jobring-bench-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
  directory_ = pattern;
  socket_ = directory_ + "/socket";
  std::ofstream(directory_ + "/config.json")
      << "{\"socket\": \"" << socket_
      << "\", \"log\": {\"level\": \"error\"}, \"keeper\": {\"state_dir\": \""
      << (state.empty() ? directory_ + "/state" : state)
      << "\", \"jobs_max\": 0}, \"pools\": {\"default\": {" << pool << "}}}";
  pid_ = in_child([&] {
    const std::string program = settings.bin + "/jobringd", config = directory_ + "/config.json";
    execl(program.c_str(), program.c_str(), "--config", config.c_str(), nullptr);
    std::perror(program.c_str());
    _exit(127);
  });
  for (int tries = 0; tries < 1000; ++tries) {
    try {
      if (connect().pool().call("echo", "up") == "up") return;
    } catch (const jobring::Exception&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  throw std::runtime_error("jobringd did not come up");
}

Daemon::~Daemon() {
  kill(pid_, SIGTERM);
  wait_child(pid_);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

jobring::Client Daemon::connect() const {
  jobring::ConnectOptions options;
  options.daemon = jobring::ConnectOptions::Daemon::existing;
  options.socket = socket_;
  return jobring::Client::connect(options);
}

std::vector<pid_t> Daemon::workers() const {
  std::vector<pid_t> pids;
  const std::string id = std::to_string(pid_);
  std::ifstream children("/proc/" + id + "/task/" + id + "/children");
  for (pid_t pid; children >> pid;) pids.push_back(pid);
  return pids;
}

double echo_rate(jobring::Channel& channel, double duration, std::size_t depth) {
  constexpr std::size_t kBatch = 32;
  const auto echo = channel.handler("echo");
  const std::string payload(64, 'x');
  std::uint64_t done = 0;
  const double start = seconds();
  double now = start;
  while (now - start < duration) {
    for (int i = 0; i < 64; ++i) {
      std::size_t prepared = 0;
      while (prepared < kBatch && channel.outstanding() < depth &&
             channel.prepare(echo, payload, 0))
        ++prepared;
      channel.submit();
      const auto completions = channel.reap(kBatch);
      for (const auto& c : completions) {
        if (c.result.size() != payload.size()) throw std::runtime_error("a wrong echo");
      }
      done += completions.size();
      if (completions.empty() && prepared == 0) {
        channel.wait(std::chrono::nanoseconds::max(), channel.outstanding() / 2);
      }
    }
    now = seconds();
  }
  while (channel.outstanding() != 0) {
    channel.wait();
    channel.reap();
  }
  return double(done) / (now - start);
}

}  // namespace bench
