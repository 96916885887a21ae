#include "daemon/keeper/service/cron.hpp"

#include <date/tz.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <optional>
#include <span>
#include <string>

namespace jobring::keeper {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kDay = 86'400;           // seconds
constexpr std::int64_t kLongest = 8 * 366 + 1;  // days between two 29ths of February
constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed",
                                                       "thu", "fri", "sat"};

struct Short {
  std::string_view name, fields;
};
constexpr Short kShorts[] = {{"@yearly", "0 0 1 1 *"},  {"@annually", "0 0 1 1 *"},
                             {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
                             {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
                             {"@hourly", "0 * * * *"}};

Error bad(std::string what, std::string_view where) {
  return {Errc::bad_input, std::move(what), "\"" + std::string(where) + "\"",
          "a schedule has five fields: minute hour day month weekday"};
}

struct Field {
  const char* name;
  int least, most;
  std::span<const std::string_view> names;
  int first_name;
};
const Field kFields[5] = {{"minute", 0, 59, {}, 0},
                          {"hour", 0, 23, {}, 0},
                          {"day", 1, 31, {}, 0},
                          {"month", 1, 12, kMonths, 1},
                          {"weekday", 0, 7, kWeekdays, 0}};

bool same_word(std::string_view a, std::string_view lower) {
  if (a.size() != lower.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if ((a[i] | 0x20) != lower[i]) return false;
  return true;
}

std::optional<int> number(const Field& field, std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  for (std::size_t i = 0; i < field.names.size(); ++i)
    if (same_word(text, field.names[i])) return int(i) + field.first_name;
  return std::nullopt;
}

// One of the list: [first, last] in steps.
bool part(const Field& field, std::string_view text, std::bitset<60>& set) {
  int step = 1;
  bool stepped = false;
  if (const auto slash = text.find('/'); slash != text.npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
    if (error != std::errc() || end != digits.data() + digits.size() || step < 1) return false;
    text = text.substr(0, slash);
    stepped = true;
  }
  int first = field.least, last = field.most;
  if (text != "*") {
    const auto dash = text.find('-');
    const auto from = number(field, text.substr(0, dash));
    if (!from) return false;
    first = *from;
    if (dash != text.npos) {
      const auto to = number(field, text.substr(dash + 1));
      if (!to) return false;
      last = *to;
    } else if (!stepped) {
      last = first;
    }
  }
  if (first < field.least || last > field.most || first > last) return false;
  for (int i = first; i <= last; i += step) set.set(std::size_t(i));
  return true;
}

template <std::size_t N>
void copy(const std::bitset<60>& from, std::bitset<N>& to) {
  for (std::size_t i = 0; i < std::min<std::size_t>(N, 60); ++i) to[i] = from[i];
}

Result<const date::time_zone*> find_zone(std::string_view name) {
  try {
    if (!name.empty()) return date::locate_zone(std::string(name));
    if (const char* set = std::getenv("TZ"); set != nullptr && *set != '\0') {
      try {
        return date::locate_zone(set + (*set == ':'));
      } catch (const std::exception&) {
        // A rule or a path: the machine's zone, then.
      }
    }
    try {
      return date::current_zone();
    } catch (const std::exception&) {
      return date::locate_zone("Etc/UTC");
    }
  } catch (const std::exception&) {
    return Error{Errc::bad_input, "no such time zone", "\"" + std::string(name) + "\"",
                 "a name such as Europe/Berlin; the time-zone database is the package tzdata"};
  }
}

date::sys_seconds sys(std::int64_t t) {
  return date::sys_seconds(seconds(t));
}

std::int64_t floor_to(std::int64_t t, std::int64_t unit) {
  return (t >= 0 ? t / unit : -((unit - 1 - t) / unit)) * unit;
}

}  // namespace

Result<CronRule> CronRule::make(std::string_view schedule, std::string_view zone) {
  CronRule rule;
  auto found = find_zone(zone);
  if (!found) return found.error();
  rule.zone_ = *found;
  if (schedule.starts_with('@') && same_word(schedule.substr(1), "reboot")) {
    rule.at_boot_ = true;
    return rule;
  }
  std::string_view rest = schedule;
  if (schedule.starts_with('@')) {
    rest = {};
    for (const Short& s : kShorts)
      if (same_word(schedule.substr(1), s.name.substr(1))) rest = s.fields;
    if (rest.empty()) return bad("no such schedule", schedule);
  }
  std::bitset<60> sets[5];
  bool star[5];
  for (int i = 0; i < 5; ++i) {
    const auto begin = rest.find_first_not_of(" \t");
    if (begin == rest.npos) return bad("a schedule with too few fields", schedule);
    rest = rest.substr(begin);
    const auto end = std::min(rest.find_first_of(" \t"), rest.size());
    std::string_view field = rest.substr(0, end);
    rest = rest.substr(end);
    star[i] = field.starts_with('*');
    for (std::string_view left = field;;) {
      const auto comma = left.find(',');
      if (!part(kFields[i], left.substr(0, comma), sets[i]))
        return bad(std::string("the ") + kFields[i].name + " \"" + std::string(field) +
                       "\" makes no sense",
                   schedule);
      if (comma == left.npos) break;
      left = left.substr(comma + 1);
    }
  }
  if (rest.find_first_not_of(" \t") != rest.npos)
    return bad("a schedule with too many fields", schedule);
  copy(sets[0], rule.minutes_);
  copy(sets[1], rule.hours_);
  copy(sets[2], rule.days_);
  copy(sets[3], rule.months_);
  copy(sets[4], rule.weekdays_);
  if (sets[4][7]) rule.weekdays_.set(0);
  rule.any_day_ = star[2];
  rule.any_weekday_ = star[4];
  rule.wild_ = star[0] || star[1];
  if (rule.next(0) == 0) return bad("a schedule that never comes", schedule);
  return rule;
}

bool CronRule::day_fits(std::int64_t day) const {
  const date::sys_days days{date::days(day)};
  const date::year_month_day d{days};
  if (!months_[unsigned(d.month())]) return false;
  const bool month_day = days_[unsigned(d.day())];
  const bool weekday = weekdays_[date::weekday{days}.c_encoding()];
  return any_day_ || any_weekday_ ? month_day && weekday : month_day || weekday;
}

// By the local calendar; each time that fits becomes one moment.
std::int64_t CronRule::next_fixed(std::int64_t after) const {
  const std::int64_t local = after + zone_->get_info(sys(after)).offset.count();
  const std::int64_t first = floor_to(local, kDay) / kDay - 1;
  for (std::int64_t day = first; day <= first + kLongest; ++day) {
    if (!day_fits(day)) continue;
    for (std::size_t hour = 0; hour < 24; ++hour) {
      if (!hours_[hour]) continue;
      for (std::size_t minute = 0; minute < 60; ++minute) {
        if (!minutes_[minute]) continue;
        const std::int64_t wall =
            day * kDay + std::int64_t(hour) * 3600 + std::int64_t(minute) * 60;
        const auto info = zone_->get_info(date::local_seconds(seconds(wall)));
        // Skipped: when the clocks have changed. Twice: the first.
        const std::int64_t moment = info.result == date::local_info::nonexistent
                                        ? info.first.end.time_since_epoch().count()
                                        : wall - info.first.offset.count();
        if (moment > after) return moment;
      }
    }
  }
  return 0;
}

// By real minutes; each shows a time on the wall that fits or does not.
std::int64_t CronRule::next_by_the_wall(std::int64_t after) const {
  std::int64_t t = floor_to(after, 60) + 60;
  const std::int64_t end = t + kLongest * kDay;
  while (t <= end) {
    const auto info = zone_->get_info(sys(t));
    const std::int64_t local = t + info.offset.count();
    const std::int64_t of_day = local - floor_to(local, kDay);
    std::int64_t on = 60;
    if (!day_fits(floor_to(local, kDay) / kDay))
      on = kDay - of_day;
    else if (!hours_[std::size_t(of_day / 3600)])
      on = 3600 - of_day % 3600;
    else if (minutes_[std::size_t(of_day / 60 % 60)])
      return t;
    // Not past a change of the clocks.
    const std::int64_t change = info.end.time_since_epoch().count();
    t = std::min(t + on, std::max(change, t + 60));
  }
  return 0;
}

std::int64_t CronRule::next(std::int64_t after_ms) const {
  if (at_boot_) return 0;
  const std::int64_t after = floor_to(after_ms, 1000) / 1000;
  return (wild_ ? next_by_the_wall(after) : next_fixed(after)) * 1000;
}

}  // namespace jobring::keeper
