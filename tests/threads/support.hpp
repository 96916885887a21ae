// Daemons with thread pools, for the tests here.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tests/support/daemon.hpp"

namespace jobring::test {

inline std::string thread_pool(int threads, int workers = 1, const std::string& more = "") {
  return R"({"default": {"model": "thread", "threads": )" + std::to_string(threads) +
         R"(, "workers": )" + std::to_string(workers) + R"(, "modules": [")" +
         test_module("threaded") + R"("])" + more + "}}";
}

inline bool exists(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

// How often wait_for_file ran with this path.
inline long runs(const std::string& path) {
  const std::string text = read_file(path + ".runs");
  return std::count(text.begin(), text.end(), '\n');
}

}  // namespace jobring::test
