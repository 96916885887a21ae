// The jobs of bench/choosing as an async pool runs them. `block` and `compute` hold up the loop,
// which is what they are here to show.
#include <chrono>
#include <string>
#include <thread>

#include <jobring/async_handler.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "bench/choosing/work.hpp"

namespace asio = boost::asio;
using namespace bench::choosing;

JOBRING_ASYNC_HANDLER(compute, job) {
  job.reply(std::to_string(compute()));
  co_return;
}

JOBRING_ASYNC_HANDLER(block, job) {
  std::this_thread::sleep_for(std::chrono::milliseconds(kWaitMs));
  co_return;
}

JOBRING_ASYNC_HANDLER(ask, job) {
  const auto port = std::uint16_t(std::stoi(std::string(job.text())));
  const asio::ip::tcp::endpoint server(asio::ip::address_v4::loopback(), port);
  asio::ip::tcp::socket socket(co_await asio::this_coro::executor, asio::ip::tcp::v4());
  socket.set_option(asio::socket_base::linger(true, 0));  // see blocking_handlers.cpp
  co_await socket.async_connect(server, asio::use_awaitable);
  char byte = '?';
  const auto room = asio::buffer(&byte, 1);
  co_await asio::async_write(socket, room, asio::use_awaitable);
  co_await asio::async_read(socket, room, asio::use_awaitable);
  job.reply({&byte, 1});
}
