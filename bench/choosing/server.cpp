#include "bench/choosing/server.hpp"

#include <chrono>
#include <cstdio>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "bench/choosing/work.hpp"
#include "bench/measure.hpp"

namespace bench::choosing {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

asio::awaitable<void> answer(tcp::socket socket) {
  try {
    asio::steady_timer timer(socket.get_executor());
    char byte;
    const auto room = asio::buffer(&byte, 1);
    for (;;) {
      co_await asio::async_read(socket, room, asio::use_awaitable);
      timer.expires_after(std::chrono::milliseconds(kWaitMs));
      co_await timer.async_wait(asio::use_awaitable);
      co_await asio::async_write(socket, room, asio::use_awaitable);
    }
  } catch (const std::exception&) {
    // The client has hung up.
  }
}

asio::awaitable<void> serve(tcp::acceptor& acceptor) {
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), answer(std::move(socket)), asio::detached);
  }
}

}  // namespace

Server start_server() {
  asio::io_context loop(1);
  tcp::acceptor acceptor(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  const std::uint16_t port = acceptor.local_endpoint().port();
  loop.notify_fork(asio::io_context::fork_prepare);
  const pid_t pid = in_child([&] {
    loop.notify_fork(asio::io_context::fork_child);
    asio::co_spawn(loop, serve(acceptor), [](std::exception_ptr e) {
      if (e) std::fprintf(stderr, "the server has failed\n");
    });
    loop.run();
  });
  loop.notify_fork(asio::io_context::fork_parent);
  return {pid, port};
}

}  // namespace bench::choosing
