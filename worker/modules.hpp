// The handlers of this process: built-in ones, and those of modules (shared objects,
// worker/include/jobring/handler.hpp, and handler.h in C).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <jobring/handler.hpp>

#include "common/result.hpp"

namespace jobring {

struct Handler {
  std::string name;
  jobring_handler_fn fn;     // null: a built-in that the worker runs itself
  void* user;                // given to fn
  std::string module;        // where it comes from, for messages
  bool thread_safe = false;  // may run several times at once in one process
  // Of an async worker (async/async_modules.hpp): makes the coroutine instead of fn.
  void (*coroutine)() = nullptr;
};

// Not thread-safe while it is filled; then only read. A Handler stays where it is.
class HandlerTable {
 public:
  // Loads a module and adds all its handlers, or none. It is never unloaded: its threads and
  // statics may be in use, also after a failure. Errors (Errc::config): no such file, not a shared
  // object, an undefined symbol, no jobring_module_init, another version of the interface, an
  // exception while loading, a name that is taken or not allowed. A module that makes the C++
  // runtime terminate while it loads ends the process with status 78 and one line on stderr.
  Result<void> load_module(const std::string& path);
  Result<void> add(Handler handler);

  // Null if there is none.
  const Handler* find(std::string_view name) const;
  std::vector<std::string> names() const;  // sorted
  // Errc::config if a handler has not been declared thread-safe. `pool`: for the message.
  Result<void> require_thread_safe(const std::string& pool) const;

 private:
  Result<void> check(const Handler& handler) const;

  std::map<std::string, Handler, std::less<>> handlers_;
};

}  // namespace jobring
