#include "client/cli/durable/when.hpp"

#include <charconv>
#include <cstdio>
#include <ctime>
#include <optional>
#include <string_view>

#include "client/cli/human.hpp"
#include "common/config/units.hpp"

namespace jobring::cli {
namespace {

using namespace std::chrono;

Error no_time(const std::string& text) {
  return {Errc::usage, "\"" + text + "\" is no time", "",
          "write 2026-11-22 08:00, 08:00, tomorrow 08:00, +5m or @1795334400"};
}

// Reads a text from its front.
struct Scanner {
  std::string_view rest;

  bool take(char c) {
    if (!rest.starts_with(c)) return false;
    rest.remove_prefix(1);
    return true;
  }
  bool take(std::string_view word) {
    if (!rest.starts_with(word)) return false;
    rest.remove_prefix(word.size());
    return true;
  }
  // Exactly so many digits.
  std::optional<int> digits(std::size_t count) {
    int value = 0;
    if (rest.size() < count) return std::nullopt;
    for (const char c : rest.substr(0, count)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    rest.remove_prefix(count);
    return value;
  }
};

struct ClockTime {
  int hour = 0, minute = 0, second = 0, millisecond = 0;
};

std::optional<ClockTime> scan_clock(Scanner& scan) {
  ClockTime clock;
  const auto hour = scan.digits(2);
  if (!hour || !scan.take(':')) return std::nullopt;
  const auto minute = scan.digits(2);
  if (!minute) return std::nullopt;
  clock.hour = *hour;
  clock.minute = *minute;
  if (scan.take(':')) {
    const auto second = scan.digits(2);
    if (!second) return std::nullopt;
    clock.second = *second;
    if (scan.take('.')) {
      const auto millisecond = scan.digits(3);
      if (!millisecond) return std::nullopt;
      clock.millisecond = *millisecond;
    }
  }
  if (clock.hour > 23 || clock.minute > 59 || clock.second > 59) return std::nullopt;
  return clock;
}

// Minutes east of Greenwich; nullopt if there is no zone, or what stands there is none.
std::optional<int> scan_zone(Scanner& scan) {
  if (scan.take('Z') || scan.take('z')) return 0;
  const bool east = scan.rest.starts_with('+');
  if (!scan.take('+') && !scan.take('-')) return std::nullopt;
  const auto hours = scan.digits(2);
  scan.take(':');
  const auto minutes = scan.digits(2);
  if (!hours || !minutes || *hours > 14 || *minutes > 59) return std::nullopt;
  const int offset = *hours * 60 + *minutes;
  return east ? offset : -offset;
}

std::tm make_tm(int year, int month, int day, const ClockTime& clock) {
  std::tm tm = {};
  tm.tm_year = year - 1900;
  tm.tm_mon = month - 1;
  tm.tm_mday = day;
  tm.tm_hour = clock.hour;
  tm.tm_min = clock.minute;
  tm.tm_sec = clock.second;
  tm.tm_isdst = -1;
  return tm;
}

bool same_clock(const std::tm& a, const std::tm& b) {
  return a.tm_year == b.tm_year && a.tm_mon == b.tm_mon && a.tm_mday == b.tm_mday &&
         a.tm_hour == b.tm_hour && a.tm_min == b.tm_min && a.tm_sec == b.tm_sec;
}

// nullopt: there is no such time. Of two, the first: summer time's.
std::optional<WallTime> local(const std::tm& wanted, int millisecond) {
  std::optional<WallTime> found;
  for (const int summer : {1, 0, -1}) {
    std::tm tm = wanted;
    tm.tm_isdst = summer;
    const std::time_t seconds = mktime(&tm);
    std::tm shown = {};
    if (localtime_r(&seconds, &shown) == nullptr || !same_clock(shown, wanted)) continue;
    const WallTime time = WallTime(std::chrono::seconds(seconds)) + milliseconds(millisecond);
    if (!found || time < *found) found = time;
  }
  return found;
}

std::optional<WallTime> utc(std::tm tm, int millisecond, int offset_minutes) {
  const std::tm wanted = tm;
  const std::time_t seconds = timegm(&tm);
  if (!same_clock(tm, wanted)) return std::nullopt;  // the 31st of June
  return WallTime(std::chrono::seconds(seconds)) + milliseconds(millisecond) -
         minutes(offset_minutes);
}

std::tm local_now(WallTime now, int days_later) {
  const std::time_t seconds = system_clock::to_time_t(now);
  std::tm tm = {};
  localtime_r(&seconds, &tm);
  tm.tm_mday += days_later;
  tm.tm_hour = 12;  // far from any change of the clock
  tm.tm_isdst = -1;
  mktime(&tm);  // the 32nd becomes the 1st
  return tm;
}

std::optional<WallTime> day_at(WallTime now, int days_later, const ClockTime& clock) {
  const std::tm day = local_now(now, days_later);
  return local(make_tm(day.tm_year + 1900, day.tm_mon + 1, day.tm_mday, clock), clock.millisecond);
}

std::optional<WallTime> parse_epoch(std::string_view digits) {
  std::int64_t seconds = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, seconds);
  // Beyond the year 9999 it is a mistake: milliseconds, say.
  if (digits.empty() || error != std::errc() || stop != end || seconds < 0 ||
      seconds > 253'402'300'799) {
    return std::nullopt;
  }
  return WallTime(std::chrono::seconds(seconds));
}

std::optional<WallTime> parse_clock_only(Scanner scan, WallTime now) {
  const auto clock = scan_clock(scan);
  if (!clock || !scan.rest.empty()) return std::nullopt;
  const auto today = day_at(now, 0, *clock);
  return today && *today > now ? today : day_at(now, 1, *clock);
}

std::optional<WallTime> parse_day(Scanner scan, WallTime now, int days_later) {
  ClockTime clock;
  if (!scan.rest.empty()) {
    if (!scan.take(' ')) return std::nullopt;
    const auto given = scan_clock(scan);
    if (!given || !scan.rest.empty()) return std::nullopt;
    clock = *given;
  }
  return day_at(now, days_later, clock);
}

std::optional<WallTime> parse_date(Scanner scan) {
  const auto year = scan.digits(4);
  if (!year || !scan.take('-')) return std::nullopt;
  const auto month = scan.digits(2);
  if (!month || !scan.take('-')) return std::nullopt;
  const auto day = scan.digits(2);
  if (!day || *year < 1970 || *month < 1 || *month > 12 || *day < 1 || *day > 31) {
    return std::nullopt;
  }
  ClockTime clock;
  if (!scan.rest.empty()) {
    if (!scan.take(' ') && !scan.take('T')) return std::nullopt;
    const auto given = scan_clock(scan);
    if (!given) return std::nullopt;
    clock = *given;
  }
  const std::tm tm = make_tm(*year, *month, *day, clock);
  if (scan.rest.empty()) return local(tm, clock.millisecond);
  scan.take(' ');
  const auto zone = scan_zone(scan);
  if (!zone || !scan.rest.empty()) return std::nullopt;
  return utc(tm, clock.millisecond, *zone);
}

}  // namespace

Result<WallTime> parse_when(const std::string& text, WallTime now) {
  Scanner scan{text};
  if (text == "now") return now;
  if (scan.take('+')) {
    const auto later = parse_duration(std::string(scan.rest));
    if (!later) return Error{Errc::usage, later.error().what, "", later.error().hint};
    return now + ceil<milliseconds>(*later);
  }
  std::optional<WallTime> found;
  if (scan.take('@')) {
    found = parse_epoch(scan.rest);
  } else if (scan.take("tomorrow")) {
    found = parse_day(scan, now, 1);
  } else if (scan.take("today")) {
    found = parse_day(scan, now, 0);
  } else if (text.size() >= 10 && text.find_first_not_of("0123456789") == std::string::npos) {
    found = parse_epoch(text);
  } else if (text.find('-') == 4) {
    found = parse_date(scan);
  } else {
    found = parse_clock_only(scan, now);
  }
  if (!found) return no_time(text);
  return *found;
}

Result<WallTime> parse_past(const std::string& text, WallTime now) {
  if (const auto age = parse_duration(text)) return now - ceil<milliseconds>(*age);
  return parse_when(text, now);
}

std::string local_time(WallTime time) {
  const std::time_t seconds = system_clock::to_time_t(floor<std::chrono::seconds>(time));
  std::tm tm = {};
  char text[32] = "";
  if (localtime_r(&seconds, &tm) != nullptr) std::strftime(text, sizeof text, "%F %T", &tm);
  return text;
}

std::string utc_time(WallTime time) {
  const auto whole = floor<std::chrono::seconds>(time);
  const std::time_t seconds = system_clock::to_time_t(whole);
  std::tm tm = {};
  char text[32] = "", all[48] = "";
  if (gmtime_r(&seconds, &tm) != nullptr) std::strftime(text, sizeof text, "%FT%T", &tm);
  std::snprintf(all, sizeof all, "%s.%03dZ", text,
                int(duration_cast<milliseconds>(time - whole).count()));
  return all;
}

std::string age_text(WallTime time, WallTime now) {
  const auto age = now - time;
  if (age < seconds(1)) return "now";
  return human_duration(std::uint64_t(duration_cast<nanoseconds>(age).count()));
}

}  // namespace jobring::cli
