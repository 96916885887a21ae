// What these tests share: a daemon with their handlers.
#pragma once

#include <string>

#include <jobring/jobring.hpp>

#include "tests/support/daemon.hpp"
#include "tests/support/gate.hpp"
#include "tests/support/place.hpp"

namespace jobring::test {

// `more` further members of the pool, each with a leading comma.
inline std::string futures_pool(int workers = 2, const std::string& more = "") {
  return R"({"default": {"workers": )" + std::to_string(workers) + R"(, "modules": [")" +
         test_module("faulty") + R"(", ")" + test_module("futures") + R"("])" + more + "}}";
}

}  // namespace jobring::test
