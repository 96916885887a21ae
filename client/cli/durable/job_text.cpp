#include "client/cli/durable/job_text.hpp"

#include "client/cli/durable/texts.hpp"
#include "client/cli/human.hpp"
#include "client/cli/outcome.hpp"
#include "client/cli/shell_quote.hpp"
#include "common/excerpt.hpp"
#include "common/exec_codec.hpp"

namespace jobring::cli {
namespace {

constexpr std::size_t kWhatMost = 200;  // bytes

std::string pause_text(WallTime due, WallTime now) {
  if (due <= now) return "now";
  return "in " + human_duration(std::uint64_t(
                     std::chrono::duration_cast<std::chrono::nanoseconds>(due - now).count()));
}

std::string unmet_text(std::uint32_t unmet) {
  return "after " + std::to_string(unmet) + (unmet == 1 ? " job" : " jobs");
}

// A dead job that no attempt ended: the store then has `cancelled` as its end, or nothing.
bool buried(const DurableInfo& job) {
  return !job.last || job.last->outcome == Outcome::ok || job.last->outcome == Outcome::cancelled;
}

}  // namespace

std::optional<Command> command_in(const DurableInfo& job) {
  if (job.handler != kExecHandler || job.payload_left_out) return std::nullopt;
  const auto decoded = decode_command(
      {reinterpret_cast<const unsigned char*>(job.payload.data()), job.payload.size()});
  if (!decoded) return std::nullopt;
  return *decoded;
}

std::string command_text(const DurableInfo& job) {
  if (const auto command = command_in(job)) {
    const auto& argv = command->argv;
    // What `submit -c` made of it.
    if (argv.size() == 3 && argv[0] == "/bin/sh" && argv[1] == "-c") {
      return excerpt(one_line(argv[2]), kWhatMost);
    }
    return excerpt(one_line(shell_join(argv)), kWhatMost);
  }
  std::string text = job.handler;
  if (!job.payload.empty() && job.handler != kExecHandler) text += " " + job.payload;
  return excerpt(one_line(text), kWhatMost);
}

std::string what_text(const DurableInfo& job) {
  std::string text =
      job.options.name.empty() ? command_text(job) : excerpt(one_line(job.options.name), kWhatMost);
  if (job.index) text += " [" + std::to_string(*job.index) + "]";
  return text;
}

std::string ending_text(const AttemptInfo& attempt) {
  switch (attempt.outcome) {
    case Outcome::ok:
      return "exit 0";
    case Outcome::failed:
      if (attempt.signal != 0) return signal_name(attempt.signal);
      return attempt.exit_code > 0 ? "exit " + std::to_string(attempt.exit_code) : "failed";
    case Outcome::killed:
      return attempt.signal != 0 ? "killed by " + signal_name(attempt.signal) : "killed";
    case Outcome::crashed:
      return attempt.signal != 0 ? "crashed, " + signal_name(attempt.signal) : "crashed";
    case Outcome::timed_out:
      return "timed out";
    case Outcome::unknown_handler:
      return "no such handler";
    case Outcome::result_too_big:
      return "result too big";
    case Outcome::bad_request:
      return "bad payload";
    case Outcome::expired:
    case Outcome::cancelled:
    case Outcome::lost:
      break;
  }
  return to_string(attempt.outcome);
}

std::string note_text(const DurableInfo& job, WallTime now) {
  switch (job.state) {
    case JobState::delayed:
      if (job.unmet != 0) return unmet_text(job.unmet);
      return job.due ? pause_text(*job.due, now) : "";
    case JobState::ready:
      return job.attempts > 0 && job.last ? "had " + ending_text(*job.last) : "";
    case JobState::running:
      return job.stop_wanted ? "stopping" : "";
    case JobState::failed: {
      std::string text = job.last ? ending_text(*job.last) : "";
      if (job.due) text += (text.empty() ? "again " : ", again ") + pause_text(*job.due, now);
      return text;
    }
    case JobState::held:
      return job.unmet != 0 ? unmet_text(job.unmet) : "";
    case JobState::succeeded:
    case JobState::cancelled:
      return "";
    case JobState::dead:
      return buried(job) ? "buried" : ending_text(*job.last);
  }
  return "";
}

std::string problem_text(const DurableInfo& job) {
  if (job.state == JobState::succeeded) return "";
  if (job.state == JobState::cancelled) return "cancelled";
  if (buried(job)) return "buried";
  const AttemptInfo& end = *job.last;
  const auto report = decode_command_result(
      {reinterpret_cast<const unsigned char*>(job.result.data()), job.result.size()});
  if (job.handler == kExecHandler && !job.result.empty() && report) {
    return describe(report->report);
  }
  const std::string words = excerpt(one_line(end.tail.empty() ? job.result : end.tail));
  if (end.outcome == Outcome::failed) return words;
  return words.empty() ? ending_text(end) : ending_text(end) + ": " + words;
}

std::optional<std::chrono::nanoseconds> run_time(const DurableInfo& job, WallTime now) {
  // A job that was cancelled before its first attempt has an end, too.
  if (!job.last || job.last->number == 0 || job.last->started == WallTime()) return std::nullopt;
  const bool runs = job.state == JobState::running;
  // Of a job that runs, `last` may still be the attempt before.
  if (runs && job.last->ended != WallTime()) return std::nullopt;
  const auto took = (runs ? now : job.last->ended) - job.last->started;
  return std::max(took, WallTime::duration(0));
}

Color state_color(JobState state) {
  switch (state) {
    case JobState::running:
    case JobState::succeeded:
      return Color::green;
    case JobState::failed:
    case JobState::held:
      return Color::yellow;
    case JobState::dead:
      return Color::red;
    case JobState::cancelled:
      return Color::dim;
    case JobState::delayed:
    case JobState::ready:
      break;
  }
  return Color::none;
}

int job_status(const DurableInfo& job) {
  if (job.state == JobState::succeeded) return 0;
  if (job.state == JobState::cancelled) return 130;
  if (buried(job)) return 1;
  const AttemptInfo& end = *job.last;
  if (end.outcome == Outcome::failed || end.outcome == Outcome::killed) {
    if (end.signal > 0) return 128 + end.signal;
    if (end.exit_code > 0 && end.exit_code < 256) return end.exit_code;
  }
  return exit_status(end.outcome, end.outcome == Outcome::killed ? -end.signal : end.signal);
}

}  // namespace jobring::cli
