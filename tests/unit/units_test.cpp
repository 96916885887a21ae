// Durations, sizes and suggestions: common/config/units.hpp, common/config/suggest.hpp.
#include "common/config/units.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "common/config/suggest.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using jobring::test::seed_of_test;
using namespace std::chrono_literals;

namespace {

std::int64_t nanoseconds_of(const std::string& text) {
  const auto value = parse_duration(text);
  CAPTURE(text);
  REQUIRE(value.ok());
  return value->count();
}

std::uint64_t bytes_of(const std::string& text) {
  const auto value = parse_size(text);
  CAPTURE(text);
  REQUIRE(value.ok());
  return *value;
}

// What is said about a text that is refused.
std::string duration_refusal(const std::string& text) {
  const auto value = parse_duration(text);
  CAPTURE(text);
  REQUIRE_FALSE(value.ok());
  CHECK_FALSE(value.error().hint.empty());
  return value.error().line();
}

std::string size_refusal(const std::string& text) {
  const auto value = parse_size(text);
  CAPTURE(text);
  REQUIRE_FALSE(value.ok());
  CHECK_FALSE(value.error().hint.empty());
  return value.error().line();
}

bool says(const std::string& line, const std::string& words) {
  CAPTURE(line);
  CAPTURE(words);
  const bool found = line.find(words) != std::string::npos;
  CHECK(found);
  return found;
}

}  // namespace

TEST_CASE("a duration has each of the units") {
  CHECK(nanoseconds_of("7ns") == 7);
  CHECK(nanoseconds_of("50us") == 50'000);
  CHECK(nanoseconds_of("100ms") == 100'000'000);
  CHECK(nanoseconds_of("30s") == 30'000'000'000);
  CHECK(nanoseconds_of("5m") == 300'000'000'000);
  CHECK(nanoseconds_of("2h") == 7'200'000'000'000);
  CHECK(nanoseconds_of("2d") == 172'800'000'000'000);
}

TEST_CASE("units of a duration are added up, the largest first") {
  CHECK(nanoseconds_of("1h30m") == 5'400'000'000'000);
  CHECK(nanoseconds_of("1m1ms") == 60'001'000'000);
  CHECK(nanoseconds_of("1d2h3m4s5ms6us7ns") == 93'784'005'006'007);
  CHECK(nanoseconds_of("90m") == nanoseconds_of("1h30m"));
  says(duration_refusal("30m1h"), "largest first");
  says(duration_refusal("1s1s"), "each unit once");
  says(duration_refusal("1ms1s"), "largest first");
}

TEST_CASE("only zero needs no unit") {
  CHECK(nanoseconds_of("0") == 0);
  CHECK(nanoseconds_of("0s") == 0);
  CHECK(bytes_of("0") == 0);
  CHECK(bytes_of("0B") == 0);
  says(duration_refusal("30"), "\"30\" has no unit; perhaps \"30s\"?");
  says(duration_refusal("1h30"), "has no unit");
  says(size_refusal("4096"), "\"4096\" has no unit; perhaps \"4096B\"?");
}

TEST_CASE("a duration that makes no sense is refused with what to write instead") {
  says(duration_refusal(""), "is empty");
  says(duration_refusal("-5s"), "is negative");
  says(duration_refusal("s"), "does not start with a number");
  says(duration_refusal("fast"), "does not start with a number");
  says(duration_refusal("+5s"), "does not start with a number");
  says(duration_refusal(" 5s"), "does not start with a number");
  says(duration_refusal("1.5s"), "is not a whole number");
  says(duration_refusal("1,5s"), "is not a whole number");
  says(duration_refusal("1h0.5m"), "is not a whole number");
  says(duration_refusal("5min"), "unknown unit \"min\"");
  says(duration_refusal("5w"), "unknown unit \"w\"");
  says(duration_refusal("5\xC2\xB5s"), "unknown unit");
  says(duration_refusal("0x10s"), "unknown unit \"x\"");
}

TEST_CASE("capital letters and spaces in a unit are refused with the right spelling") {
  says(duration_refusal("50MS"), "write \"50ms\"");
  says(duration_refusal("5 s"), "write \"5s\"");
  says(duration_refusal("5s "), "write \"5s\"");
  says(duration_refusal("2D"), "write \"2d\"");
  says(size_refusal("64mib"), "write \"64MiB\"");
  says(size_refusal("64MIB"), "write \"64MiB\"");
  says(size_refusal("64 MiB"), "write \"64MiB\"");
  says(size_refusal("64b"), "write \"64B\"");
}

TEST_CASE("a duration that does not fit is refused, not wrapped around") {
  CHECK(nanoseconds_of("9223372036854775807ns") == INT64_MAX);
  CHECK(nanoseconds_of("106751d") == 106751ll * 86'400'000'000'000);
  says(duration_refusal("9223372036854775808ns"), "is too long");
  says(duration_refusal("106752d"), "is too long");
  says(duration_refusal("99999999999h"), "is too long");
  says(duration_refusal("18446744073709551615d"), "is too long");
  says(duration_refusal("18446744073709551616ns"), "is too large");
  // Each part fits, and their sum does not; the second one wraps 64 bits, too.
  says(duration_refusal("106751d24h"), "is too long");
  says(duration_refusal("106751d18446744073709551615ns"), "is too long");
}

TEST_CASE("a size has powers of 1024 or of 1000") {
  CHECK(bytes_of("17B") == 17);
  CHECK(bytes_of("4KiB") == 4096);
  CHECK(bytes_of("64MiB") == 64ull << 20);
  CHECK(bytes_of("3GiB") == 3ull << 30);
  CHECK(bytes_of("2TiB") == 2ull << 40);
  CHECK(bytes_of("4KB") == 4000);
  CHECK(bytes_of("4kB") == 4000);
  CHECK(bytes_of("64MB") == 64'000'000);
  CHECK(bytes_of("3GB") == 3'000'000'000);
  CHECK(bytes_of("2TB") == 2'000'000'000'000);
}

TEST_CASE("a size whose unit may mean two things is refused with both") {
  for (const char* text : {"64k", "64K", "64M", "64m", "64G", "64T"}) {
    const std::string line = size_refusal(text);
    CHECK(says(line, "is ambiguous"));
    CHECK(says(line, "(powers of 1024)"));
    CHECK(says(line, "(powers of 1000)"));
  }
  says(size_refusal("64M"), "write \"64MiB\" (powers of 1024) or \"64MB\" (powers of 1000)");
}

TEST_CASE("a size that makes no sense is refused") {
  says(size_refusal(""), "is empty");
  says(size_refusal("-1B"), "is negative");
  says(size_refusal("MiB"), "does not start with a number");
  says(size_refusal("1.5GiB"), "is not a whole number");
  says(size_refusal("64MiBs"), "unknown unit \"MiBs\"");
  says(size_refusal("1PiB"), "unknown unit \"PiB\"");
  says(size_refusal("1GiB512MiB"), "more than one number");
  CHECK(bytes_of("18446744073709551615B") == UINT64_MAX);
  says(size_refusal("18446744073709551616B"), "is too large");
  says(size_refusal("16777216TiB"), "is too large");
  says(size_refusal("99999999999999999999999B"), "is too large");
}

TEST_CASE("a long text is cut in the message, between characters") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "\xE2\x82\xAC";  // the euro sign, three bytes
  const std::string line = duration_refusal(text);
  CHECK(line.size() < 200);
  CHECK(says(line, "\xE2\x82\xAC..."));
}

TEST_CASE("durations and sizes are printed short") {
  CHECK(format_duration(0ns) == "0s");
  CHECK(format_duration(50us) == "50us");
  CHECK(format_duration(90s) == "1m30s");
  CHECK(format_duration(1500ms) == "1s500ms");
  CHECK(format_duration(48h) == "2d");
  CHECK(format_size(0) == "0B");
  CHECK(format_size(1000) == "1000B");
  CHECK(format_size(64 << 20) == "64MiB");
  CHECK(format_size((64 << 20) + 1024) == "65537KiB");
  CHECK(format_size(1ull << 50) == "1024TiB");
}

TEST_CASE("what is printed parses to the same value") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t bits = random() >> (random() % 64);
    CHECK(bytes_of(format_size(bits)) == bits);
    const std::int64_t time = std::int64_t(bits >> 1);
    CHECK(nanoseconds_of(format_duration(std::chrono::nanoseconds(time))) == time);
  }
}

TEST_CASE("the edit distance counts insertions, deletions, replacements and swaps") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("workers", "workers") == 0);
  CHECK(edit_distance("wrkers", "workers") == 1);
  CHECK(edit_distance("workerss", "workers") == 1);
  CHECK(edit_distance("wurkers", "workers") == 1);
  CHECK(edit_distance("owrkers", "workers") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("ab", "ba") == 1);
}

TEST_CASE("the edit distance is symmetric, and at most the longer length") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto word = [&] {
    std::string result(random() % 9, ' ');
    for (char& c : result) c = char('a' + random() % 3);
    return result;
  };
  for (int i = 0; i < 5'000; ++i) {
    const std::string a = word(), b = word();
    CAPTURE(a);
    CAPTURE(b);
    const std::size_t distance = edit_distance(a, b);
    CHECK(distance == edit_distance(b, a));
    CHECK((distance == 0) == (a == b));
    CHECK(distance <= std::max(a.size(), b.size()));
    CHECK(distance >= std::max(a.size(), b.size()) - std::min(a.size(), b.size()));
  }
}

TEST_CASE("the nearest name is the one that was meant") {
  const std::vector<std::string> known = {"workers",     "max_rss",         "max_jobs",
                                          "environment", "on_client_death", "spin"};
  CHECK(nearest("wrokers", known) == "workers");
  CHECK(nearest("worker", known) == "workers");
  CHECK(nearest("Workers", known) == "workers");
  CHECK(nearest("MAX-RSS", known) == "max_rss");
  CHECK(nearest("maxjobs", known) == "max_jobs");
  CHECK(nearest("onClientDeath", known) == "on_client_death");
  CHECK(nearest("spni", known) == "spin");
}

TEST_CASE("a name of which there is one longer form means that") {
  CHECK(nearest("env", {"workers", "environment"}) == "environment");
  CHECK(nearest("warn", {"info", "warning"}) == "warning");
  CHECK(nearest("max", {"max_rss", "max_jobs"}).empty());
  CHECK(nearest("en", {"workers", "environment"}).empty());
}

TEST_CASE("what is near to nothing gets no suggestion") {
  const std::vector<std::string> known = {"workers", "max_rss", "spin"};
  CHECK(nearest("timeout", known).empty());
  CHECK(nearest("", known).empty());
  CHECK(nearest("x", known).empty());
  CHECK(nearest(std::string(1 << 20, 'x'), known).empty());
  CHECK(nearest("workers", {}).empty());
}
