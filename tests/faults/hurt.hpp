// What the tests of this folder have in common.
#pragma once

#include <string>
#include <string_view>

#include "tests/support/daemon.hpp"

namespace jobring::test {

// A "pools" object: one pool with the module hurtful.
inline std::string hurtful(int workers, const std::string& more = "") {
  return R"({"default": {"workers": )" + std::to_string(workers) + R"(, "modules": [")" +
         test_module("hurtful") + R"("])" + more + "}}";
}

inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

}  // namespace jobring::test
