#include "worker/exec/capture.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <ctime>
#include <limits>

namespace jobring {
namespace {

constexpr std::size_t kReadSize = 64 * 1024;   // bytes, as much as a pipe holds
constexpr std::size_t kPipeMax = 1024 * 1024;  // bytes, what a user may make a pipe hold

bool make_pipe(UniqueFd& read_end, UniqueFd& write_end) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return false;
  read_end.reset(fds[0]);
  write_end.reset(fds[1]);
  return true;
}

// A write to a pipe that nobody reads raised SIGPIPE; it is blocked, and must be gone before it no
// longer is.
void swallow_sigpipe() {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  const timespec at_once{};
  sigtimedwait(&pipe, nullptr, &at_once);
}

}  // namespace

OutputRoom::OutputRoom(std::size_t room, std::uint64_t each_max)
    : room_(room),
      each_max_(each_max == 0 ? std::numeric_limits<std::size_t>::max() : std::size_t(each_max)) {}

void OutputRoom::add(Stream stream, std::string_view bytes) {
  Kept& kept = kept_[stream];
  Kept& stdout_kept = kept_[out];
  kept.total += bytes.size();
  if (kept.file) return kept.file->add(bytes);
  const std::size_t other = kept_[stream == out ? err : out].text.size();
  // Neither bound ever grows: stderr only grows, and stdout gives way only to a stderr that is at
  // its bound (invariant 2).
  std::size_t most = room_ - other;
  if (stream == err) most = std::max(most, room_ / 4);
  most = std::min(most, each_max_);
  if (most > kept.text.size()) kept.text.append(bytes.substr(0, most - kept.text.size()));
  if (stream == err && stdout_kept.text.size() > room_ - kept.text.size()) {
    stdout_kept.text.resize(room_ - kept.text.size());
  }
}

bool CapturePipe::open() {
  return make_pipe(read_end_, write_end_) && fcntl(read_end_.get(), F_SETFL, O_NONBLOCK) == 0;
}

bool CapturePipe::read_into(OutputRoom& room, OutputRoom::Stream stream) {
  char bytes[kReadSize];
  const ssize_t count = read(read_end_.get(), bytes, sizeof bytes);
  if (count <= 0) return false;
  room.add(stream, {bytes, std::size_t(count)});
  return true;
}

void CapturePipe::drain_into(OutputRoom& room, OutputRoom::Stream stream) {
  for (std::size_t i = 0; i < kPipeMax / kReadSize && read_into(room, stream); ++i) {
  }
}

bool FeedPipe::open(std::string_view text) {
  rest_ = text;
  if (!make_pipe(read_end_, write_end_)) return false;
  // The smallest pipe holds a page.
  if (text.size() > PIPE_BUF && fcntl(write_end_.get(), F_SETFL, O_NONBLOCK) != 0) return false;
  feed();
  return true;
}

void FeedPipe::feed() {
  const ssize_t count = write(write_end_.get(), rest_.data(), rest_.size());
  if (count >= 0) {
    rest_.remove_prefix(std::size_t(count));
  } else if (errno == EPIPE) {
    swallow_sigpipe();
    rest_ = {};
  } else if (errno != EAGAIN) {
    rest_ = {};
  }
  if (rest_.empty()) write_end_.reset();
}

}  // namespace jobring
