#include "client/cli/joblog.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

#include "client/cli/line_reader.hpp"
#include "client/cli/shell_quote.hpp"

namespace jobring::cli {

std::string format(const JobLogEntry& entry) {
  char head[160];
  std::snprintf(head, sizeof head, "%llu\t:\t%.3f\t%10.3f\t0\t%llu\t%d\t%d\t",
                static_cast<unsigned long long>(entry.seq), entry.started, entry.runtime,
                static_cast<unsigned long long>(entry.received), entry.status, entry.signal);
  return head + one_line(entry.command) + "\n";
}

void SeqSet::add(std::uint64_t seq) {
  auto after = ranges_.upper_bound(seq);
  if (after != ranges_.begin()) {
    const auto before = std::prev(after);
    if (before->second >= seq) return;
    if (before->second + 1 == seq) {
      before->second = seq;
      if (after != ranges_.end() && after->first == seq + 1) {
        before->second = after->second;
        ranges_.erase(after);
      }
      return;
    }
  }
  if (after != ranges_.end() && after->first == seq + 1) {
    const std::uint64_t last = after->second;
    after = ranges_.erase(after);
    ranges_.emplace_hint(after, seq, last);
    return;
  }
  ranges_.emplace_hint(after, seq, seq);
}

bool SeqSet::contains(std::uint64_t seq) const {
  const auto after = ranges_.upper_bound(seq);
  return after != ranges_.begin() && std::prev(after)->second >= seq;
}

std::optional<std::uint64_t> parse_joblog_seq(std::string_view line) {
  // Eight tabs: a line that a crash cut short is not believed.
  if (std::count(line.begin(), line.end(), '\t') < 8) return std::nullopt;
  std::uint64_t seq = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), seq);
  if (error != std::errc() || *end != '\t') return std::nullopt;
  return seq;
}

Result<JobLog> JobLog::open(const std::string& path, bool resume, SeqSet& done) {
  JobLog log;
  log.path_ = path;
  log.fd_.reset(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | (resume ? 0 : O_TRUNC), 0666));
  if (!log.fd_) return system_error("open", path);
  struct stat info = {};
  if (fstat(log.fd_.get(), &info) != 0) return system_error("stat", path);
  if (info.st_size == 0) {
    log.pending_ = kJobLogHeader;
    return log;
  }
  constexpr std::size_t kLineMost = 4096;  // the number stands in front
  LineReader reader(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), path, '\n', kLineMost);
  std::string line;
  bool cut = false;
  while (true) {
    const auto pulled = reader.next(line, cut);
    if (!pulled) return pulled.error();
    if (*pulled != Pull::got) break;
    if (const auto seq = parse_joblog_seq(line)) done.add(*seq);
  }
  char last = '\n';
  if (pread(log.fd_.get(), &last, 1, info.st_size - 1) == 1 && last != '\n') log.pending_ = "\n";
  return log;
}

Result<void> JobLog::flush() {
  std::size_t written = 0;
  while (written < pending_.size()) {
    const ssize_t n = write(fd_.get(), pending_.data() + written, pending_.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("write", path_);
    written += std::size_t(n);
  }
  pending_.clear();
  return {};
}

}  // namespace jobring::cli
