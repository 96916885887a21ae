// What an async pool does not load, and says why.
#include <doctest/doctest.h>

#include "tests/async/support.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

std::string refusal(const std::string& module, const std::string& model) {
  Daemon daemon(R"({"default": {"model": ")" + model + R"(", "workers": 1, "modules": [")" +
                test_module(module) + "\"]}}");
  std::string reason;
  // Until its only worker has tried, the pool is not known to be broken.
  eventually([&] {
    try {
      reason = daemon.connect().pool().submit("echo", "x").result().text();
    } catch (const Exception& e) {
      reason = e.what();
    }
    return reason.find("module") != std::string::npos;
  });
  return reason;
}

bool says(const std::string& text, const std::string& words) {
  INFO(text);
  return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("a module with a function that would block the loop is refused by name") {
  const std::string reason = refusal("mixed_kinds", "async");
  CHECK(says(reason, "\"blocking\" is a function"));
  CHECK(says(reason, "make it a coroutine"));
}

TEST_CASE("a module of functions is refused by an async pool") {
  CHECK(says(refusal("square", "async"), "is a function"));
}

TEST_CASE("a module that was built with another Boost is refused and both releases are named") {
  const std::string reason = refusal("other_boost", "async");
  CHECK(says(reason, "Boost 1.74"));
  CHECK(says(reason, "Boost 1.81"));
}
