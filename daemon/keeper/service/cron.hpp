// When a cron entry fires: five fields and a time zone. Pure but for the time-zone database.
//
//     ┌ minute 0-59
//     │ ┌ hour 0-23
//     │ │ ┌ day of the month 1-31
//     │ │ │ ┌ month 1-12 or jan-dec
//     │ │ │ │ ┌ day of the week 0-7 or sun-sat; 0 and 7 are Sunday
//     * * * * *
//
// Each: *, a number, a range a-b, any of these with a step /n, and lists of all that with commas.
// If both days are given (neither starts with *), a day that fits one of them fits. @yearly
// (@annually), @monthly, @weekly, @daily (@midnight) and @hourly are short for the obvious.
// @reboot has no times: it is meant once after each start of the machine.
//
// Where the clocks change, as cron(8) has it: an entry with fixed hours and minutes runs once,
// right after the gap if its time is skipped, and at the first of two times that are alike. One
// whose hour or minute starts with * runs whenever the clock on the wall shows such a time, so */10
// keeps to its ten minutes all night.
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>

#include "common/result.hpp"

namespace date {
class time_zone;
}

namespace jobring::keeper {

class CronRule {
 public:
  // `zone`: a name of the time-zone database; empty: the daemon's ($TZ, else /etc/localtime).
  // Errc::bad_input with a line for the person who wrote it; also if it never fires.
  static Result<CronRule> make(std::string_view schedule, std::string_view zone);

  // @reboot
  bool at_boot() const { return at_boot_; }
  // The first time after `after_ms` at which it fires, real milliseconds; 0: never, or at_boot().
  std::int64_t next(std::int64_t after_ms) const;

 private:
  bool day_fits(std::int64_t day) const;  // since 1970-01-01
  std::int64_t next_fixed(std::int64_t after) const;
  std::int64_t next_by_the_wall(std::int64_t after) const;

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  bool any_day_ = true, any_weekday_ = true;  // the field starts with *
  bool wild_ = false;                         // hour or minute does
  bool at_boot_ = false;
  const date::time_zone* zone_ = nullptr;
};

}  // namespace jobring::keeper
