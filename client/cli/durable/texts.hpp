// Small notations of `jobring submit`: arrays, lists, keys, pauses.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jobring/durable.hpp>

#include "common/result.hpp"

namespace jobring::cli {

// "1-100", "0-9:3" (0, 3, 6, 9), "1-100%10" (ten at a time), "7" (one member).
Result<JobArray> parse_array(const std::string& text);
// The text that parses to it.
std::string array_text(const JobArray& array);

// "1,75": each from `least` to `most`.
Result<std::vector<std::int64_t>> parse_integers(const std::string& text, std::int64_t least,
                                                 std::int64_t most);
Result<std::int64_t> parse_integer(const std::string& text, std::int64_t least, std::int64_t most);
// At comma signs; no empty parts.
std::vector<std::string> split_commas(std::string_view text);

// "gpu=2": at most two jobs with the key gpu at a time. The last '=' counts.
Result<std::pair<std::string, std::uint32_t>> parse_key(const std::string& text);

// "10s..5m", "10s": into base and cap of the policy.
Result<void> parse_backoff(const std::string& text, RetryPolicy& retry);

// "ready" → JobState::ready. `waiting` and `ended` are not states: see selection.hpp.
Result<JobState> parse_state(const std::string& text);
std::vector<std::string> state_names();

// "9", "TERM", "SIGTERM".
Result<int> parse_signal(const std::string& text);
// "SIGTERM", or "signal 63".
std::string signal_name(int signal);

// Words as a shell splits them: blanks separate, ' and " and \ quote, nothing is expanded; from a
// # that begins a word on, the rest is a comment.
Result<std::vector<std::string>> split_words(std::string_view line);

}  // namespace jobring::cli
