// One of jobring's own services as a pool of the supervisor: what is particular to it.
//
// A service is a pool of one process, which holds requests RUNNING for as long as they wait and
// completes them in any order; what all services have in common is in pool_services.cpp.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "common/messages.hpp"
#include "common/pool_page.hpp"

namespace jobring {

class ServiceKind {
 public:
  // Descriptors are borrowed.
  using Send = std::function<void(const WorkerOrder& order, std::span<const int> fds)>;

  virtual ~ServiceKind() = default;

  // Bytes of its page, which begins with a PoolPage.
  virtual std::size_t page_size() const { return sizeof(PoolPage); }
  // A process of it was welcomed: what it is told before anything else.
  virtual void start(pid_t process, const Send& send) = 0;
  // Its process is dead and its requests are settled; nobody has been woken yet.
  virtual void died([[maybe_unused]] PoolPage& page) {}
  // What its death means to those whose requests may not be done again.
  virtual std::string loss() const = 0;
  // How it ends with the daemon: it is asked to (SIGTERM) and has kill_grace for it, or it is
  // killed.
  virtual bool ends_by_itself() const { return false; }
};

}  // namespace jobring
