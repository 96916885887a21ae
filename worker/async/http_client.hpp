// Fetches pages over HTTP/1.1 and TLS, any number at a time, on one thread's event loop.
//
// Connections are kept and used again. At most `per_host` of them go to one host and port: further
// requests wait in line, first come, first served, so that ten thousand jobs do not fall upon one
// server at once. A request that failed on a connection which had been idle (the server may have
// closed it meanwhile) is sent again on a new one, if its method may be repeated.
//
// Not thread-safe: use it on the event loop's own thread. Cancelling a coroutine that fetches is
// safe at any point.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>

#include <jobring/http.hpp>

namespace jobring {

struct HttpLimits {
  std::size_t per_host = 64;              // connections
  std::size_t idle_in_all = 256;          // connections kept for later
  std::chrono::seconds idle_for{15};      // then they are closed
  std::chrono::seconds resolved_for{30};  // addresses are kept
  std::size_t header_max = 64 * 1024;     // bytes of a response's header
};

// Nothing was fetched; what() is one line with the URL and the reason.
class HttpFailed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class HttpClient {
 public:
  explicit HttpClient(boost::asio::io_context::executor_type loop, HttpLimits limits = {});
  ~HttpClient();

  struct Response {
    HttpReport report;
    std::string body;
  };
  // Throws HttpFailed. `body_max` bounds the body where the request does not.
  boost::asio::awaitable<Response> fetch(HttpRequest request, std::size_t body_max);

  class Impl;

 private:
  // Shared with the fetches under way: they may outlive the client.
  std::shared_ptr<Impl> impl_;
};

}  // namespace jobring
