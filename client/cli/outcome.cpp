#include "client/cli/outcome.hpp"

#include <csignal>
#include <system_error>

#include "client/cli/human.hpp"
#include "common/exec_codec.hpp"

namespace jobring::cli {

int exit_status(Outcome outcome, std::int32_t detail) {
  switch (outcome) {
    case Outcome::ok:
      return 0;
    case Outcome::failed:
      return 1;
    case Outcome::timed_out:
      return 124;
    case Outcome::killed:
      return 128 + (detail < 0 ? -detail : SIGTERM);
    case Outcome::crashed:
      return detail > 0 && detail < 128 ? 128 + detail : 70;
    case Outcome::cancelled:
      return 130;
    case Outcome::expired:
      return 75;
    case Outcome::result_too_big:
      return 75;
    case Outcome::lost:
      return 69;
    case Outcome::unknown_handler:
      return 65;
    case Outcome::bad_request:
      return 65;
  }
  return 70;
}

std::string describe(Outcome outcome, std::int32_t detail, std::string_view message) {
  std::string text = [&]() -> std::string {
    switch (outcome) {
      case Outcome::failed:
        return message.empty() ? "failed" : "";
      case Outcome::crashed:
        return "the worker crashed (signal " + std::to_string(detail) + ")";
      case Outcome::expired:
        return "not started in time";
      case Outcome::lost:
        return message.empty() ? "lost: the daemon went away" : "lost";
      case Outcome::cancelled:
        return "withdrawn before it started";
      case Outcome::timed_out:
        return "timed out";
      case Outcome::result_too_big:
        return "the result is larger than the pool's max_result";
      case Outcome::unknown_handler:
        return message.empty() ? "unknown handler" : "";
      case Outcome::bad_request:
        return message.empty() ? "the handler cannot take this payload" : "";
      case Outcome::ok:
      case Outcome::killed:
        return to_string(outcome);
    }
    return to_string(outcome);
  }();
  if (outcome != Outcome::result_too_big && !message.empty()) {
    if (!text.empty()) text += ": ";
    text += message;
  }
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string describe(const CommandReport& report) {
  if (report.start_errno != 0) {
    return report.start_step + ": " + std::generic_category().message(report.start_errno);
  }
  if (report.timed_out) return "timed out after " + human_duration(report.wall_us * 1000);
  return {};
}

std::string JobEnd::truncation() const {
  std::string text;
  const auto add = [&text](const char* name, std::size_t kept, std::uint64_t total) {
    if (!text.empty()) text += ", ";
    text += std::string(name) + " was cut to " + human_size(kept) + " of " + human_size(total);
  };
  if (report.stdout_truncated) add("stdout", out.size(), report.stdout_total);
  if (report.stderr_truncated) add("stderr", err.size(), report.stderr_total);
  return text;
}

JobEnd judge(const Completion& completion, bool command) {
  JobEnd end;
  end.outcome = completion.outcome;
  end.attempts = completion.attempts;
  end.worker = completion.worker;
  end.queue_ns = completion.queue_ns;
  end.run_us = completion.run_us;
  if (command) {
    const auto bytes = completion.result;
    const auto decoded =
        decode_command_result({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
    if (decoded) {
      end.has_report = true;
      end.report = decoded->report;
      end.out = decoded->out;
      end.err = decoded->err;
      end.status = end.report.shell_status();
      end.signal = end.report.signal;
      end.problem = describe(end.report);
      return end;
    }
  }
  end.status = exit_status(completion.outcome, completion.detail);
  // Its status must not hide that the command never gave one.
  if (command && completion.outcome == Outcome::ok) end.status = 70;
  if (completion.outcome == Outcome::crashed) end.signal = completion.detail;
  if (end.status != 0) {
    end.problem = describe(completion.outcome, completion.detail, completion.text());
  } else {
    end.out = completion.text();
  }
  return end;
}

}  // namespace jobring::cli
