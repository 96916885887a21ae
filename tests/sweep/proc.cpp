#include "tests/sweep/proc.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace jobring::test {
namespace {

// No iostreams: these are read tens of thousands of times.
std::size_t read_proc(pid_t pid, const char* name, char* buffer, std::size_t size) {
  char path[128];
  std::snprintf(path, sizeof path, "/proc/%d/%s", int(pid), name);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t n = read(fd, buffer, size - 1);
  close(fd);
  buffer[n > 0 ? n : 0] = '\0';
  return n > 0 ? std::size_t(n) : 0;
}

constexpr auto kMoment = std::chrono::milliseconds(2);

}  // namespace

char process_state(pid_t pid) {
  char text[512];
  if (read_proc(pid, "stat", text, sizeof text) == 0) return 0;
  const char* name_end = std::strrchr(text, ')');
  return name_end != nullptr && name_end[1] == ' ' ? name_end[2] : char(0);
}

std::optional<std::uint64_t> processor_time(pid_t pid) {
  char text[128];
  if (read_proc(pid, "schedstat", text, sizeof text) == 0) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

std::vector<pid_t> children_of(pid_t pid) {
  char text[4096];
  std::vector<pid_t> children;
  char name[64];
  std::snprintf(name, sizeof name, "task/%d/children", int(pid));
  if (read_proc(pid, name, text, sizeof text) == 0) return children;
  char* at = text;
  for (char* end; const long child = std::strtol(at, &end, 10); at = end)
    children.push_back(pid_t(child));
  return children;
}

// The kernel lists them in the order of their making. Their numbers say nothing: they begin anew.
std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> threads;
  DIR* tasks = opendir(("/proc/" + std::to_string(pid) + "/task").c_str());
  if (tasks == nullptr) return threads;
  while (const dirent* entry = readdir(tasks)) {
    if (entry->d_name[0] != '.') threads.push_back(pid_t(std::atoi(entry->d_name)));
  }
  closedir(tasks);
  return threads;
}

bool come_to_rest(std::span<const pid_t> pids) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::vector<std::optional<std::uint64_t>> before(pids.size());
  for (;;) {
    bool rests = true;
    for (std::size_t i = 0; i < pids.size(); ++i) {
      const auto ran = processor_time(pids[i]);
      if (!ran) return false;  // it is gone
      rests = rests && process_state(pids[i]) == 'S' && ran == before[i];
      before[i] = ran;
    }
    if (rests) return true;
    if (std::chrono::steady_clock::now() > end) return false;
    usleep(useconds_t(std::chrono::microseconds(kMoment).count()));
  }
}

}  // namespace jobring::test
