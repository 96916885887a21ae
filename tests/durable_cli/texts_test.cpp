// Arrays, keys, pauses, words, ids, bytes: small notations of the verbs on durable jobs.
#include "client/cli/durable/texts.hpp"

#include <doctest/doctest.h>

#include "client/cli/durable/base64.hpp"
#include "client/cli/durable/selection.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::cli;
using namespace std::chrono_literals;
using Words = std::vector<std::string>;

TEST_CASE("an array has its ends and perhaps a step and a limit") {
  const JobArray array = parse_array("1-100:3%10").value();
  CHECK(array.first == 1);
  CHECK(array.last == 100);
  CHECK(array.step == 3);
  CHECK(array.at_once == 10);
  CHECK(parse_array("7")->last == 7);
  CHECK(parse_array("-3--1")->first == -3);
  CHECK(parse_array("-3--1")->last == -1);
  for (const char* text : {"1-100", "1-100%10", "0-9:3", "-5-5:2%1"}) {
    CHECK(array_text(parse_array(text).value()) == text);
  }
  for (const char* text :
       {"", "-", "1-", "5-1", "1-9:0", "1-9%0", "1-9%", "1,2", "a-b", "1-9:-1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_array(text));
  }
}

TEST_CASE("a key has a number behind its last equals sign") {
  const auto key = parse_key("gpu=0=2").value();
  CHECK(key.first == "gpu=0");
  CHECK(key.second == 2);
  for (const char* text : {"", "gpu", "=2", "gpu=", "gpu=0", "gpu=x"}) CHECK_FALSE(parse_key(text));
}

TEST_CASE("a pause has a base and perhaps a cap that is not below it") {
  RetryPolicy retry;
  CHECK(parse_backoff("10s..5m", retry));
  CHECK(retry.base == 10s);
  CHECK(retry.cap == 5min);
  CHECK(parse_backoff("2h", retry));
  CHECK(retry.base == 2h);
  CHECK(retry.cap == 2h);  // never below the base
  CHECK_FALSE(parse_backoff("5m..10s", retry));
  CHECK_FALSE(parse_backoff("10..20", retry));
}

TEST_CASE("states and signals are known by their names and a mistyped one is told the nearest") {
  CHECK(parse_state("dead").value() == JobState::dead);
  CHECK(parse_state("redy").error().line().find("ready") != std::string::npos);
  CHECK(parse_signal("TERM").value() == 15);
  CHECK(parse_signal("SIGKILL").value() == 9);
  CHECK(parse_signal("1").value() == 1);
  CHECK_FALSE(parse_signal("SIG"));
  CHECK_FALSE(parse_signal("0"));
  CHECK_FALSE(parse_signal("65"));
  CHECK(signal_name(15) == "SIGTERM");
}

TEST_CASE("numbers are whole and within their bounds") {
  CHECK(parse_integers("1,75", 0, 255).value() == std::vector<std::int64_t>{1, 75});
  CHECK(parse_integer("-5", INT32_MIN, INT32_MAX).value() == -5);
  CHECK_FALSE(parse_integers("1,256", 0, 255));
  CHECK_FALSE(parse_integers("", 0, 255));
  CHECK_FALSE(parse_integer("5x", 0, 9));
}

TEST_CASE("words are split and quoted as in a shell and nothing is expanded") {
  CHECK(split_words("  a  b\tc ").value() == Words{"a", "b", "c"});
  CHECK(split_words("'a b' \"c \\\" d\" e\\ f ''").value() == Words{"a b", "c \" d", "e f", ""});
  CHECK(split_words("$HOME *").value() == Words{"$HOME", "*"});
  CHECK(split_words("a # b").value() == Words{"a"});
  CHECK(split_words("a#b").value() == Words{"a#b"});
  CHECK(split_words("").value().empty());
  CHECK_FALSE(split_words("a 'b"));
}

TEST_CASE("ids are single ones and ranges and the last") {
  const IdWords ids = parse_ids({"12", "5-9,20", "last"}).value();
  CHECK(ids.ranges == std::vector<std::pair<JobId, JobId>>{{12, 12}, {5, 9}, {20, 20}});
  CHECK(ids.last);
  CHECK_FALSE(ids.counted());  // nobody knows how many there are from 5 to 9
  CHECK(parse_ids({"1,2", "last"})->counted());
  for (const char* word : {"", "0", "-5", "9-5", "x", "1-", "1.5", "281474976710656", ","}) {
    CAPTURE(word);
    CHECK_FALSE(parse_ids({word}));
  }
}

TEST_CASE("bytes survive base64") {
  CHECK(to_base64("") == "");
  CHECK(to_base64("f") == "Zg==");
  CHECK(to_base64("fo") == "Zm8=");
  CHECK(to_base64("foobar") == "Zm9vYmFy");
  const std::uint64_t seed = test::seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 500; ++i) {
    std::string bytes(random() % 100, '\0');
    for (char& c : bytes) c = char(random());
    CHECK(from_base64(to_base64(bytes)) == bytes);
  }
  for (const char* text : {"Zg", "Zg=", "Z===", "====", "Zm9v!A==", "Zh==", "Zg==Zg==", " Zg="}) {
    CAPTURE(text);
    CHECK_FALSE(from_base64(text));
  }
}

TEST_CASE("only valid UTF-8 counts as text") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("häß€😀"));
  for (const char* bytes :
       {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\x80"}) {
    CHECK_FALSE(is_utf8(bytes));
  }
}
