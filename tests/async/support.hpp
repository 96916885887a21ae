// Daemons with an async pool.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "tests/support/daemon.hpp"

namespace jobring::test {

// The "pools" object of a config. `more`: further keys of the pool, each with a leading comma.
inline std::string async_pool(int max_in_flight = 256, const std::string& more = "") {
  return R"({"default": {"model": "async", "workers": 1, "max_in_flight": )" +
         std::to_string(max_in_flight) + R"(, "modules": [")" + test_module("async_jobs") + "\"]" +
         more + "}}";
}

inline std::vector<std::string> lines(const std::string& file) {
  std::vector<std::string> all;
  std::istringstream text(read_file(file));
  for (std::string line; std::getline(text, line);) all.push_back(line);
  return all;
}

inline bool has_lines(const std::string& file, std::size_t count) {
  return eventually([&] { return lines(file).size() >= count; });
}

}  // namespace jobring::test
