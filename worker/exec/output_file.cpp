#include "worker/exec/output_file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace jobring {

void OutputFile::give_up(const char* what) {
  std::fprintf(stderr, "the output of a durable command is not kept: %s %s/%s: %s\n", what,
               directory_.c_str(), name_.c_str(), std::strerror(errno));
  over_ = true;
  file_.reset();
}

bool OutputFile::open() {
  if (mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) {
    give_up("mkdir");
    return false;
  }
  const UniqueFd directory(
      ::open(directory_.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) {
    give_up("open the directory of");
    return false;
  }
  // A file of that name is of an attempt with this very number: of a store that was restored from
  // an older copy.
  if (unlinkat(directory.get(), name_.c_str(), 0) != 0 && errno != ENOENT) {
    give_up("unlink");
    return false;
  }
  file_.reset(openat(directory.get(), name_.c_str(),
                     O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file_) {
    give_up("open");
    return false;
  }
  rlimit size;
  if (getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_cur != RLIM_INFINITY)
    most_ = std::min<std::uint64_t>(most_, size.rlim_cur);
  return true;
}

void OutputFile::add(std::string_view bytes) {
  if (over_ || bytes.empty() || (!file_ && !open())) return;
  bytes = bytes.substr(0, std::min<std::uint64_t>(bytes.size(), most_ - kept_));
  while (!bytes.empty()) {
    const ssize_t count = write(file_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return give_up("write");
    kept_ += std::uint64_t(count);
    bytes.remove_prefix(std::size_t(count));
  }
  if (kept_ < most_) return;
  over_ = true;
  file_.reset();
}

}  // namespace jobring
