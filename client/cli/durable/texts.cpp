#include "client/cli/durable/texts.hpp"

#include <signal.h>
#include <string.h>

#include <charconv>
#include <limits>
#include <optional>

#include "common/config/suggest.hpp"
#include "common/config/units.hpp"

namespace jobring::cli {
namespace {

Error wrong(const std::string& what, const std::string& hint = "") {
  return {Errc::usage, what, "", hint};
}

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

constexpr JobState kStates[] = {JobState::delayed, JobState::ready,     JobState::running,
                                JobState::held,    JobState::succeeded, JobState::failed,
                                JobState::dead,    JobState::cancelled};

}  // namespace

Result<JobArray> parse_array(const std::string& text) {
  const Error bad = wrong("\"" + text + "\" is no array", "write 1-100, 0-9:3 or 1-100%10");
  std::string_view rest = text;
  JobArray array;
  if (const std::size_t at = rest.find('%'); at != std::string_view::npos) {
    const auto most = integer(rest.substr(at + 1));
    if (!most || *most < 1 || *most > UINT32_MAX) return bad;
    array.at_once = std::uint32_t(*most);
    rest = rest.substr(0, at);
  }
  if (const std::size_t at = rest.find(':'); at != std::string_view::npos) {
    const auto step = integer(rest.substr(at + 1));
    if (!step || *step < 1) return bad;
    array.step = *step;
    rest = rest.substr(0, at);
  }
  const std::size_t dash = rest.find('-', 1);  // -3-5 begins at -3
  const auto first = integer(rest.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : integer(rest.substr(dash + 1));
  if (!first || !last || *last < *first) return bad;
  array.first = *first;
  array.last = *last;
  return array;
}

std::string array_text(const JobArray& array) {
  std::string text = std::to_string(array.first) + "-" + std::to_string(array.last);
  if (array.step != 1) text += ":" + std::to_string(array.step);
  if (array.at_once != 0) text += "%" + std::to_string(array.at_once);
  return text;
}

std::vector<std::string> split_commas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    if (comma != 0) parts.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return parts;
}

Result<std::int64_t> parse_integer(const std::string& text, std::int64_t least, std::int64_t most) {
  const auto value = integer(text);
  if (value && *value >= least && *value <= most) return *value;
  return wrong("\"" + text + "\" is no whole number from " + std::to_string(least) + " to " +
               std::to_string(most));
}

Result<std::vector<std::int64_t>> parse_integers(const std::string& text, std::int64_t least,
                                                 std::int64_t most) {
  std::vector<std::int64_t> values;
  for (const std::string& part : split_commas(text)) {
    const auto value = parse_integer(part, least, most);
    if (!value) return value.error();
    values.push_back(*value);
  }
  if (values.empty()) return wrong("a list of numbers is empty", "write 1,75");
  return values;
}

Result<std::pair<std::string, std::uint32_t>> parse_key(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  const Error bad = wrong("\"" + text + "\" is no key with a number", "write gpu=2");
  if (equals == std::string::npos || equals == 0) return bad;
  const auto most = integer(std::string_view(text).substr(equals + 1));
  if (!most || *most < 1 || *most > UINT32_MAX) return bad;
  return std::pair(text.substr(0, equals), std::uint32_t(*most));
}

Result<void> parse_backoff(const std::string& text, RetryPolicy& retry) {
  const std::size_t dots = text.find("..");
  const auto base = parse_duration(text.substr(0, dots));
  if (!base) return base.error();
  retry.base = std::chrono::ceil<std::chrono::milliseconds>(*base);
  if (dots == std::string::npos) {
    retry.cap = std::max(retry.cap, retry.base);
    return {};
  }
  const auto cap = parse_duration(text.substr(dots + 2));
  if (!cap) return cap.error();
  retry.cap = std::chrono::ceil<std::chrono::milliseconds>(*cap);
  if (retry.cap < retry.base) {
    return wrong("\"" + text + "\": the longest pause is shorter than the first", "write 10s..5m");
  }
  return {};
}

Result<JobState> parse_state(const std::string& text) {
  for (const JobState state : kStates) {
    if (text == to_string(state)) return state;
  }
  const std::string near = nearest(text, state_names());
  std::string all;
  for (const std::string& name : state_names()) all += (all.empty() ? "" : ", ") + name;
  return wrong("\"" + text + "\" is no state",
               near.empty() ? "one of " + all : "did you mean \"" + near + "\"?");
}

std::vector<std::string> state_names() {
  std::vector<std::string> names;
  for (const JobState state : kStates) names.emplace_back(to_string(state));
  return names;
}

Result<int> parse_signal(const std::string& text) {
  const auto number = integer(text);
  if (number && *number > 0 && *number < NSIG) return int(*number);
  const std::string name = text.starts_with("SIG") ? text.substr(3) : text;
  for (int signal = 1; signal < NSIG && !name.empty(); ++signal) {
    const char* known = sigabbrev_np(signal);
    if (known != nullptr && name == known) return signal;
  }
  return wrong("\"" + text + "\" is no signal", "write TERM, SIGTERM or 15");
}

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

Result<std::vector<std::string>> split_words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else if (c == '\\' && quote == '"' && i + 1 < line.size() &&
                 (line[i + 1] == '"' || line[i + 1] == '\\')) {
        word += line[++i];
      } else {
        word += c;
      }
      continue;
    }
    if (c == ' ' || c == '\t' || c == '\r') {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
      continue;
    }
    if (c == '#' && !in_word) break;
    in_word = true;
    if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '\\' && i + 1 < line.size()) {
      word += line[++i];
    } else {
      word += c;
    }
  }
  if (quote != 0) return wrong(std::string("a ") + quote + " is not closed");
  if (in_word) words.push_back(std::move(word));
  return words;
}

}  // namespace jobring::cli
