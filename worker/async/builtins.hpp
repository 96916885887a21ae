// The handlers that every async worker has: sleep, exec, http, echo.
#pragma once

#include <utility>  // before Asio

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <vector>

#include "worker/async/async_job.hpp"
#include "worker/async/async_modules.hpp"
#include "worker/order_link.hpp"
#include "worker/worker_process.hpp"

namespace jobring {

class HttpClient;
class AsyncCommands;

// What they share: connections that are kept, and the commands that run. Not thread-safe.
class AsyncBuiltins {
 public:
  AsyncBuiltins(boost::asio::io_context::executor_type loop, const WorkerProcess& process,
                OrderLink& link);
  ~AsyncBuiltins();

  // Their names, as the table of handlers has them.
  static std::vector<Handler> handlers();
  // The coroutine of a built-in for this job.
  boost::asio::awaitable<void> start(AsyncJob& job, const Handler& handler);

  // How many commands run.
  std::size_t commands() const;

 private:
  boost::asio::awaitable<void> sleep(AsyncJob& job);
  boost::asio::awaitable<void> echo(AsyncJob& job);
  boost::asio::awaitable<void> http(AsyncJob& job);
  boost::asio::awaitable<void> exec(AsyncJob& job);

  const WorkerProcess& process_;
  OrderLink& link_;
  std::unique_ptr<HttpClient> http_;
  std::unique_ptr<AsyncCommands> commands_;
};

}  // namespace jobring
