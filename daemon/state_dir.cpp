#include "daemon/state_dir.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>

#include "common/keeper_pool.hpp"
#include "common/pidfd.hpp"

namespace jobring {
namespace {

constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kEnvironmentMax = 16 << 20;  // bytes that are looked at of one process

Result<void> make_private(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return system_error("mkdir", path);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return system_error("open", path);
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return system_error("fstat", path);
  if (info.st_uid != geteuid())
    return Error{Errc::config, "belongs to user " + std::to_string(info.st_uid), path,
                 "name a directory of the daemon's own user in keeper.state_dir"};
  // A manager that made it for us (StateDirectory=) may have let others in.
  if ((info.st_mode & 0077) != 0 && fchmod(fd.get(), 0700) != 0) return system_error("chmod", path);
  return {};
}

std::string read_all(int fd, std::size_t most) {
  std::string text;
  std::array<char, 16384> buffer;
  while (text.size() < most) {
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer.data(), std::size_t(n));
  }
  return text;
}

// Whole or not at all: two daemons may do this at a time, and the first to link it has made it.
Result<std::string> id_of(const std::string& path) {
  const auto known = [&] {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    std::string id = file ? read_all(file.get(), 2 * kIdBytes) : "";
    return id.size() == 2 * kIdBytes && id.find_first_not_of("0123456789abcdef") == id.npos
               ? id
               : std::string();
  };
  if (std::string id = known(); !id.empty()) return id;
  unsigned char random[kIdBytes];
  if (getrandom(random, sizeof random, 0) != ssize_t(sizeof random))
    return system_error("getrandom");
  std::string id;
  for (const unsigned char byte : random) {
    id += "0123456789abcdef"[byte >> 4];
    id += "0123456789abcdef"[byte & 15];
  }
  const std::string draft = path + "." + std::to_string(getpid());
  const UniqueFd file(
      ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return system_error("open", draft);
  const bool written = write(file.get(), id.data(), id.size()) == ssize_t(id.size());
  const int linked = written ? link(draft.c_str(), path.c_str()) : -1;
  const int error = errno;
  unlink(draft.c_str());
  if (linked == 0) return id;
  if (std::string theirs = known(); !theirs.empty()) return theirs;
  return system_error("write", path, error);
}

using Listing = std::unique_ptr<DIR, decltype([](DIR* d) { closedir(d); })>;

// All but this one.
std::vector<pid_t> processes() {
  std::vector<pid_t> all;
  const Listing proc(opendir("/proc"));
  if (!proc) return all;
  while (const dirent* entry = readdir(proc.get())) {
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && end == name.data() + name.size() && pid != getpid())
      all.push_back(pid);
  }
  return all;
}

bool has_entry(std::string_view environment, std::string_view mark) {
  for (std::size_t begin = 0; begin < environment.size();) {
    const std::size_t end = std::min(environment.find('\0', begin), environment.size());
    if (environment.substr(begin, end - begin) == mark) return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

Result<StateDir> StateDir::open(const std::string& path) {
  std::error_code ignored;  // make_private() says it
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  StateDir dir;
  dir.path_ = path;
  if (auto made = make_private(path); !made) return made.error();
  if (auto made = make_private(dir.outputs()); !made) return made.error();
  const std::string lives = path + "/lives";
  dir.lives_.reset(::open(lives.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!dir.lives_) return system_error("open", lives);
  auto id = id_of(path + "/id");
  if (!id) return id.error();
  dir.id_ = std::move(*id);
  return dir;
}

std::string StateDir::outputs() const {
  return path_ + "/" + kKeeperOutputs;
}

std::string StateDir::mark() const {
  return std::string(kStateVariable) + "=" + id_;
}

Result<StateDir::Lock> StateDir::lock() {
  if (locked_) return Lock::ours;
  if (flock(lives_.get(), LOCK_EX | LOCK_NB) == 0) {
    locked_ = true;
    const std::string pid = std::to_string(getpid()) + "\n";
    // For whoever finds it taken.
    if (ftruncate(lives_.get(), 0) != 0 ||
        pwrite(lives_.get(), pid.data(), pid.size(), 0) != ssize_t(pid.size()))
      return system_error("write", path_ + "/lives");
    return Lock::ours;
  }
  if (errno != EWOULDBLOCK) return system_error("flock", path_ + "/lives");
  const std::vector<pid_t> all = holders();
  return std::find(all.begin(), all.end(), daemon()) != all.end() ? Lock::of_daemon
                                                                  : Lock::of_workers;
}

pid_t StateDir::daemon() const {
  char text[16] = {};
  return pread(lives_.get(), text, sizeof text - 1, 0) > 0 ? std::atoi(text) : 0;
}

std::vector<pid_t> StateDir::holders() const {
  std::vector<pid_t> found;
  struct stat ours;
  if (fstat(lives_.get(), &ours) != 0) return found;
  for (const pid_t pid : processes()) {
    const std::string directory = "/proc/" + std::to_string(pid) + "/fd";
    const Listing fds(opendir(directory.c_str()));
    if (!fds) continue;
    while (const dirent* entry = readdir(fds.get())) {
      struct stat info;
      if (fstatat(dirfd(fds.get()), entry->d_name, &info, 0) != 0) continue;
      if (info.st_dev != ours.st_dev || info.st_ino != ours.st_ino) continue;
      found.push_back(pid);
      break;
    }
  }
  return found;
}

// A number that is used again between look and signal would have to come round within microseconds.
std::size_t StateDir::kill_holders() const {
  const std::vector<pid_t> all = holders();
  for (const pid_t pid : all) kill(pid, SIGKILL);
  return all.size();
}

std::vector<pid_t> kill_marked(const std::string& mark) {
  std::vector<pid_t> there;
  for (const pid_t pid : processes()) {
    // First the process, then its environment: a number may be used again in between.
    const UniqueFd process = open_pidfd(pid);
    const UniqueFd file(
        ::open(("/proc/" + std::to_string(pid) + "/environ").c_str(), O_RDONLY | O_CLOEXEC));
    if (!process || !file || !has_entry(read_all(file.get(), kEnvironmentMax), mark)) continue;
    if (syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) == 0)
      there.push_back(pid);
  }
  return there;
}

}  // namespace jobring
