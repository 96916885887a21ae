// The config file: what a bad one is told, all of it.
#include "common/config/config.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/config/config_schema.hpp"
#include "tests/unit/config_support.hpp"

using namespace jobring;
using namespace jobring::test::config;

TEST_CASE("a value out of range is told the range") {
  CHECK(pool_problem("\"workers\": 500") ==
        "workers: found 500; allowed: a whole number from 1 to 128, or \"auto\"");
  contains(pool_problem("\"nice\": 20"), "from -20 to 19");
  contains(pool_problem("\"spin\": \"1s\""), "a duration from 0s to 10ms, such as \"50us\"");
  contains(pool_problem("\"max_payload\": \"2GiB\""), "a size from 0B to 1GiB");
  contains(pool_problem("\"slots\": 99999999999999999999"),
           "found 99999999999999999999; allowed: a whole number");
  contains(pool_problem("\"slots\": 9223372036854775808"), "found 9223372036854775808");
  contains(pool_problem("\"max_jobs\": -1"), "from 0 to 1000000000000");
  contains(problem(R"({"max_clients": 0})"),
           "/max_clients: found 0; allowed: a whole number from 1 to 65536");
}

TEST_CASE("a value of another type is told what is expected, with an example") {
  contains(pool_problem("\"workers\": \"four\""),
           "found \"four\"; allowed: a whole number from 1 to 128, or \"auto\"");
  contains(pool_problem("\"workers\": 1.5"), "found 1.5");
  contains(pool_problem("\"workers\": 4.0"), "found 4.0");
  contains(pool_problem("\"workers\": null"), "found null");
  contains(pool_problem("\"workers\": true"), "found true");
  contains(pool_problem("\"batch\": \"8\""), "found \"8\"; allowed: a whole number");
  contains(pool_problem("\"workers\": [1]"), "found an array");
  contains(pool_problem("\"spin\": {}"), "found an empty object; allowed: a duration");
  contains(pool_problem("\"modules\": \"x.so\""), "a list of strings, such as [\"");
  contains(pool_problem("\"modules\": [\"a\", 2]"), "modules/1: found 2; allowed: a string");
  contains(pool_problem("\"command\": [\"\"]"), "command/0: found an empty string");
  contains(pool_problem("\"environment\": [\"A=1\"]"), "an object of strings, such as {\"LANG\"");
  contains(pool_problem("\"environment\": {\"A\": 1}"),
           "environment/A: found 1; allowed: a string");
  contains(pool_problem("\"limits\": 5"), "limits: found 5; allowed: an object");
  contains(problem(R"({"socket": 5})"), "/socket: found 5; allowed: a path, such as");
  contains(problem(R"({"log": "debug"})"),
           "/log: found \"debug\"; allowed: an object with keys such as \"level\"");
  contains(problem(R"({"pools": {"p": 3}})"), "/pools/p: found 3; allowed: an object");
  contains(problem(R"({"users": [-1]})"), "/users/0: found -1; allowed: a name or a numeric id");
  contains(problem(R"({"users": [4294967295]})"), "/users/0: found 4294967295");
  contains(problem(R"({"groups": "g"})"), "a list of names or ids");
}

TEST_CASE("durations and sizes without a clear meaning are told what to write") {
  contains(problem(R"({"drain_timeout": 30})"), "\"30\" has no unit; perhaps \"30s\"?");
  contains(problem(R"({"drain_timeout": "30"})"), "\"30\" has no unit");
  contains(problem(R"({"drain_timeout": 1.5})"), "is not a whole number");
  contains(problem(R"({"drain_timeout": "1.5s"})"), "is not a whole number; use a smaller unit");
  contains(problem(R"({"drain_timeout": ""})"), "is empty");
  contains(problem(R"({"drain_timeout": "-5s"})"), "is negative");
  contains(problem(R"({"drain_timeout": -5})"), "is negative");
  contains(problem(R"({"drain_timeout": "99999999999h"})"), "is too long");
  contains(problem(R"({"drain_timeout": "30S"})"), "write \"30s\"");
  contains(pool_problem("\"max_rss\": \"64M\""), "\"64M\" is ambiguous");
  contains(pool_problem("\"max_rss\": 64"), "perhaps \"64B\"?");
  contains(pool_problem("\"limits\": {\"cpu\": \"1500ms\"}"), "a duration of whole seconds");
  contains(pool_problem("\"limits\": {\"core\": 5}"), "or \"inherit\"");
  contains(pool_problem("\"limits\": {\"open_files\": \"inherits\"}"), "or \"inherit\"");
}

TEST_CASE("an unknown key gets the nearest known one, its right place, or all keys") {
  CHECK(pool_problem("\"wrkers\": 3") ==
        "wrkers: found an unknown key; allowed: \"workers\" (the nearest known key)");
  contains(pool_problem("\"max-rss\": 0"), "\"max_rss\"");
  contains(pool_problem("\"env\": {}"), "\"environment\"");
  contains(problem(R"({"pool": {}})"), "\"pools\"");
  contains(problem(R"({"log": {"lvel": "info"}})"),
           "/log/lvel: found an unknown key; allowed: \"level\"");
  CHECK(problem(R"({"workers": 3})") ==
        "/workers: found an unknown key; allowed: \"workers\" at /pools/NAME/workers");
  contains(pool_problem("\"open_files\": 100"), "\"open_files\" at /pools/NAME/limits/open_files");
  contains(pool_problem("\"level\": \"info\""), "\"level\" at /log/level");
  const std::string line = problem(R"({"log": {"xyzzy": 1}})");
  contains(line, "/log/xyzzy");
  contains(line, "the keys level, target");
}

TEST_CASE("a word that is none of the choices gets all of them, and the nearest") {
  CHECK(problem(R"({"log": {"level": "debgu"}})") ==
        "/log/level: found \"debgu\"; allowed: \"trace\", \"debug\", \"info\", \"warning\" or "
        "\"error\" (\"debug\" is the nearest)");
  contains(problem(R"({"log": {"target": "auot"}})"), "\"auto\", \"stderr\" or \"journal\"");
  contains(problem(R"({"log": {"level": 3}})"), "found 3; allowed: \"trace\"");
  contains(pool_problem("\"on_client_death\": \"die\""), "\"kill\" or \"finish\"");
  contains(pool_problem("\"run_as\": \"root\""), "\"client\" or \"daemon\"");
  CHECK(
      pool_problem("\"model\": \"threads\"") ==
      "model: found \"threads\"; allowed: \"process\", \"thread\" or \"async\" (\"thread\" is the "
      "nearest)");
}

TEST_CASE("a key that comes twice is a problem wherever it stands") {
  CHECK(problem(R"({"max_clients": 1, "max_clients": 1})") ==
        "/max_clients: found the key more than once; allowed: each key once in an object");
  contains(problem(R"({"log": {"level": "info", "level": "info"}})"),
           "/log/level: found the key more than once");
  contains(problem(R"({"pools": {"a": {}, "b": {}, "a": {}}})"),
           "/pools/a: found the key more than once");
  contains(pool_problem(R"("environment": {"A": "1", "A": "2"})"),
           "environment/A: found the key more than once");
  CHECK(problem_lines(R"({"users": [], "zzz": [{"a": 1, "a": 2}]})").size() == 2);
  // The same key in two objects is none.
  good(R"({"pools": {"a": {"nice": 1}, "b": {"nice": 1}}})");
}

TEST_CASE("all problems are told in one go") {
  const auto lines = problem_lines(R"({
    "max_clients": 0, "drain_timeout": "soon", "sokcet": "x", "log": {"level": "loud", "target": 1},
    "restart": {"backoff_min": "2m", "backoff_max": "1m", "crash_loop_count": 0},
    "pools": {
      "a": {"workers": 0, "batch": 0, "modules": [1, 2], "limits": {"memory": "1B"}},
      "@b": {"nice": 99, "nice": 99},
      "c": {"environment": {"": "x", "A=B": "x", "C": 3}}
    }})");
  const std::vector<std::string> pointers = {"/max_clients",
                                             "/drain_timeout",
                                             "/sokcet",
                                             "/log/level",
                                             "/log/target",
                                             "/restart/backoff_min",
                                             "/restart/crash_loop_count",
                                             "/pools/a/workers",
                                             "/pools/a/batch",
                                             "/pools/a/modules/0",
                                             "/pools/a/modules/1",
                                             "/pools/a/limits/memory",
                                             "/pools/@b",
                                             "/pools/@b/nice",
                                             "/pools/@b/nice",
                                             "/pools/@b/nice",
                                             "/pools/c/environment/",
                                             "/pools/c/environment/A=B",
                                             "/pools/c/environment/C"};
  std::vector<std::string> found;
  for (const std::string& line : lines) found.push_back(line.substr(0, line.find(": found ")));
  auto sorted = pointers;
  std::sort(sorted.begin(), sorted.end());
  std::sort(found.begin(), found.end());
  CHECK(found == sorted);
}

TEST_CASE("pool names are checked") {
  for (const char* name :
       {"a", "default", "A-b_c.9", "0", "..", "abcdefghijklmnopqrstuvwxyz012345"}) {
    CHECK(good(std::string("{\"pools\": {\"") + name + "\": {}}}").pools.front().name == name);
  }
  for (const char* name :
       {"", "a b", "a/b", "a~", "a\\u0000b", "\xC3\xA9", "abcdefghijklmnopqrstuvwxyz0123456"}) {
    contains(problem(std::string("{\"pools\": {\"") + name + "\": {}}}"),
             "a name has 1 to 32 of the characters");
  }
  contains(problem(R"({"pools": {"@keeper": {}}})"),
           "/pools/@keeper: found the pool name \"@keeper\"; allowed: another name");
  contains(problem(R"({"pools": {"-x": {}}})"), "looks like an option");
}

TEST_CASE("there are 1 to 64 pools") {
  contains(problem(R"({"pools": {}})"),
           "/pools: found an empty object; allowed: an object of 1 to 64 pools");
  contains(problem(R"({"pools": []})"), "/pools: found an empty array");
  contains(problem(R"({"pools": null})"), "/pools: found null");
  contains(problem(R"({"pools": ["default"]})"), "{\"default\": {}}");
  const auto pools = [](int count) {
    std::string text = "{\"pools\": {";
    for (int i = 0; i < count; ++i)
      text += (i == 0 ? "\"p" : ", \"p") + std::to_string(i) + "\": {\"workers\": 1}";
    return text + "}}";
  };
  CHECK(good(pools(64)).pools.size() == 64);
  contains(problem(pools(65)), "/pools: found 65 pools; allowed: an object of 1 to 64 pools");
}

TEST_CASE("names of environment variables have no '=' and no NUL, values no NUL") {
  contains(pool_problem(R"("environment": {"A=B": "1"})"), "without '=' and NUL");
  contains(pool_problem(R"("environment": {"": "1"})"), "not empty");
  contains(pool_problem(R"("environment": {"A\u0000B": "1"})"), "without '=' and NUL");
  contains(pool_problem(R"("environment": {"A": "1\u00002"})"), "without NUL");
  contains(pool_problem(R"("command": ["a\u0000b"])"), "without NUL");
}

TEST_CASE("the shortest back-off must not exceed the longest") {
  CHECK(problem(R"({"restart": {"backoff_min": "2s", "backoff_max": "1s"}})") ==
        "/restart/backoff_min: found \"2s\"; allowed: at most backoff_max, which is \"1s\"");
  // Against the default of the other one.
  contains(problem(R"({"restart": {"backoff_min": "1m"}})"), "which is \"30s\"");
  good(R"({"restart": {"backoff_min": "1s", "backoff_max": "1s"}})");
  // A bad value is not compared with: its default would give a second, wrong complaint.
  contains(problem(R"({"restart": {"backoff_min": "1m", "backoff_max": "2x"}})"),
           "/restart/backoff_max");
}

TEST_CASE("a memory limit below the address space of one channel is refused") {
  const std::string line = pool_problem(
      R"("slots": 1024, "max_payload": "1MiB", "max_result": "1MiB", "limits": {"memory": "2GiB"})");
  contains(line, "limits/memory: found \"2GiB\"; allowed: more than \"2GiB\"");
  contains(line, "slots x (max_payload + max_result)");
  good_pool(
      R"("slots": 1024, "max_payload": "1MiB", "max_result": "1MiB", "limits": {"memory": "3GiB"})");
  // The largest that the ranges allow: no overflow.
  contains(
      pool_problem(
          R"("slots": 32768, "max_payload": "1GiB", "max_result": "1GiB", "limits": {"memory": "64TiB"})"),
      "64TiB");
}

TEST_CASE("a socket path that does not fit into an address is refused") {
  good("{\"socket\": \"/" + std::string(106, 'x') + "\"}");
  contains(problem("{\"socket\": \"/" + std::string(107, 'x') + "\"}"),
           "(108 bytes); allowed: a path of at most 107 bytes");
  // It is the absolute path that counts.
  CHECK(parse_config(R"({"socket": "s"})", "/" + std::string(107, 'd')).problems.size() == 1);
}

TEST_CASE("a syntax error is told by line and column") {
  contains(problem("{\n  \"max_clients\": 5x\n}"), "a syntax error at line 2, column 19");
  contains(problem("{\"a\" 1}"), "line 1, column 6");
  contains(problem("{"), "line 1, column 2");
  contains(problem("{} {}"), "line 1, column 4");
  contains(problem("{'a': 1}"), "line 1, column 2");
  contains(problem("{\"a\": 01}"), "line 1, column 8");
  contains(problem("{\"a\": \"open\n\"}"), "line 1, column 12");
  contains(problem("{ /* open"), "line 1");
  contains(problem("{\"a\": 1e999}"), "line 1");
  // Columns count characters, not bytes.
  contains(problem("{\"\xC3\xA9\xC3\xA9\": ?}"), "line 1, column 8");
}

TEST_CASE("a comma after the last item is named as what it is") {
  CHECK(problem("{\"users\": [],}") ==
        "found a syntax error at line 1, column 14; allowed: no comma before }");
  contains(problem("{\"users\": [1, ]}"), "no comma before ]");
  contains(problem("{\"users\": [], // why not\n}"),
           "line 2, column 1; allowed: no comma before }");
  for (const char* other :
       {"{\"users\": }", "{,}", "{\"users\": [,]}", "{\"users\"}", "{\"users\": [1}",
        "{\"users\": [1, tru]}", "{\"users\": [], \"groups\": }", "]"}) {
    const std::string line = problem(other);
    CHECK(line.find("no comma") == std::string::npos);
    contains(line, "a syntax error at line 1");
  }
}

TEST_CASE("a file that is no config at all is refused as such") {
  contains(problem(""), "an empty file");
  contains(problem(" \n\t"), "an empty file");
  contains(problem("// only words\n/* and more */"), "an empty file");
  contains(problem("[]"), "found an empty array; allowed: an object");
  contains(problem("\"text\""), "found \"text\"; allowed: an object");
  contains(problem("null"), "found null; allowed: an object");
  contains(problem("42"), "found 42");
  contains(problem("{\"socket\": \"\xFF\"}"),
           "a byte that is not UTF-8 at line 1, column 13; allowed: UTF-8 text");
  contains(problem("{} // \xC3("), "not UTF-8 at line 1, column 7");
  contains(problem(std::string("{}\0{}", 5)), "a NUL byte at line 1, column 3");
  contains(problem("{\"a\": \"\xED\xA0\x80\"}"), "not UTF-8");  // a surrogate
  contains(problem("{\"a\": \"\xC0\xAF\"}"), "not UTF-8");      // an overlong form
  contains(problem("{\"a\": \"\xF4\x90\x80\x80\"}"), "not UTF-8");
  contains(problem("{\"a\": \"\xE2\x82"), "not UTF-8");  // cut
  CHECK(problem_lines("\xEF\xBB\xBF{}").empty());        // a byte order mark is harmless
}

TEST_CASE("a huge file is refused, one of the largest size is read") {
  std::string text = "{}";
  text.resize(kConfigFileMax, ' ');
  good(text);
  text += ' ';
  CHECK(problem(text) == "found a file of more than 1MiB; allowed: a config file");
}

TEST_CASE("deep nesting is refused before it can exhaust the stack") {
  contains(problem("{\"a\": " + std::string(500'000, '[')), "nested more than 32 deep");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  contains(problem(objects), "nested more than 32 deep");
  // Not too deep for the parser, yet an unknown key.
  contains(problem("{\"zzz\": " + std::string(31, '[') + std::string(31, ']') + "}"),
           "/zzz: found an unknown key");
}

TEST_CASE("a problem is one short line, whatever the file holds") {
  const std::string nasty = "\\u001b[2J\\n\\r" + std::string(5000, 'x') + "\x7F";
  for (const std::string& text :
       {"{\"" + nasty + "\": 1}", "{\"pools\": {\"" + nasty + "\": {}}}",
        "{\"drain_timeout\": \"" + nasty + "\"}", "{\"drain_timeout\": \"1" + nasty + "\"}",
        "{\"log\": {\"level\": \"" + nasty + "\"}}",
        "{\"max_clients\": " + std::string(5000, '9') + "}", "{\"max_clients\": xx" + nasty + "}",
        "{\"pools\": {\"p\": {\"environment\": {\"=" + nasty + "\": \"\"}}}}"}) {
    for (const std::string& line : problem_lines(text)) {
      CAPTURE(line);
      CHECK(line.size() < 500);
      CHECK(std::none_of(line.begin(), line.end(),
                         [](char c) { return std::uint8_t(c) < 0x20 || c == 0x7F; }));
    }
    CHECK_FALSE(problem_lines(text).empty());
  }
}

TEST_CASE("pointers escape what JSON pointers reserve") {
  contains(problem(R"({"a/b~c": 1})"), "/a~1b~0c: found");
}
