#include "client/cli/daemon_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jobring::cli {

Result<std::string> default_log_path(const char* (*getenv)(const char*)) {
  // XDG: a relative path is to be ignored.
  const char* state = getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return std::string(state) + "/jobring/jobringd.log";
  const char* home = getenv("HOME");
  if (home != nullptr && *home == '/')
    return std::string(home) + "/.local/state/jobring/jobringd.log";
  return Error{Errc::usage, "there is no place for the daemon's log", "",
               "set HOME, or give --log FILE"};
}

Result<UniqueFd> open_log(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string directory = path.substr(0, slash);
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
      return system_error("mkdir", directory);
  }
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd) return system_error("open", path);
  return fd;
}

std::string tail(const std::string& path, off_t from, int lines) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info = {};
  if (!fd || fstat(fd.get(), &info) != 0) return {};
  constexpr off_t kMost = 16 * 1024;
  if (info.st_size - from > kMost) from = info.st_size - kMost;
  std::string text(kMost, '\0');
  const ssize_t got = pread(fd.get(), text.data(), text.size(), from);
  text.resize(got > 0 ? std::size_t(got) : 0);
  std::size_t start = text.size();
  if (text.ends_with('\n')) --start;  // it closes the last line, it does not start one
  for (int i = 0; i < lines; ++i) {
    const std::size_t newline = start == 0 ? std::string::npos : text.rfind('\n', start - 1);
    if (newline == std::string::npos) return text;
    start = newline;
  }
  return text.substr(start + 1);
}

}  // namespace jobring::cli
