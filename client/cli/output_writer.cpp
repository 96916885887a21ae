#include "client/cli/output_writer.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace jobring::cli {
namespace {

constexpr std::size_t kBlock = 64 * 1024;

}  // namespace

// A write that a signal interrupts is taken up again by the next flush(): the caller sees the
// signal first.
bool OutputWriter::write_all(int fd, std::string& bytes) {
  std::size_t written = 0;
  bool complete = true;
  while (written < bytes.size()) {
    const ssize_t n = write(fd, bytes.data() + written, bytes.size() - written);
    if (n >= 0) {
      written += std::size_t(n);
      continue;
    }
    if (errno == EINTR) {
      complete = false;
      break;
    }
    if (errno == EAGAIN) {  // somebody made it non-blocking
      pollfd ready = {fd, POLLOUT, 0};
      if (poll(&ready, 1, -1) >= 0) continue;
      complete = false;
      break;
    }
    if (fd == STDOUT_FILENO) (errno == EPIPE ? closed_ : (error_ = errno, closed_)) = true;
    written = bytes.size();
  }
  bytes.erase(0, written);
  return complete;
}

void OutputWriter::wipe_footer() {
  if (!footer_drawn_) return;
  footer_drawn_ = false;
  std::string wipe = "\r\033[K";
  write_all(STDERR_FILENO, wipe);
}

void OutputWriter::out(std::string_view bytes) {
  if (bytes.empty() || closed_) return;
  if (!err_.empty()) flush();
  out_ += bytes;
  if (out_.size() >= kBlock) flush();
}

void OutputWriter::err(std::string_view bytes) {
  if (bytes.empty()) return;
  if (!out_.empty()) flush();
  err_ += bytes;
  if (err_.size() >= kBlock) flush();
}

void OutputWriter::set_footer(std::string line) {
  if (line == footer_) return;
  wipe_footer();
  footer_ = std::move(line);
}

void OutputWriter::flush() {
  // At most one of the two holds anything, unless a signal interrupted a write before; then stdout
  // was first.
  if (!out_.empty() || !err_.empty()) wipe_footer();
  if (closed_) out_.clear();
  if (!out_.empty() && !write_all(STDOUT_FILENO, out_)) return;
  if (!err_.empty() && !write_all(STDERR_FILENO, err_)) return;
  if (!footer_.empty() && !footer_drawn_) {
    std::string text = footer_;
    footer_drawn_ = write_all(STDERR_FILENO, text);
  }
}

}  // namespace jobring::cli
