// The payload of "sleep": how long.
#pragma once

#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>
#include <string_view>

namespace jobring {

// "2", "2s", "0.5", "250ms", "100us", "1.5m", "2h": a number of seconds, or with a unit. Nothing if
// it is not that, is negative, or is more than a year.
inline std::optional<std::chrono::nanoseconds> parse_sleep(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number) || number < 0) return std::nullopt;
  const std::string_view unit(end, std::size_t(text.data() + text.size() - end));
  double seconds = 1;
  if (unit == "ms") {
    seconds = 1e-3;
  } else if (unit == "us") {
    seconds = 1e-6;
  } else if (unit == "m") {
    seconds = 60;
  } else if (unit == "h") {
    seconds = 3600;
  } else if (!unit.empty() && unit != "s") {
    return std::nullopt;
  }
  if (number * seconds > 366.0 * 86400) return std::nullopt;
  return std::chrono::nanoseconds(std::int64_t(number * seconds * 1e9));
}

}  // namespace jobring
