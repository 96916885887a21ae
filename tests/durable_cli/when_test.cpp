// Points in time as people write them.
#include "client/cli/durable/when.hpp"

#include <doctest/doctest.h>

#include "tests/durable_cli/zone.hpp"

using namespace jobring;
using namespace jobring::cli;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

WallTime at(std::int64_t seconds) {
  return WallTime(std::chrono::seconds(seconds));
}

// 2026-11-21 20:00:00 in Berlin.
const WallTime kNow = at(1795287600);

std::int64_t seconds(const std::string& text, WallTime now = kNow) {
  const auto parsed = parse_when(text, now);
  CAPTURE(text);
  REQUIRE(parsed);
  return std::chrono::duration_cast<std::chrono::seconds>(parsed->time_since_epoch()).count();
}

}  // namespace

TEST_CASE("a date with a time is read in the zone of whoever calls") {
  const Zone zone(kBerlin);
  CHECK(seconds("2026-11-22 08:00") == 1795330800);
  CHECK(seconds("2026-11-22 08:00:30") == 1795330830);
  CHECK(seconds("2026-11-22T08:00") == 1795330800);
  CHECK(seconds("2026-11-22") == 1795330800 - 8 * 3600);
  CHECK(seconds("2026-07-01 08:00") == 1782885600);  // summer time
}

TEST_CASE("a date with a zone means that zone") {
  const Zone zone(kBerlin);
  CHECK(seconds("2026-11-22T07:00:00Z") == 1795330800);
  CHECK(seconds("2026-11-22T07:00:00.250Z") == 1795330800);
  CHECK(seconds("2026-11-22 08:00+01:00") == 1795330800);
  CHECK(seconds("2026-11-22 01:30 -0530") == 1795330800);
}

TEST_CASE("a time of day is the next one") {
  const Zone zone(kBerlin);
  CHECK(seconds("20:30") == 1795287600 + 1800);
  CHECK(seconds("08:00") == 1795330800);          // tomorrow
  CHECK(seconds("20:00") == 1795287600 + 86400);  // now is not later than now
}

TEST_CASE("today and tomorrow and spans from now are understood") {
  const Zone zone(kBerlin);
  CHECK(seconds("tomorrow 08:00") == 1795330800);
  CHECK(seconds("tomorrow") == 1795330800 - 8 * 3600);
  CHECK(seconds("today 23:00") == 1795287600 + 3 * 3600);
  CHECK(seconds("+1h30m") == 1795287600 + 5400);
  CHECK(seconds("now") == 1795287600);
  CHECK(parse_past("7d", kNow).value() == kNow - std::chrono::hours(7 * 24));
  CHECK(parse_past("2026-11-22 08:00", kNow).value() == at(1795330800));
}

TEST_CASE("seconds since 1970 are understood with and without an at sign") {
  CHECK(seconds("@1795330800") == 1795330800);
  CHECK(seconds("1795330800") == 1795330800);
  CHECK(seconds("@0") == 0);
}

TEST_CASE(
    "an hour that summer time leaves out is refused and one that is there twice is the first") {
  const Zone zone(kBerlin);
  CHECK_FALSE(parse_when("2026-03-29 02:30", kNow));
  CHECK(seconds("2026-03-29 03:30") == 1774747800);
  CHECK(seconds("2026-10-25 02:30") == 1792888200);  // 00:30 UTC, still summer time
}

TEST_CASE("what is no time is one line that tells how to write one") {
  for (const char* text :
       {"", "soon", "8", "8:00", "24:00", "12:60", "2026-13-01", "2026-02-30", "2026-1-1",
        "2026-11-22 08", "2026-11-22 08:00 CET", "2026-11-22x", "@", "@-5", "@99999999999999",
        "tomorrow8:00", "+soon", "12345", "2026-06-31T00:00:00Z"}) {
    CAPTURE(text);
    const auto parsed = parse_when(text, kNow);
    REQUIRE_FALSE(parsed);
    CHECK(exit_status(parsed.error().code) == 64);
    CHECK(parsed.error().line().find('\n') == std::string::npos);
    CHECK_FALSE(parsed.error().hint.empty());
  }
}

TEST_CASE("times are written locally for people and in UTC for programs which reads back") {
  const Zone zone(kBerlin);
  CHECK(local_time(at(1795330800)) == "2026-11-22 08:00:00");
  CHECK(utc_time(at(1795330800) + 123ms) == "2026-11-22T07:00:00.123Z");
  const WallTime moment = at(1795330800) + 7ms;
  CHECK(parse_when(utc_time(moment), kNow).value() == moment);
}

TEST_CASE("an age is as long as it is") {
  CHECK(age_text(kNow - 245s, kNow) == "4m05s");
  CHECK(age_text(kNow, kNow) == "now");
  CHECK(age_text(kNow + 1h, kNow) == "now");
}
