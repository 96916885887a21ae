#include "client/cli/human.hpp"

#include <cstdio>

namespace jobring::cli {
namespace {

// Three significant digits.
std::string digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value);
  return text;
}

std::string pair(std::uint64_t large, char large_unit, std::uint64_t small, char small_unit) {
  char text[48];
  std::snprintf(text, sizeof text, "%llu%c%02llu%c", static_cast<unsigned long long>(large),
                large_unit, static_cast<unsigned long long>(small), small_unit);
  return text;
}

}  // namespace

std::string human_duration(std::uint64_t ns) {
  if (ns < 1'000) return std::to_string(ns) + " ns";
  if (ns < 999'500) return digits(double(ns) / 1e3) + " µs";
  if (ns < 999'500'000) return digits(double(ns) / 1e6) + " ms";
  if (ns < 59'950'000'000) return digits(double(ns) / 1e9) + " s";
  const std::uint64_t seconds = (ns + 500'000'000) / 1'000'000'000;
  if (seconds < 3'600) return pair(seconds / 60, 'm', seconds % 60, 's');
  const std::uint64_t minutes = seconds / 60;
  if (minutes < 24 * 60) return pair(minutes / 60, 'h', minutes % 60, 'm');
  return pair(minutes / 1440, 'd', minutes / 60 % 24, 'h');
}

std::string human_size(std::uint64_t bytes) {
  static const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  double value = double(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 6) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  const bool whole = value == double(std::uint64_t(value));
  std::snprintf(text, sizeof text, whole || value >= 99.95 ? "%.0f %s" : "%.1f %s", value,
                units[unit]);
  return text;
}

std::string human_count(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

std::string human_rate(double per_second) {
  if (per_second >= 999'500) return digits(per_second / 1e6) + " M";
  if (per_second >= 99.95) return human_count(std::uint64_t(per_second + 0.5));
  return digits(per_second);
}

std::string progress_text(std::uint64_t done, std::uint64_t total, const std::string& words) {
  std::string line = std::to_string(done);
  if (total != 0) {
    line += " of " + std::to_string(total) + " (" +
            std::to_string(int(100.0 * double(done) / double(total))) + "%)";
  }
  return words.empty() ? line : line + ": " + words;
}

}  // namespace jobring::cli
