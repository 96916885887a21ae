// Points in time as people write them on the command line, and as they read them.
//
//     2026-11-22 08:00      in the time zone of whoever calls ($TZ); seconds and a T are welcome
//     2026-11-22            midnight of that day
//     2026-11-22T07:00:00Z  with a zone: Z, +01:00, -0530
//     08:00, 08:00:30       the next time that the clock shows it
//     tomorrow, tomorrow 08:00, today 23:00, now
//     +5m                   from now
//     @1795334400           seconds since 1970; ten digits or more need no @
#pragma once

#include <string>

#include <jobring/durable.hpp>

#include "common/result.hpp"

namespace jobring::cli {

// A time that does not exist (the hour that summer time leaves out) is an error; one that there is
// twice is the first.
Result<WallTime> parse_when(const std::string& text, WallTime now);

// The same for times that are past: "7d" is seven days ago.
Result<WallTime> parse_past(const std::string& text, WallTime now);

// "2026-11-22 08:00:00", local.
std::string local_time(WallTime time);
// "2026-11-22T07:00:00.000Z", for programs; parse_when() reads it.
std::string utc_time(WallTime time);
// How long before `now`: "4m05s", "now" if it is less than a second or in the future.
std::string age_text(WallTime time, WallTime now);

}  // namespace jobring::cli
