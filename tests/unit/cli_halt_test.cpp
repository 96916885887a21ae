#include <doctest/doctest.h>

#include "client/cli/halt.hpp"

using namespace jobring::cli;
using When = HaltPolicy::When;

namespace {

HaltWatch watch(const char* text) {
  const auto policy = parse_halt(text);
  REQUIRE(policy);
  return HaltWatch(*policy);
}

}  // namespace

TEST_CASE("without a policy the exit status is the number of failures, at most 101") {
  HaltWatch w = watch("never");
  CHECK(w.exit_status() == 0);
  for (int i = 0; i < 5; ++i) {
    CHECK(w.note(0) == When::never);
    CHECK(w.note(7) == When::never);
  }
  CHECK(w.exit_status() == 5);
  for (int i = 0; i < 200; ++i) w.note(1);
  CHECK(w.exit_status() == 101);
}

TEST_CASE("now,fail=1 stops at the first failure and exits with its status") {
  HaltWatch w = watch("now,fail=1");
  CHECK(w.note(0) == When::never);
  CHECK(w.note(42) == When::now);
  CHECK(w.note(0) == When::now);
  CHECK(w.exit_status() == 42);
}

TEST_CASE("soon,fail=3 stops at the third failure and exits with the number of failures") {
  HaltWatch w = watch("soon,fail=3");
  w.note(9);
  w.note(0);
  CHECK(w.note(9) == When::never);
  CHECK(w.note(9) == When::soon);
  w.note(9);
  CHECK(w.exit_status() == 4);
}

TEST_CASE("success=1 stops at the first success and exits with 0") {
  HaltWatch w = watch("now,success=1");
  CHECK(w.note(1) == When::never);
  CHECK(w.note(0) == When::now);
  CHECK(w.exit_status() == 0);
}

TEST_CASE("success=2 that is never reached exits with the number of failures") {
  HaltWatch w = watch("now,success=2");
  w.note(1);
  w.note(0);
  CHECK(w.state() == When::never);
  CHECK(w.exit_status() == 1);
}

TEST_CASE("done=2 counts both") {
  HaltWatch w = watch("soon,done=2");
  CHECK(w.note(1) == When::never);
  CHECK(w.note(0) == When::soon);
  CHECK(w.exit_status() == 1);
}

TEST_CASE("a percentage counts from the third failure on") {
  HaltWatch w = watch("soon,fail=50%");
  CHECK(w.note(1) == When::never);
  CHECK(w.note(1) == When::never);
  w.note(0);
  w.note(0);
  w.note(0);
  w.note(0);
  CHECK(w.note(1) == When::never);  // 3 of 7
  CHECK(w.note(1) == When::soon);   // 4 of 8
}

TEST_CASE("the short forms are those of GNU parallel") {
  CHECK(watch("0").note(1) == When::never);
  CHECK(watch("1").note(1) == When::soon);
  CHECK(watch("2").note(1) == When::now);
}

TEST_CASE("a policy that makes no sense is refused with what may be written") {
  for (const char* text :
       {"", "now", "fail=1", "now,fail", "now,fail=", "now,fail=0", "now,fail=-1", "now,fail=x",
        "now,fail=101%", "later,fail=1", "now,maybe=1", "now,fail=1.5", "now=fail,1"}) {
    CAPTURE(text);
    const auto policy = parse_halt(text);
    REQUIRE_FALSE(policy);
    CHECK(policy.error().hint.find("now,fail=1") != std::string::npos);
  }
}
