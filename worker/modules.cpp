#include "worker/modules.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <utility>

#include "common/limits.hpp"

namespace jobring {
namespace {

using ModuleInit = int (*)(const jobring_registry*);

// The module that is being loaded: what a terminate handler can know.
const char* loading_path = nullptr;

std::string thrown_message() {
  try {
    throw;
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "something that is not a std::exception";
  }
}

[[noreturn]] void terminated_while_loading() {
  std::string line = std::string(loading_path) + ": the module ended the process while loading";
  if (std::current_exception() != nullptr) line += ", by throwing: " + thrown_message();
  line =
      Error{Errc::config, line, {}, "mend the module, or take it out of \"modules\""}.line() + "\n";
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
  _exit(exit_status(Errc::config));
}

// Code of a stranger runs while one of these lives.
class Loading {
 public:
  explicit Loading(const std::string& path)
      : before_(std::set_terminate(&terminated_while_loading)) {
    loading_path = path.c_str();
  }
  ~Loading() {
    std::set_terminate(before_);
    loading_path = nullptr;
  }
  Loading(const Loading&) = delete;
  Loading& operator=(const Loading&) = delete;

 private:
  std::terminate_handler before_;
};

Error module_error(const std::string& path, std::string what, std::string hint = {}) {
  return Error{Errc::config, std::move(what), "module " + path, std::move(hint)};
}

Error threw(const std::string& path) {
  return module_error(path, "threw while loading: " + thrown_message());
}

// "FILE: words" as the loader says it, without the file that we name anyway.
std::string loader_words(const std::string& path) {
  const char* said = dlerror();
  std::string words = said != nullptr ? said : "the loader gives no reason";
  const std::string prefix = path + ": ";
  if (words.starts_with(prefix)) words.erase(0, prefix.size());
  return words;
}

}  // namespace

Result<void> HandlerTable::load_module(const std::string& path) {
  // Without a slash the loader would look for a library of that name in the system's directories.
  const std::string file = path.find('/') == path.npos ? "./" + path : path;
  const Loading loading(path);
  void* module = nullptr;
  try {
    module = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  } catch (...) {
    return threw(path);
  }
  if (module == nullptr) return module_error(path, loader_words(file));
  const auto init = reinterpret_cast<ModuleInit>(dlsym(module, "jobring_module_init"));
  if (init == nullptr && dlsym(module, "jobring_async_module_init") != nullptr) {
    return module_error(path, "has coroutines only, which take an event loop",
                        "name it in a pool with \"model\": \"async\"");
  }
  if (init == nullptr) {
    return module_error(path, "has no jobring_module_init: it is not a module of jobring",
                        "include <jobring/handler.hpp> in it, or <jobring/handler.h> in C");
  }

  // Aside, until all of it is known to be right.
  struct Registering {
    const HandlerTable& known;
    const std::string& path;
    HandlerTable added;
    Result<void> failure;
  } registering{*this, path, {}, {}};
  const auto add = [](void* host, const char* name, jobring_handler_fn fn, void* user) {
    auto& to = *static_cast<Registering*>(host);
    Handler handler{name != nullptr ? name : "", fn, user, to.path, false};
    if (fn == nullptr) to.failure = module_error(to.path, "registers a handler without a function");
    if (to.failure.ok()) to.failure = to.known.check(handler);
    if (to.failure.ok()) to.failure = to.added.add(std::move(handler));
    return to.failure.ok() ? 0 : -1;
  };
  const auto declare = [](void* host, const char* name, std::uint32_t traits) {
    auto& handlers = static_cast<Registering*>(host)->added.handlers_;
    const auto found = handlers.find(std::string_view(name != nullptr ? name : ""));
    if (found == handlers.end()) return -1;
    found->second.thread_safe = (traits & JOBRING_THREAD_SAFE) != 0;
    return 0;
  };
  const jobring_registry registry{JOBRING_MODULE_VERSION, &registering, add, declare};
  int status = 0;
  try {
    status = init(&registry);
  } catch (...) {
    return threw(path);
  }
  if (!registering.failure.ok()) return registering.failure;
  if (status > 0) {
    return module_error(path,
                        "was built for version " + std::to_string(status) +
                            " of the module interface, this worker has version " +
                            std::to_string(JOBRING_MODULE_VERSION),
                        "build it again with this release's <jobring/handler.hpp>");
  }
  if (status != 0)
    return module_error(path, "its jobring_module_init failed with " + std::to_string(status));
  handlers_.merge(registering.added.handlers_);
  return {};
}

Result<void> HandlerTable::check(const Handler& handler) const {
  const auto wrong = [&](std::string what, std::string hint = {}) {
    return Error{Errc::config, std::move(what), "module " + handler.module, std::move(hint)};
  };
  if (handler.name.empty()) return wrong("a handler's name is empty");
  if (handler.name.size() > kHandlerNameMax) {
    return wrong("the handler name \"" + handler.name + "\" has " +
                 std::to_string(handler.name.size()) + " bytes, " +
                 std::to_string(kHandlerNameMax) + " are allowed");
  }
  if (const Handler* other = find(handler.name)) {
    return wrong("the handler \"" + handler.name + "\" exists already, in " + other->module,
                 "rename one, or use two pools");
  }
  return {};
}

Result<void> HandlerTable::add(Handler handler) {
  if (auto checked = check(handler); !checked) return checked;
  std::string name = handler.name;
  handlers_.emplace(std::move(name), std::move(handler));
  return {};
}

Result<void> HandlerTable::require_thread_safe(const std::string& pool) const {
  for (const auto& [name, handler] : handlers_) {
    if (handler.thread_safe) continue;
    return Error{Errc::config,
                 "the handler \"" + name + "\" of module " + handler.module +
                     " is not declared thread-safe, as the model \"thread\" demands",
                 "pool " + pool,
                 "register it with JOBRING_THREAD_SAFE_HANDLER if it is, or give its module to a "
                 "pool with \"model\": \"process\""};
  }
  return {};
}

const Handler* HandlerTable::find(std::string_view name) const {
  const auto found = handlers_.find(name);
  return found != handlers_.end() ? &found->second : nullptr;
}

std::vector<std::string> HandlerTable::names() const {
  std::vector<std::string> all;
  for (const auto& [name, handler] : handlers_) all.push_back(name);
  return all;
}

}  // namespace jobring
