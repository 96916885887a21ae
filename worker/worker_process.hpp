// What there is once in a worker process, however many jobs it runs at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "common/messages.hpp"
#include "common/pool_page.hpp"
#include "common/segment.hpp"
#include "common/unique_fd.hpp"
#include "worker/modules.hpp"
#include "worker/order_link.hpp"
#include "worker/process_baseline.hpp"

namespace jobring {

struct WorkerProcess {
  Welcome settings;
  Mapping page_mapping;
  PoolPage* page = nullptr;
  HandlerTable handlers;
  // An event per worker of the pool that no client can touch: workers and supervisor ring it.
  std::vector<UniqueFd> colleagues;
  ProcessBaseline baseline;
};

// Introduces the process to the supervisor, loads the pool's modules and reports that they are
// loaded. Leaves the process if any of that fails. Once, on the main thread, before there is
// another.
void start(WorkerProcess& process, OrderLink& link);

}  // namespace jobring
