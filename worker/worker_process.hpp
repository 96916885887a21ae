// What there is once in a worker process, however many jobs it runs at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "common/messages.hpp"
#include "common/pool_page.hpp"
#include "common/result.hpp"
#include "common/segment.hpp"
#include "common/unique_fd.hpp"
#include "worker/modules.hpp"
#include "worker/order_link.hpp"
#include "worker/process_baseline.hpp"
#include "worker/worker_channel.hpp"

namespace jobring {

struct WorkerProcess {
  Welcome settings;
  Mapping page_mapping;
  PoolPage* page = nullptr;
  HandlerTable handlers;
  // An event per worker of the pool that no client can touch: workers and supervisor ring it.
  std::vector<UniqueFd> colleagues;
  ProcessBaseline baseline;
  // The rest is for all lanes, and thread-safe.
  mutable SegmentTable segments;
  mutable std::atomic<std::uint64_t> jobs{0};  // claimed so far, if settings.max_jobs counts them
  mutable std::atomic<bool> retiring{false};   // no lane takes any more jobs

  bool has_lanes() const { return settings.model == "thread"; }
};

// Introduces the process to the supervisor and takes its settings, the pool's page and the
// colleagues' events. `page_size`: more for a page that has more. Leaves the process if that fails.
void introduce(WorkerProcess& process, OrderLink& link, std::size_t page_size = sizeof(PoolPage));
// Reports why it cannot start, and leaves.
[[noreturn]] void cannot_start(OrderLink& link, const Error& error);

// The handlers that a kind of worker has of its own, and how it loads a module.
struct HandlerSource {
  std::vector<Handler> builtins;
  Result<void> (*load_module)(HandlerTable& table, const std::string& path);
};
HandlerSource plain_handlers();

// introduce(), then loads the pool's modules and reports that they are
// loaded. Leaves the process if any of that fails. Once, on the main thread, before there is
// another.
void start(WorkerProcess& process, OrderLink& link, HandlerSource source = plain_handlers());

}  // namespace jobring
