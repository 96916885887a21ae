#include "client/cli/durable/parts.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "common/result.hpp"

namespace jobring::cli {
namespace {

// Whoever else follows another stream may have long to wait: if nobody takes our output we leave.
void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const Error error = system_error("write", fd == STDOUT_FILENO ? "stdout" : "stderr");
      std::fprintf(stderr, "jobring: %s\n", error.line().c_str());
      std::_Exit(exit_status(error.code));
    }
    bytes.remove_prefix(std::size_t(n));
  }
}

bool same_file() {
  struct stat out {
  }, err{};
  return fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
         out.st_dev == err.st_dev && out.st_ino == err.st_ino;
}

}  // namespace

Parts::Parts() : Parts(std::map<JobId, std::string>()) {}

Parts::Parts(std::map<JobId, std::string> names)
    : names_(std::move(names)), same_file_(same_file()) {}

void Parts::name(Stream& to, int fd, JobId job) {
  if (names_.empty() || to.last == job) return;
  std::string line = to.in_line ? "\n" : "";
  if (to.last != 0) line += '\n';
  line += "==> job " + std::to_string(job);
  const auto found = names_.find(job);
  if (found != names_.end() && !found->second.empty()) line += ": " + found->second;
  write_all(fd, line + " <==\n");
  to.last = job;
  to.in_line = false;
}

void Parts::begin(JobId job, bool of_stderr) {
  const std::lock_guard guard(mutex_);
  name(stream(of_stderr), of_stderr ? STDERR_FILENO : STDOUT_FILENO, job);
}

void Parts::write(JobId job, bool of_stderr, std::string_view bytes) {
  if (bytes.empty()) return;
  const int fd = of_stderr ? STDERR_FILENO : STDOUT_FILENO;
  // Nobody else is there: stdout and stderr do not wait for each other.
  if (names_.empty()) return write_all(fd, bytes);
  const std::lock_guard guard(mutex_);
  Stream& to = stream(of_stderr);
  name(to, fd, job);
  write_all(fd, bytes);
  to.in_line = bytes.back() != '\n';
}

}  // namespace jobring::cli
