#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "client/cli/latency_histogram.hpp"
#include "client/cli/number_list.hpp"

using namespace jobring::cli;

TEST_CASE("percentiles are those of the sorted samples, within a thirty-second") {
  std::mt19937_64 random(3);
  std::vector<std::uint64_t> samples;
  LatencyHistogram histogram;
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t ns = 1 + random() % (std::uint64_t(1) << (random() % 40));
    samples.push_back(ns);
    histogram.add(ns);
  }
  std::sort(samples.begin(), samples.end());
  CHECK(histogram.count() == samples.size());
  CHECK(histogram.max() == samples.back());
  for (const double fraction : {0.0, 0.5, 0.9, 0.99, 0.999}) {
    CAPTURE(fraction);
    const std::uint64_t exact = samples[std::size_t(fraction * double(samples.size()))];
    CHECK(histogram.percentile(fraction) >= exact);
    CHECK(histogram.percentile(fraction) <= exact + exact / 31 + 1);
  }
  CHECK(histogram.percentile(1.0) == samples.back());
}

TEST_CASE("a histogram takes the largest number there is, and none at all") {
  LatencyHistogram histogram;
  CHECK(histogram.percentile(0.5) == 0);
  histogram.add(~std::uint64_t(0));
  histogram.add(0);
  CHECK(histogram.percentile(0.4) == 0);
  CHECK(histogram.percentile(0.99) == ~std::uint64_t(0));
}

TEST_CASE("lists of numbers take single ones and doubling ranges") {
  using Numbers = std::vector<std::uint64_t>;
  CHECK(*parse_numbers("64", 0, 1000, "x") == Numbers{64});
  CHECK(*parse_numbers("64,128,0", 0, 1000, "x") == Numbers{64, 128, 0});
  CHECK(*parse_numbers("1..6", 1, 64, "x") == Numbers{1, 2, 4, 6});
  CHECK(*parse_numbers("3..3", 1, 64, "x") == Numbers{3});
  CHECK(*parse_numbers("1..4,9", 1, 64, "x") == Numbers{1, 2, 4, 9});
}

TEST_CASE("lists that make no sense are refused with the option's name") {
  for (const char* text : {"", ",", "1,", "x", "1..", "..4", "4..1", "65", "0", "-1", "1...4"}) {
    CAPTURE(text);
    const auto numbers = parse_numbers(text, 1, 64, "--clients");
    REQUIRE_FALSE(numbers);
    CHECK(numbers.error().where == "--clients");
  }
}
