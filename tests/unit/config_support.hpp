// What the tests of the config file share.
#pragma once

#include <doctest/doctest.h>
#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "common/config/config.hpp"
#include "common/limits.hpp"

namespace jobring::test::config {

// A config that must be good.
inline Config good(const std::string& text, const std::string& directory = "") {
  const ConfigOutcome outcome = parse_config(text, directory);
  CAPTURE(text);
  for (const ConfigProblem& problem : outcome.problems) FAIL_CHECK(problem.line());
  return outcome.config;
}

inline PoolConfig good_pool(const std::string& keys, const std::string& directory = "") {
  const Config config = good("{\"pools\": {\"p\": {" + keys + "}}}", directory);
  REQUIRE(config.pools.size() == 1);
  return config.pools.front();
}

inline std::vector<std::string> problem_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (const ConfigProblem& problem : parse_config(text, "").problems)
    lines.push_back(problem.line());
  return lines;
}

// The one problem of a text.
inline std::string problem(const std::string& text) {
  const auto lines = problem_lines(text);
  CAPTURE(text);
  for (const std::string& line : lines) INFO(line);
  REQUIRE(lines.size() == 1);
  return lines.front();
}

// The one problem of a pool with these keys; its place within the pool first.
inline std::string pool_problem(const std::string& keys) {
  const std::string line = problem("{\"pools\": {\"p\": {" + keys + "}}}");
  const std::string pool = "/pools/p/";
  REQUIRE(line.starts_with(pool));
  return line.substr(pool.size());
}

inline bool contains(const std::string& text, const std::string& words) {
  const bool found = text.find(words) != std::string::npos;
  if (!found) FAIL_CHECK("\"" << words << "\" is not in: " << text);
  return found;
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path);
  CAPTURE(path);
  REQUIRE(file.good());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::uint32_t processors() {
  cpu_set_t set;
  REQUIRE(sched_getaffinity(0, sizeof set, &set) == 0);
  return std::min<std::uint32_t>(std::uint32_t(CPU_COUNT(&set)), kWorkersMax);
}

}  // namespace jobring::test::config
