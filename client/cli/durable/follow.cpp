#include "client/cli/durable/follow.hpp"

#include <algorithm>
#include <exception>
#include <thread>

#include "client/client_core.hpp"

namespace jobring::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kBlock = 64 * 1024;
// What is waited for may never come: ask again now and then, so that a keeper that was restarted
// meanwhile is asked, too.
constexpr auto kPatience = 30s;
// Between attempts nobody tells us that the next one has begun.
constexpr auto kLookFirst = 10ms, kLookMost = 500ms;

// Where the last `lines` lines begin of what there is now.
std::uint64_t tail_offset(DurableJobs& jobs, JobId id, bool of_stderr, std::uint32_t attempt,
                          std::uint64_t lines) {
  const LogPart last = jobs.logs(id, of_stderr, -1, 1, attempt);
  std::uint64_t from = last.offset + last.bytes.size();
  std::uint64_t left = lines;
  bool at_end = true;
  while (from > 0) {
    const std::uint64_t size = std::min(from, kBlock);
    const LogPart part = jobs.logs(id, of_stderr, std::int64_t(from - size), size, attempt);
    std::string_view bytes = part.bytes;
    if (bytes.empty()) return from;
    // The newline at the very end ends the last line; one before a block ends the line before.
    if (at_end && bytes.ends_with('\n')) bytes.remove_suffix(1);
    at_end = false;
    while (left > 0) {
      const std::size_t newline = bytes.rfind('\n');
      if (newline == bytes.npos) break;
      if (--left == 0) return part.offset + newline + 1;
      bytes = bytes.substr(0, newline);
    }
    if (left == 0) return from;
    from = part.offset;
  }
  return 0;
}

// One stream of one attempt, from `offset` to its end.
void follow_stream(DurableJobs& jobs, JobId id, bool of_stderr, std::uint32_t attempt,
                   std::uint64_t offset, Parts& to) {
  while (true) {
    const LogPart part = jobs.logs(id, of_stderr, std::int64_t(offset), kBlock, attempt, kPatience);
    if (!part.bytes.empty()) {
      to.write(id, of_stderr, part.bytes);
      offset = part.offset + part.bytes.size();
    }
    if (part.end) return;
  }
}

void follow_attempt(DurableJobs& jobs, JobId id, const FollowWhat& what, std::uint32_t attempt,
                    Parts& to) {
  const auto stream = [&](bool of_stderr) {
    std::uint64_t offset = 0;
    if (what.tail) offset = tail_offset(jobs, id, of_stderr, attempt, *what.tail);
    follow_stream(jobs, id, of_stderr, attempt, offset, to);
  };
  if (!what.out || !what.err) return stream(what.err);
  std::exception_ptr failed;
  std::thread of_err([&] {
    try {
      stream(true);
    } catch (...) {
      failed = std::current_exception();
    }
  });
  try {
    stream(false);
  } catch (...) {
    of_err.join();
    throw;
  }
  of_err.join();
  if (failed) std::rethrow_exception(failed);
}

DurableInfo look(DurableJobs& jobs, JobId id) {
  JobPage page = jobs.list({.ids = {{id, id}}}, 1);
  if (page.jobs.empty()) {
    detail::throw_error({Errc::bad_input, "no job " + std::to_string(id), "", ""});
  }
  return std::move(page.jobs.front());
}

// Until attempt number `attempt` has begun; false: the job ended without it.
bool wait_begun(DurableJobs& jobs, JobId id, std::uint32_t attempt) {
  std::chrono::milliseconds pause = kLookFirst;
  while (true) {
    const DurableInfo job = look(jobs, id);
    if (job.attempts >= attempt) return true;
    if (has_ended(job.state)) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min<std::chrono::milliseconds>(pause * 2, kLookMost);
  }
}

}  // namespace

void follow(DurableJobs& jobs, JobId id, const FollowWhat& what, Parts& to) {
  FollowWhat now = what;
  std::uint32_t attempt = what.attempt;
  if (attempt == 0) attempt = std::max<std::uint32_t>(look(jobs, id).attempts, 1);
  while (wait_begun(jobs, id, attempt)) {
    follow_attempt(jobs, id, now, attempt, to);
    if (what.attempt != 0) return;
    ++attempt;
    now.tail.reset();  // of what comes, everything
  }
}

bool read_output(DurableJobs& jobs, JobId id, bool of_stderr, std::uint32_t attempt,
                 std::optional<std::uint64_t> tail,
                 const std::function<void(std::string_view)>& take) {
  std::uint64_t offset = 0;
  if (tail) offset = tail_offset(jobs, id, of_stderr, attempt, *tail);
  while (true) {
    const LogPart part = jobs.logs(id, of_stderr, std::int64_t(offset), kBlock, attempt);
    take(part.bytes);
    offset = part.offset + part.bytes.size();
    if (part.bytes.empty() || part.end) return !part.cut;
  }
}

}  // namespace jobring::cli
