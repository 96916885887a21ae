// Named objects: locks, semaphores, events, conditions, barriers, queues, dicts, lists and counters
// by name, between unrelated processes, kept by the daemon's registry (docs/registry.md).
//
//     jobring::Client client = jobring::Client::connect();
//     jobring::Registry registry(client);
//     jobring::Lock lock(registry, "backup");
//     std::unique_lock guard(lock);
//
// Every operation that may wait has two faces: operation(timeout) blocks, start_operation(timeout)
// returns a Pending, to be waited for, cancelled, given a callback, or awaited (registry_asio.hpp).
// All objects may be used by any thread. Errors are exceptions: base.hpp.
#pragma once

#include <jobring/registry/base.hpp>
#include <jobring/registry/containers.hpp>
#include <jobring/registry/locks.hpp>
#include <jobring/registry/queue.hpp>
#include <jobring/registry/sync.hpp>
