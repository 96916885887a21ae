#include <utility>  // before Asio

#include "worker/async/async_modules.hpp"

#include <dlfcn.h>

#include <exception>
#include <vector>

#include <jobring/async_handler.hpp>

namespace jobring {
namespace {

using AsyncInit = std::int64_t (*)(const jobring_async_registry*);

Error module_error(const std::string& path, std::string what, std::string hint = {}) {
  return Error{Errc::config, std::move(what), "module " + path, std::move(hint)};
}

struct Registering {
  HandlerTable& table;
  const std::string& path;
  Result<void> failure;
};

int add_coroutine(void* host, const char* name, AsyncStart start, void* user) {
  auto& to = *static_cast<Registering*>(host);
  Handler handler{name != nullptr ? name : "", nullptr, user, to.path};
  handler.coroutine = reinterpret_cast<void (*)()>(start);
  if (start == nullptr)
    to.failure = module_error(to.path, "registers a handler without a coroutine");
  if (to.failure.ok()) to.failure = to.table.add(std::move(handler));
  return to.failure.ok() ? 0 : -1;
}

std::string release_of(std::int64_t version) {
  const std::int64_t boost = version % 1'000'000'000;
  return "Boost " + std::to_string(boost / 100'000) + "." + std::to_string(boost / 100 % 1000);
}

}  // namespace

Result<void> load_async_module(HandlerTable& table, const std::string& path) {
  // The functions of the module, by the usual way with all of its checks. A module of coroutines
  // has that way in as well, if only because async_handler.hpp includes handler.hpp.
  HandlerTable functions;
  if (auto loaded = functions.load_module(path); !loaded) return loaded.error();
  const std::string file = path.find('/') == path.npos ? "./" + path : path;
  void* module = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
  const auto init = module == nullptr
                        ? nullptr
                        : reinterpret_cast<AsyncInit>(dlsym(module, "jobring_async_module_init"));
  Registering registering{table, path, {}};
  if (init != nullptr) {
    const jobring_async_registry registry{JOBRING_ASYNC_VERSION, &registering, &add_coroutine};
    std::int64_t status = 0;
    try {
      status = init(&registry);
    } catch (const std::exception& e) {
      return module_error(path, std::string("threw while loading: ") + e.what());
    } catch (...) {
      return module_error(path, "threw while loading");
    }
    if (!registering.failure.ok()) return registering.failure;
    if (status > 0) {
      return module_error(path,
                          "its coroutines were built with another jobring or with " +
                              release_of(status) + ", this worker with " +
                              release_of(std::int64_t(JOBRING_ASYNC_VERSION)),
                          "build it again with the Boost headers that jobring is built with");
    }
    if (status != 0)
      return module_error(path,
                          "its jobring_async_module_init failed with " + std::to_string(status));
  }
  for (const std::string& name : functions.names()) {
    if (table.find(name) != nullptr) continue;
    return module_error(path,
                        "the handler \"" + name +
                            "\" is a function: while it runs, no other job of its worker would",
                        "make it a coroutine, see <jobring/async_handler.hpp>, or use a pool whose "
                        "model is \"process\" or \"thread\"");
  }
  return {};
}

}  // namespace jobring
