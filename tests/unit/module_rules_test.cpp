// What a worker asks of modules: of those in C, and of all in a pool of threads.
#include <doctest/doctest.h>

#include "worker/builtins.hpp"
#include "worker/modules.hpp"

using namespace jobring;

namespace {

std::string module(const std::string& name) {
  return std::string(JOBRING_MODULE_DIR) + "/" + name + ".so";
}

// Of a module that is refused: one line, without its name.
std::string refusal(const std::string& name) {
  HandlerTable table;
  const auto loaded = table.load_module(module(name));
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().code == Errc::config);
  CHECK(table.names().empty());
  const std::string line = loaded.error().line(), start = "module " + module(name) + ": ";
  REQUIRE(line.starts_with(start));
  CHECK(line.find('\n') == line.npos);
  return line.substr(start.size());
}

Handler handler_of(const std::string& name, bool thread_safe) {
  return {name, [](jobring_job*, void*) {}, nullptr, "that.so", thread_safe};
}

}  // namespace

TEST_CASE("a module in C is loaded with what its handlers are fit for") {
  HandlerTable table;
  REQUIRE(table.load_module(module("c_handlers")).ok());
  REQUIRE(table.find("c_square") != nullptr);
  CHECK_FALSE(table.find("c_square")->thread_safe);
  REQUIRE(table.load_module(module("c_thread_safe")).ok());
  REQUIRE(table.find("c_meet") != nullptr);
  CHECK(table.find("c_meet")->thread_safe);
  REQUIRE(table.load_module(module("c_own_init")).ok());
  REQUIRE(table.find("c_say_two") != nullptr);
  CHECK(table.find("c_say_two")->thread_safe);
  CHECK(table.find("c_say_one")->user != table.find("c_say_two")->user);
}

TEST_CASE("the files of one module are of C and of C++") {
  HandlerTable table;
  REQUIRE(table.load_module(module("mixed_languages")).ok());
  CHECK(table.names() == std::vector<std::string>{"from_c", "from_cxx", "from_more_c"});
  CHECK(table.find("from_c")->thread_safe);
  CHECK_FALSE(table.find("from_cxx")->thread_safe);
  // And what is loaded beside it keeps its own.
  REQUIRE(table.load_module(module("c_handlers")).ok());
  REQUIRE(table.load_module(module("faulty")).ok());
  CHECK(table.find("from_c")->module == module("mixed_languages"));
  CHECK(table.find("c_crash")->module == module("c_handlers"));
  CHECK(table.find("crash")->module == module("faulty"));
}

TEST_CASE("a bad module in C is refused in one line") {
  CHECK(refusal("c_no_init")
            .starts_with("has no jobring_module_init: it is not a module of jobring"));
  CHECK(refusal("c_wrong_version")
            .starts_with("was built for version " + std::to_string(JOBRING_MODULE_VERSION + 7) +
                         " of the module interface, this worker has version " +
                         std::to_string(JOBRING_MODULE_VERSION)));
  CHECK(refusal("c_twice") == "the handler \"c_twice\" exists already, in " + module("c_twice") +
                                  "; rename one, or use two pools");
  CHECK(refusal("c_long_name") ==
        "the handler name \"c_a_name_that_is_one_byte_longer_than_is_allowed\" has 48 bytes, 47 "
        "are allowed");
}

TEST_CASE("a pool of threads takes handlers that are declared thread-safe and no others") {
  HandlerTable table;
  CHECK(table.require_thread_safe("p").ok());  // of nothing
  REQUIRE(table.add(handler_of("safe", true)).ok());
  CHECK(table.require_thread_safe("p").ok());
  REQUIRE(table.add(handler_of("unsafe", false)).ok());
  REQUIRE(table.add(handler_of("also_safe", true)).ok());
  const auto refused = table.require_thread_safe("p");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Errc::config);
  CHECK(refused.error().line() ==
        "pool p: the handler \"unsafe\" of module that.so is not declared thread-safe, as the "
        "model \"thread\" demands; register it with JOBRING_THREAD_SAFE_HANDLER if it is, or give "
        "its module to a pool with \"model\": \"process\"");
}

TEST_CASE("a module is not thread-safe as long as one of its handlers is not") {
  HandlerTable safe;
  REQUIRE(safe.load_module(module("c_thread_safe")).ok());
  CHECK(safe.require_thread_safe("p").ok());
  HandlerTable mixed;
  REQUIRE(mixed.load_module(module("mixed_languages")).ok());
  const auto refused = mixed.require_thread_safe("p");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().line().find("\"from_cxx\"") != std::string::npos);
}

TEST_CASE("a typed handler is thread-safe if it is declared to be and only then") {
  HandlerTable table;
  REQUIRE(table.load_module(module("threaded")).ok());
  REQUIRE(table.find("meet_and_double") != nullptr);
  CHECK(table.require_thread_safe("p").ok());
  REQUIRE(table.load_module(module("futures")).ok());
  REQUIRE(table.find("add") != nullptr);
  CHECK_FALSE(table.find("add")->thread_safe);
}

TEST_CASE("what workers have built in is fit for threads") {
  HandlerTable table;
  for (Handler& builtin : builtin_handlers()) REQUIRE(table.add(std::move(builtin)).ok());
  CHECK_FALSE(table.names().empty());
  CHECK(table.require_thread_safe("p").ok());
}
