#include "client/cli/line_reader.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace jobring::cli {
namespace {

constexpr std::size_t kBlock = 64 * 1024;

}  // namespace

LineReader::LineReader(UniqueFd fd, std::string name, char separator, std::size_t most)
    : fd_(std::move(fd)), name_(std::move(name)), separator_(separator), most_(most) {}

Result<Pull> LineReader::fill() {
  pollfd ready = {fd_.get(), POLLIN, 0};
  if (poll(&ready, 1, 0) == 0) return Pull::later;
  block_.resize(kBlock);
  const ssize_t got = read(fd_.get(), block_.data(), block_.size());
  block_.resize(got > 0 ? std::size_t(got) : 0);
  at_ = 0;
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return Pull::later;
  if (got < 0) return system_error("read", name_);
  return got == 0 ? Pull::end : Pull::got;
}

void LineReader::keep(std::size_t from, std::size_t to) {
  const std::size_t room = most_ - partial_.size();
  const std::size_t length = to - from;
  if (length > room) cut_ = true;
  partial_.append(block_, from, std::min(length, room));
}

Result<Pull> LineReader::next(std::string& record, bool& too_long) {
  while (true) {
    const std::size_t end = block_.find(separator_, at_);
    if (at_ < block_.size()) {
      partial_ever_ = true;
      keep(at_, std::min(end, block_.size()));
    }
    const bool complete = end != std::string::npos;
    at_ = complete ? end + 1 : block_.size();
    if (!complete && !ended_) {
      const Result<Pull> filled = fill();
      if (!filled || *filled == Pull::later) return filled;
      if (*filled == Pull::end) ended_ = true;
      continue;
    }
    if (!complete && !partial_ever_) return Pull::end;
    record = std::move(partial_);
    too_long = cut_;
    partial_.clear();
    partial_ever_ = cut_ = false;
    return Pull::got;
  }
}

std::optional<std::uint64_t> LineReader::count() const {
  struct stat info = {};
  if (fstat(fd_.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  off_t place = lseek(fd_.get(), 0, SEEK_CUR);
  if (place < 0) return std::nullopt;
  std::string block(kBlock, '\0');
  std::uint64_t records = 0;
  char last = separator_;
  while (true) {
    const ssize_t got = pread(fd_.get(), block.data(), block.size(), place);
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    records += std::uint64_t(std::count(block.begin(), block.begin() + got, separator_));
    last = block[std::size_t(got) - 1];
    place += got;
  }
  return records + (last == separator_ ? 0 : 1);
}

}  // namespace jobring::cli
