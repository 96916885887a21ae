// Modules of coroutines (worker/include/jobring/async_handler.hpp), into the same table as those of
// functions.
#pragma once

#include <utility>  // before Asio

#include <boost/asio/awaitable.hpp>
#include <string>

#include <jobring/handler.hpp>

#include "common/result.hpp"
#include "worker/modules.hpp"

namespace jobring {

using AsyncStart = boost::asio::awaitable<void> (*)(jobring_job* job, void* user);

// The coroutine behind a handler of the table; null: a built-in.
inline AsyncStart async_start_of(const Handler& handler) {
  return reinterpret_cast<AsyncStart>(handler.coroutine);
}

// As HandlerTable::load_module(), for an async pool. Also refused (Errc::config): a module of
// another release of Boost, and one with a function that has no coroutine of its name, because a
// function that waits would stop all jobs of its worker.
Result<void> load_async_module(HandlerTable& table, const std::string& path);

}  // namespace jobring
