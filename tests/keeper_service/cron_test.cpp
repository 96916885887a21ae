// When cron entries fire.
#include <doctest/doctest.h>

#include <ctime>
#include <string>

#include "daemon/keeper/service/cron.hpp"

namespace {

using jobring::keeper::CronRule;

std::int64_t utc(const char* text) {
  tm t{};
  REQUIRE(strptime(text, "%Y-%m-%d %H:%M:%S", &t) != nullptr);
  return std::int64_t(timegm(&t)) * 1'000;
}
std::string text(std::int64_t ms) {
  const time_t seconds = time_t(ms / 1'000);
  tm t{};
  gmtime_r(&seconds, &t);
  char buffer[32];
  strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M:%S", &t);
  return buffer;
}
std::string next(const char* schedule, const char* after, const char* zone = "Etc/UTC") {
  const auto rule = CronRule::make(schedule, zone);
  REQUIRE_MESSAGE(rule.ok(), rule.error().line());
  return text(rule->next(utc(after)));
}
std::string refusal(const char* schedule, const char* zone = "Etc/UTC") {
  const auto rule = CronRule::make(schedule, zone);
  REQUIRE_FALSE(rule.ok());
  return rule.error().line();
}

}  // namespace

TEST_CASE("the five fields of a schedule say when it fires") {
  CHECK(next("* * * * *", "2026-11-21 22:10:05") == "2026-11-21 22:11:00");
  CHECK(next("* * * * *", "2026-11-21 22:10:00") == "2026-11-21 22:11:00");
  CHECK(next("*/15 * * * *", "2026-11-21 22:46:00") == "2026-11-21 23:00:00");
  CHECK(next("30 4 * * *", "2026-11-21 22:00:00") == "2026-11-22 04:30:00");
  CHECK(next("0 0 1 * *", "2026-12-31 23:59:59") == "2027-01-01 00:00:00");
  CHECK(next("5,50-52 1-3/2 * * *", "2026-01-01 01:05:00") == "2026-01-01 01:50:00");
  CHECK(next("5,50-52 1-3/2 * * *", "2026-01-01 01:52:00") == "2026-01-01 03:05:00");
  CHECK(next("0 12 * jan,MAR sat", "2026-01-31 12:00:00") == "2026-03-07 12:00:00");
  CHECK(next("0 0 29 feb *", "2096-03-01 00:00:00") == "2104-02-29 00:00:00");
  CHECK(next("@hourly", "2026-11-21 22:10:05") == "2026-11-21 23:00:00");
  CHECK(next("@weekly", "2026-11-21 22:10:05") == "2026-11-22 00:00:00");
  CHECK(next("0 0 * * 7", "2026-11-21 22:10:05") == "2026-11-22 00:00:00");
}

TEST_CASE("of two given days one is enough and with a star both are meant") {
  CHECK(next("0 0 13 * fri", "2026-11-08 00:00:00") == "2026-11-13 00:00:00");
  CHECK(next("0 0 13 * fri", "2026-11-13 00:00:00") == "2026-11-20 00:00:00");
  CHECK(next("0 0 */2 * fri", "2026-11-14 00:00:00") == "2026-11-27 00:00:00");
}

TEST_CASE("a fixed time that the clocks skip comes right after the gap and once") {
  // Berlin, 29 March 2026: 02:00 to 03:00 does not exist; 01:00 UTC is the change.
  CHECK(next("30 2 * * *", "2026-03-28 12:00:00", "Europe/Berlin") == "2026-03-29 01:00:00");
  CHECK(next("30 2 * * *", "2026-03-29 01:00:00", "Europe/Berlin") == "2026-03-30 00:30:00");
}

TEST_CASE("a fixed time that comes twice fires at the first") {
  // Berlin, 25 October 2026: 02:00 to 03:00 comes twice.
  CHECK(next("30 2 * * *", "2026-10-24 12:00:00", "Europe/Berlin") == "2026-10-25 00:30:00");
  CHECK(next("30 2 * * *", "2026-10-25 00:30:00", "Europe/Berlin") == "2026-10-26 01:30:00");
}

TEST_CASE("what is meant every few minutes keeps to them while the clocks change") {
  CHECK(next("*/30 * * * *", "2026-03-29 00:30:00", "Europe/Berlin") == "2026-03-29 01:00:00");
  CHECK(next("*/30 * * * *", "2026-10-25 00:30:00", "Europe/Berlin") == "2026-10-25 01:00:00");
  CHECK(next("*/30 * * * *", "2026-10-25 01:00:00", "Europe/Berlin") == "2026-10-25 01:30:00");
  CHECK(next("0 * * * *", "2026-10-25 00:00:00", "Europe/Berlin") == "2026-10-25 01:00:00");
}

TEST_CASE("zones that are far from midnight have days of their own") {
  CHECK(next("0 9 * * mon", "2026-11-22 12:00:00", "Pacific/Kiritimati") == "2026-11-22 19:00:00");
  CHECK(next("15 0 1 * *", "2026-11-21 00:00:00", "Asia/Kathmandu") == "2026-11-30 18:30:00");
}

TEST_CASE("starts of the machine are no times") {
  const auto rule = CronRule::make("@reboot", "Europe/Berlin");
  REQUIRE(rule.ok());
  CHECK(rule->at_boot());
  CHECK(rule->next(utc("2026-11-21 22:10:05")) == 0);
  CHECK_FALSE(CronRule::make("@daily", "")->at_boot());
  CHECK(refusal("@reboot", "Mars/Olympus").find("time zone") != std::string::npos);
}

TEST_CASE("a schedule that makes no sense is refused with a line that says why") {
  CHECK(refusal("* * * *").find("too few") != std::string::npos);
  CHECK(refusal("* * * * * *").find("too many") != std::string::npos);
  CHECK(refusal("60 * * * *").find("minute \"60\"") != std::string::npos);
  CHECK(refusal("* 5-3 * * *").find("hour") != std::string::npos);
  CHECK(refusal("*/0 * * * *").find("minute") != std::string::npos);
  CHECK(refusal("* * * foo *").find("month") != std::string::npos);
  CHECK(refusal("0 0 31 feb *").find("never") != std::string::npos);
  CHECK(refusal("@sometimes").find("no such schedule") != std::string::npos);
  CHECK(refusal("").find("too few") != std::string::npos);
  CHECK(refusal("* * * * *", "Mars/Olympus").find("time zone") != std::string::npos);
}
