// Typed payloads: what goes through codecs, and what happens when one refuses.
#include <doctest/doctest.h>

#include <array>
#include <map>

#include <jobring/json.hpp>
#include <jobring/typed.hpp>

#include "tests/futures/point.hpp"
#include "tests/futures/support.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

template <class T>
T through(const T& value) {
  std::string bytes;
  Codec<T>::encode(value, bytes);
  return Codec<T>::decode(bytes);
}
template <class To, class From>
To as(const From& value) {
  return Codec<To>::decode(encode_arguments(value));
}
enum class Color : std::uint8_t { red, blue = 200 };

}  // namespace

TEST_CASE("codecs give back what they were given") {
  CHECK(through(std::string("a\0b", 3)) == std::string("a\0b", 3));
  CHECK(through(std::string()).empty());
  CHECK(through(std::int8_t(-128)) == -128);
  CHECK(through(UINT64_MAX) == UINT64_MAX);
  CHECK(through(INT64_MIN) == INT64_MIN);
  CHECK(through(true));
  CHECK(through(Color::blue) == Color::blue);
  CHECK(through(1.5F) == 1.5F);
  CHECK(through(std::vector<std::uint16_t>{1, 65535}) == std::vector<std::uint16_t>{1, 65535});
  CHECK(through(std::vector<double>{}).empty());
  CHECK(through(std::vector<std::string>{"", "x", ""}) == std::vector<std::string>{"", "x", ""});
  using Nested = std::vector<std::pair<std::string, std::vector<int>>>;
  const Nested nested = {{"a", {1, 2}}, {"", {}}};
  CHECK(through(nested) == nested);
  const std::tuple<int, std::string, std::tuple<>, double> mixed{1, "two", {}, 3.0};
  CHECK(through(mixed) == mixed);
  const std::vector<std::byte> bytes = {std::byte{0}, std::byte{255}};
  CHECK(through(bytes) == bytes);
}

TEST_CASE("integers travel between types as long as they fit") {
  CHECK(as<std::uint8_t>(255L) == 255);
  CHECK(as<long>(std::uint8_t(7)) == 7);
  CHECK(as<std::int64_t>(std::uint64_t(INT64_MAX)) == INT64_MAX);
  CHECK_THROWS_AS(as<std::uint8_t>(256), CodecError);
  CHECK_THROWS_AS(as<std::uint64_t>(-1), CodecError);
  CHECK_THROWS_AS(as<std::int64_t>(UINT64_MAX), CodecError);
  CHECK_THROWS_AS(as<std::int8_t>(-129), CodecError);
  CHECK_THROWS_AS(as<bool>(2), CodecError);
  CHECK_THROWS_AS(as<double>(1), CodecError);
  CHECK_THROWS_AS(as<int>(1.0), CodecError);
  CHECK_THROWS_AS(as<int>("9 bytes!!"), CodecError);
}

TEST_CASE("decoding any cut or changed bytes throws or gives a value and reads no further") {
  const std::tuple<std::string, std::vector<int>, std::vector<std::string>, double> value{
      "text", {1, 2, 3}, {"a", "bc"}, 2.5};
  std::string bytes;
  Codec<std::tuple<std::string, std::vector<int>, std::vector<std::string>, double>>::encode(value,
                                                                                             bytes);
  const auto decode = [](const std::string& some) {
    // On the heap, exactly as long: a sanitizer sees a read past its end.
    const std::vector<char> exact(some.begin(), some.end());
    try {
      decode_fields<std::string, std::vector<int>, std::vector<std::string>, double>(
          {exact.data(), exact.size()});
      return true;
    } catch (const CodecError&) {
      return false;
    }
  };
  CHECK(decode(bytes));
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) CHECK(!decode(bytes.substr(0, cut)));
  CHECK(!decode(bytes + "x"));
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const int bit : {1, 0x80}) {
      std::string changed = bytes;
      changed[at] = char(changed[at] ^ bit);
      decode(changed);
    }
  }
}

TEST_CASE("typed handlers are called with typed arguments") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  CHECK(pool.submit_as<long>("square_number", 12).get() == 144);
  CHECK(pool.submit_as<int>("add", 2, -5L).get() == -3);
  CHECK(pool.submit_as<std::string>("repeat", "ab", 3U).get() == "ababab");
  CHECK(pool.submit_as<double>("mean", std::vector<double>{1, 2, 6}).get() == 3.0);
  pool.submit_as<void>("nothing").get();
  const Point p = pool.submit_as<Point>("mirror", Point{1, -2}).get();
  CHECK(p.x == -1);
  CHECK(p.y == 2);
  CHECK(pool.submit_as<nlohmann::json>("keys", nlohmann::json{{"a", 1}, {"b", {2}}}).get() ==
        nlohmann::json{"a", "b"});
  // One string is the bytes as they are: untyped handlers take it.
  CHECK(pool.submit_as<std::string>("echo", "bytes").get() == "bytes");
  CHECK(pool.submit_as<long>(JobOptions{.in_place = true}, "square_number", 5).get() == 25);
}

TEST_CASE("typed maps encode each element or the elements of each tuple") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  std::vector<int> numbers;
  for (int i = 0; i < 500; ++i) numbers.push_back(i);
  long at = 0;
  for (const long square : pool.map_as<long>("square_number", numbers)) {
    CHECK(square == at * at);
    ++at;
  }
  CHECK(at == 500);
  int sum = 0;
  for (const int each : pool.map_as<int>("add", std::vector<std::pair<int, int>>{{1, 2}, {3, 4}}))
    sum += each;
  CHECK(sum == 10);
  std::string all;
  const std::map<std::string, unsigned> words = {{"x", 2}, {"y", 1}};
  for (const std::string& each : pool.map_as<std::string>("repeat", words)) all += each;
  CHECK(all == "xxy");
  // As they complete; from a function instead of a range.
  int n = 0;
  long squares = 0;
  for (const long square : pool.map_unordered_as<long>(
           "square_number", [&] { return n < 100 ? std::optional<int>(n++) : std::nullopt; }))
    squares += square;
  CHECK(squares == 328350);
}

TEST_CASE("a codec that throws here throws to the caller and nothing is submitted or lost") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  CHECK_THROWS_AS(pool.submit_as<Point>("mirror", Point{Codec<Point>::kUnsendable, 0}),
                  std::domain_error);
  CHECK(pool.outstanding() == 0);
  // Its result cannot be read here; the raw bytes can.
  const auto job = pool.submit_as<Point>("echo", std::string("no point"));
  CHECK_THROWS_AS(job.get(), CodecError);
  CHECK_THROWS_AS(job.get(), CodecError);
  CHECK(job.future().get() == "no point");
  CHECK_THROWS_AS(pool.submit_as<long>("echo", 1.5).get(), CodecError);
  CHECK_THROWS_AS(pool.submit_as<nlohmann::json>("echo", "{").get(), CodecError);
  CHECK_THROWS_AS(pool.submit_as<nlohmann::json>("keys", nlohmann::json("\xff")), CodecError);
  // In a map: at the element, and then on.
  auto points = pool.map_as<Point>(
      "echo", std::vector<Point>{{1, 1}, {Codec<Point>::kUnsendable, 0}, {2, 2}});
  // Before or after the result of the first, as fast as a worker is; nothing of what follows it.
  int thrown = 0;
  std::vector<int> got;
  for (int i = 0; i < 2; ++i) {
    try {
      if (const auto point = points.next()) got.push_back(point->x);
    } catch (const std::domain_error&) {
      ++thrown;
    }
  }
  CHECK(thrown == 1);
  CHECK(got == std::vector<int>{1});
  CHECK(!points.next());
}

TEST_CASE("a codec that throws in a handler fails the job with its exception") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  const auto failure = [](const Future& job) {
    try {
      job.get();
    } catch (const JobFailed& e) {
      return e.type() + ": " + e.message();
    }
    return std::string("none");
  };
  CHECK(failure(pool.submit_as<Point>("mirror", Point{Codec<Point>::kUnreadable, 0}).future()) ==
        "jobring::CodecError: the arguments cannot be decoded\ncaused by std::range_error: a point "
        "out of range");
  CHECK(failure(pool.submit("square_number", "text")) ==
        "jobring::CodecError: the arguments cannot be decoded\ncaused by jobring::CodecError: an "
        "integer was expected");
  CHECK(failure(pool.submit_as<int>("add", 1).future()).starts_with("jobring::CodecError"));
  CHECK(failure(pool.submit_as<int>("add", 1, 2, 3).future()).starts_with("jobring::CodecError"));
  // On the way back.
  CHECK(failure(pool.submit_as<Point>("mirror", Point{-Codec<Point>::kUnsendable, 0}).future()) ==
        "std::domain_error: this point cannot be sent");
  CHECK(failure(pool.submit("keys", "{")).find("parse error") != std::string::npos);
}
