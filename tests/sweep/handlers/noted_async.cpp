// The handlers of noted.cpp as coroutines: "hold" and "cling" wait for the FIFO beside the log, not
// for a flag, so that their worker sleeps meanwhile.
#include <jobring/async_handler.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/sweep/handlers/noted.hpp"

namespace asio = boost::asio;
using namespace jobring::test;

namespace {

asio::awaitable<void> let_go() {
  const std::string path = std::string(std::getenv(kRunLogVariable)) + kFifoSuffix;
  asio::posix::stream_descriptor fifo(co_await asio::this_coro::executor,
                                      open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  co_await fifo.async_wait(asio::posix::descriptor_base::wait_read, asio::use_awaitable);
}

}  // namespace

JOBRING_ASYNC_HANDLER(note, job) {
  NotedRun run(job);
  run.ends();
  co_return;
}

JOBRING_ASYNC_HANDLER(hold, job) {
  NotedRun run(job);
  co_await let_go();
  run.ends();
}

JOBRING_ASYNC_HANDLER(cling, job) {
  NotedRun run(job);
  co_await let_go();
  run.ends();
}
