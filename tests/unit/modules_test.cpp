// JOBRING_MODULE_DIR is the directory with the modules of tests/modules and examples/modules,
// NAME.so each.
#include "worker/modules.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

using namespace jobring;

namespace {

std::string module(const std::string& name) {
  return std::string(JOBRING_MODULE_DIR) + "/" + name + ".so";
}

std::string refusal(const std::string& path) {
  HandlerTable table;
  auto loaded = table.load_module(path);
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().code == Errc::config);
  CHECK(table.names().empty());
  const std::string line = loaded.error().line();
  CHECK(line.starts_with("module " + path + ": "));
  CHECK(line.find('\n') == line.npos);
  return line.substr(path.size() + 9);
}

// A job as a worker would present it, with a result in memory.
struct FakeJob {
  std::string payload, result, type, message;
  std::size_t max_result = 1024;
  bool stop = false;

  void run(const Handler& handler) {
    jobring_job job{};
    job.payload = reinterpret_cast<const unsigned char*>(payload.data());
    job.payload_len = payload.size();
    job.host = this;
    job.reserve = [](void* host, std::size_t len) -> unsigned char* {
      auto* self = static_cast<FakeJob*>(host);
      if (len > self->max_result) return nullptr;
      self->result.resize(len);
      return reinterpret_cast<unsigned char*>(self->result.data());
    };
    job.commit = [](void* host, std::size_t len) {
      static_cast<FakeJob*>(host)->result.resize(len);
    };
    job.fail = [](void* host, const char* message, std::size_t len) {
      static_cast<FakeJob*>(host)->message.assign(message, len);
    };
    job.fail_typed = [](void* host, const char* type, std::size_t type_len, const char* message,
                        std::size_t len) {
      static_cast<FakeJob*>(host)->type.assign(type, type_len);
      static_cast<FakeJob*>(host)->message.assign(message, len);
    };
    job.progress = [](void*, std::uint64_t, std::uint64_t, const char*, std::size_t) {};
    job.stop_requested = [](void* host) { return int(static_cast<FakeJob*>(host)->stop); };
    job.max_result = [](void* host) {
      return std::uint64_t(static_cast<FakeJob*>(host)->max_result);
    };
    handler.fn(&job, handler.user);
  }
};

FakeJob call(const HandlerTable& table, const std::string& name, const std::string& payload) {
  const Handler* handler = table.find(name);
  REQUIRE(handler != nullptr);
  FakeJob job;
  job.payload = payload;
  job.run(*handler);
  return job;
}

struct Ended {
  int status;        // as waitpid() gives it
  std::string text;  // what it wrote to stderr
};

// In a process of its own: what is tried may end it.
Ended in_child(const std::function<void()>& body) {
  int fds[2];
  REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
  std::fflush(nullptr);  // else the child prints it too
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(fds[1], 2);
    for (const int s : {SIGSEGV, SIGABRT}) signal(s, SIG_DFL);  // doctest has handlers of its own
    body();
    _exit(0);
  }
  close(fds[1]);
  Ended ended{};
  char bytes[4096];
  for (ssize_t n; (n = read(fds[0], bytes, sizeof bytes)) > 0;)
    ended.text.append(bytes, std::size_t(n));
  close(fds[0]);
  REQUIRE(waitpid(pid, &ended.status, 0) == pid);
  return ended;
}

}  // namespace

TEST_CASE("the handlers of a module run, reply and fail") {
  HandlerTable table;
  REQUIRE(table.load_module(module("square")).ok());
  CHECK(table.names() == std::vector<std::string>{"reverse", "square", "sum"});
  CHECK(table.find("square")->module == module("square"));
  CHECK(table.find("cube") == nullptr);
  CHECK(call(table, "square", "-12").result == "144");
  CHECK(call(table, "square", "twelve").message ==
        "\"twelve\" is not a whole number within 64 bits");
  CHECK(call(table, "square", "9000000000000").message == "the result does not fit in 64 bits");
  CHECK(call(table, "sum", "1\n2\n\n-40\n").result == "-37");
  CHECK(call(table, "sum", "").result == "0");
  CHECK(call(table, "reverse", "abc").result == "cba");
}

TEST_CASE("two modules in one process have their own handlers each") {
  HandlerTable table;
  REQUIRE(table.load_module(module("square")).ok());
  REQUIRE(table.load_module(module("faulty")).ok());
  CHECK(table.names().size() == 3 + 12);
  CHECK(table.find("spin")->module == module("faulty"));
  CHECK(call(table, "square", "3").result == "9");
  FakeJob job;
  job.stop = true;
  job.run(*table.find("spin"));
  CHECK(job.result == "stopped when asked");
}

TEST_CASE("no exception leaves a module") {
  HandlerTable table;
  REQUIRE(table.load_module(module("faulty")).ok());
  CHECK(call(table, "throw_std", "words").message == "thrown: words");
  CHECK(call(table, "throw_std", "words").type == "std::runtime_error");
  CHECK(call(table, "throw_int", "").message ==
        "the handler threw something that is not a std::exception");
  CHECK(call(table, "throw_int", "").type == "int");
  CHECK(call(table, "too_big", "").message == "the result is larger than the pool's max_result");
  CHECK(call(table, "sleep_ms", "1").result == "slept");
}

TEST_CASE("the faulty handlers do what they are for") {
  const auto ended = [](const char* name, const char* payload) {
    return in_child([=] {
      HandlerTable table;
      if (table.load_module(module("faulty")).ok()) call(table, name, payload);
    });
  };
  CHECK(WTERMSIG(ended("crash", "").status) == SIGSEGV);
  CHECK(WTERMSIG(ended("abort", "").status) == SIGABRT);
  CHECK(WEXITSTATUS(ended("exit", "42").status) == 42);
  const Ended spoke = ended("stderr_then_crash", "middle");
  CHECK(spoke.text == "first line\nmiddle\nlast words\n");
  CHECK(WTERMSIG(spoke.status) == SIGSEGV);
}

TEST_CASE("a module that cannot be loaded is refused with the reason") {
  CHECK(refusal("/no/such/module.so") ==
        "cannot open shared object file: No such file or directory");
  CHECK(refusal("no-such-module.so") ==
        "cannot open shared object file: No such file or directory");
  CHECK(refusal(module("undefined_symbol")) ==
        "undefined symbol: jobring_test_function_of_a_missing_library");
  CHECK(refusal(module("no_init"))
            .starts_with("has no jobring_module_init: it is not a module of jobring"));
  CHECK(refusal(module("wrong_version"))
            .starts_with(
                "was built for version 9 of the module interface, this worker has version 2"));
}

TEST_CASE("a file that is not a shared object is refused as that") {
  std::string path = (std::filesystem::temp_directory_path() / "jobring-test-XXXXXX").string();
  const int fd = mkstemp(path.data());
  REQUIRE(fd >= 0);
  close(fd);
  std::ofstream(path)
      << "this is a text, and long enough to be looked at as if it had a header of a shared object";
  CHECK(refusal(path) == "invalid ELF header");
  unlink(path.c_str());
}

TEST_CASE("a module that throws from its init is refused with the message") {
  CHECK(refusal(module("throws_init")) == "threw while loading: cannot read its model");
  CHECK(refusal(module("throws_int")) ==
        "threw while loading: something that is not a std::exception");
}

TEST_CASE("a module that throws from a static initialiser ends in one clear line") {
  // Whether the loader lets the exception through or the runtime terminates: in both cases the
  // reason is said.
  const Ended ended = in_child([] {
    HandlerTable table;
    auto loaded = table.load_module(module("throws_static"));
    if (loaded.ok()) _exit(1);
    dprintf(2, "%s\n", loaded.error().line().c_str());
    _exit(exit_status(loaded.error().code));
  });
  CHECK(WEXITSTATUS(ended.status) == 78);
  CHECK(ended.text.find(module("throws_static")) != std::string::npos);
  CHECK(ended.text.find("no licence for this machine") != std::string::npos);
  CHECK(ended.text.find('\n') == ended.text.size() - 1);
}

TEST_CASE(
    "a module that makes the runtime terminate ends the process with one clear line and status "
    "78") {
  const Ended ended = in_child([] {
    HandlerTable table;
    (void)table.load_module(module("terminates_static"));
  });
  REQUIRE(WIFEXITED(ended.status));
  CHECK(WEXITSTATUS(ended.status) == 78);
  CHECK(ended.text == module("terminates_static") +
                          ": the module ended the process while loading, by throwing: no way out; "
                          "mend the module, or "
                          "take it out of \"modules\"\n");
}

TEST_CASE("a name that is taken is refused with both modules, and the rest of the module with it") {
  HandlerTable table;
  REQUIRE(table.load_module(module("square")).ok());
  auto loaded = table.load_module(module("duplicate"));
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().line() == "module " + module("duplicate") +
                                     ": the handler \"square\" exists already, in " +
                                     module("square") + "; rename one, or use two pools");
  CHECK(table.find("only_in_duplicate") == nullptr);
  CHECK(call(table, "square", "2").result == "4");
}

TEST_CASE("a handler's name has 1 to 47 bytes") {
  const auto name = [](const std::string& value) { setenv("JOBRING_TEST_NAME", value.c_str(), 1); };
  name("");
  CHECK(refusal(module("bad_names")) == "a handler's name is empty");
  name(std::string(48, 'n'));
  CHECK(refusal(module("bad_names")).ends_with("has 48 bytes, 47 are allowed"));
  name(std::string(47, 'n'));
  HandlerTable table;
  CHECK(table.load_module(module("bad_names")).ok());
  CHECK(table.find(std::string(47, 'n')) != nullptr);
  unsetenv("JOBRING_TEST_NAME");
}

TEST_CASE("a built-in handler is found, and its name is taken") {
  HandlerTable table;
  const auto nothing = [](jobring_job*, void*) {};
  REQUIRE(table.add(Handler{"square", nothing, nullptr, "built in"}).ok());
  const Handler* found = table.find("square");
  auto loaded = table.load_module(module("square"));
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().line().find("exists already, in built in") != std::string::npos);
  REQUIRE(table.load_module(module("faulty")).ok());
  CHECK(table.find("square") == found);
}
