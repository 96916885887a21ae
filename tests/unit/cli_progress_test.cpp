#include <doctest/doctest.h>

#include "client/cli/human.hpp"
#include "client/cli/ordered_output.hpp"
#include "client/cli/progress.hpp"

using namespace jobring::cli;

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kStart = 500 * kSecond;

ProgressCount of(std::uint64_t done, std::optional<std::uint64_t> total) {
  ProgressCount count;
  count.done = done;
  count.total = total;
  return count;
}

}  // namespace

TEST_CASE("the remaining time is what is left at the rate so far") {
  const Progress progress(kStart);
  CHECK(progress.rate(of(20, 100), kStart + 10 * kSecond) == doctest::Approx(2));
  CHECK(progress.eta_ns(of(20, 100), kStart + 10 * kSecond) == 40 * kSecond);
  CHECK(progress.eta_ns(of(100, 100), kStart + 10 * kSecond) == 0);
}

TEST_CASE("skipped jobs are not work of this run") {
  const Progress progress(kStart);
  ProgressCount count = of(20, 100);
  count.skipped = 60;
  CHECK(progress.eta_ns(count, kStart + 10 * kSecond) == 10 * kSecond);
  CHECK(progress.line(count, kStart + 10 * kSecond, 100, false) ==
        "80% 80/100, 2.00/s, ETA 10.0 s");
}

TEST_CASE("nothing is foretold before the first job ended, without a total, or without time") {
  const Progress progress(kStart);
  CHECK_FALSE(progress.eta_ns(of(0, 100), kStart + kSecond));
  CHECK_FALSE(progress.eta_ns(of(5, std::nullopt), kStart + kSecond));
  CHECK_FALSE(progress.eta_ns(of(5, 100), kStart));
  CHECK(progress.rate(of(5, 100), kStart) == 0);
  CHECK(progress.line(of(5, std::nullopt), kStart + kSecond, 100, true) == "5 done, 5.00/s");
}

TEST_CASE("the bar fills with the work and fits the width") {
  const Progress progress(kStart);
  ProgressCount count = of(50, 100);
  count.failed = 3;
  const std::string line = progress.line(count, kStart + 10 * kSecond, 60, true);
  CHECK(line == "[########>       ] 50% 50/100, 3 failed, 5.00/s, ETA 10.0 s");
  CHECK(line.size() < 60);
  CHECK(progress.line(count, kStart + 10 * kSecond, 20, true).size() < 20);
  CHECK(progress.line(of(0, 0), kStart, 80, true).starts_with("[#####"));
}

TEST_CASE("the summary says what happened") {
  const Progress progress(kStart);
  ProgressCount count = of(1000, 1000);
  count.failed = 3;
  CHECK(progress.summary(count, kStart + 10 * kSecond) ==
        "1,000 done, 3 failed, in 10.0 s (100/s)");
}

TEST_CASE("numbers are written for people") {
  CHECK(human_duration(850) == "850 ns");
  CHECK(human_duration(12'345) == "12.3 µs");
  CHECK(human_duration(999'900) == "1.00 ms");
  CHECK(human_duration(1'500'000'000) == "1.50 s");
  CHECK(human_duration(65 * kSecond) == "1m05s");
  CHECK(human_duration((3 * 3600 + 7 * 60) * kSecond) == "3h07m");
  CHECK(human_duration((52 * 3600) * kSecond) == "2d04h");
  CHECK(human_size(512) == "512 B");
  CHECK(human_size(1536) == "1.5 KiB");
  CHECK(human_size(64 << 20) == "64 MiB");
  CHECK(human_count(7) == "7");
  CHECK(human_count(1'234'567) == "1,234,567");
  CHECK(human_rate(12.345) == "12.3");
  CHECK(human_rate(14'200'000) == "14.2 M");
}

TEST_CASE("texts come out in the order of their tickets") {
  OrderedOutput ordered(10, 1000);
  std::string printed;
  const auto print = [&](const JobText& text) { printed += text.out; };
  const auto a = ordered.ticket(), b = ordered.ticket(), c = ordered.ticket();
  ordered.put(c, {"c", ""}, print);
  ordered.put(b, {"b", ""}, print);
  CHECK(printed.empty());
  ordered.put(a, {"a", ""}, print);
  CHECK(printed == "abc");
  ordered.put(ordered.ticket(), {"d", ""}, print);
  CHECK(printed == "abcd");
}

TEST_CASE("no new ticket is to be taken while too many jobs or bytes wait for an earlier one") {
  const auto print = [](const JobText&) {};
  OrderedOutput few(2, 1000);
  const auto first = few.ticket();
  CHECK_FALSE(few.full());
  few.put(few.ticket(), {}, print);
  CHECK(few.full());
  few.put(first, {}, print);
  CHECK_FALSE(few.full());

  OrderedOutput small(100, 10);
  const auto head = small.ticket();
  small.put(small.ticket(), {std::string(6, 'x'), std::string(4, 'y')}, print);
  CHECK(small.full());
  small.put(head, {"z", ""}, print);
  CHECK_FALSE(small.full());
}
