#include "worker/worker_process.hpp"

#include <unistd.h>

#include <utility>

#include "worker/builtins.hpp"
#include "worker/exec/run_command.hpp"

namespace jobring {

void start(WorkerProcess& process, OrderLink& link) {
  link.report(WorkerHello{kControlVersion, {}});
  Order welcome = link.await<Welcome>();
  process.settings = std::get<Welcome>(welcome.message);
  const Welcome& settings = process.settings;
  const auto fail = [&](const Error& error) {
    link.report(WorkerFailed{error.line()});
    _exit(exit_status(error.code));
  };
  if (welcome.fds.size() != settings.workers + 1)
    fail({Errc::protocol, "a welcome without its descriptors", {}, {}});
  auto mapping = Mapping::map(welcome.fds[0].get(), sizeof(PoolPage), Mapping::Access::read_write);
  if (!mapping) fail(mapping.error());
  process.page_mapping = std::move(*mapping);
  process.page = process.page_mapping.as<PoolPage>();
  if (process.page->version.get() != kShmVersion) {
    fail({Errc::protocol,
          "the shared-memory formats of jobringd and jobring-worker differ",
          {},
          "install both from one release"});
  }
  for (Handler builtin : builtin_handlers()) {
    if (auto added = process.handlers.add(std::move(builtin)); !added) fail(added.error());
  }
  for (const std::string& module : settings.modules) {
    if (auto loaded = process.handlers.load_module(module); !loaded) fail(loaded.error());
  }
  if (process.has_lanes()) {
    if (auto safe = process.handlers.require_thread_safe(settings.pool); !safe) fail(safe.error());
  }
  for (std::size_t i = 1; i < welcome.fds.size(); ++i)
    process.colleagues.push_back(std::move(welcome.fds[i]));
  spare_children();
  link.report(WorkerHello{kControlVersion, process.handlers.names()});
}

}  // namespace jobring
