#include "worker/worker_process.hpp"

#include <unistd.h>

#include <utility>

#include "worker/builtins.hpp"
#include "worker/exec/run_command.hpp"

namespace jobring {

void cannot_start(OrderLink& link, const Error& error) {
  link.report(WorkerFailed{error.line()});
  _exit(exit_status(error.code));
}

HandlerSource plain_handlers() {
  return {builtin_handlers(),
          [](HandlerTable& table, const std::string& path) { return table.load_module(path); }};
}

void introduce(WorkerProcess& process, OrderLink& link, std::size_t page_size) {
  link.report(WorkerHello{kControlVersion, {}});
  Order welcome = link.await<Welcome>();
  process.settings = std::get<Welcome>(welcome.message);
  if (welcome.fds.size() != process.settings.workers + 1)
    cannot_start(link, {Errc::protocol, "a welcome without its descriptors", {}, {}});
  auto mapping = Mapping::map(welcome.fds[0].get(), page_size, Mapping::Access::read_write);
  if (!mapping) cannot_start(link, mapping.error());
  process.page_mapping = std::move(*mapping);
  process.page = process.page_mapping.as<PoolPage>();
  if (process.page->version.get() != kShmVersion) {
    cannot_start(link, {Errc::protocol,
                        "the shared-memory formats of jobringd and jobring-worker differ",
                        {},
                        "install both from one release"});
  }
  for (std::size_t i = 1; i < welcome.fds.size(); ++i)
    process.colleagues.push_back(std::move(welcome.fds[i]));
}

void start(WorkerProcess& process, OrderLink& link, HandlerSource source) {
  introduce(process, link);
  for (Handler& builtin : source.builtins) {
    if (auto added = process.handlers.add(std::move(builtin)); !added)
      cannot_start(link, added.error());
  }
  for (const std::string& module : process.settings.modules) {
    if (auto loaded = source.load_module(process.handlers, module); !loaded)
      cannot_start(link, loaded.error());
  }
  if (process.has_lanes()) {
    if (auto safe = process.handlers.require_thread_safe(process.settings.pool); !safe)
      cannot_start(link, safe.error());
  }
  spare_children();
  link.report(WorkerHello{kControlVersion, process.handlers.names()});
}

}  // namespace jobring
