// One connection to a web server, and how it comes about.
//
// Everything here runs on the loop's thread and in coroutines of the loop's own executor: those of
// jobs end in the middle, these do not.
#pragma once

#include <utility>  // before Asio

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/async/url.hpp"

namespace jobring {

using LoopExecutor = boost::asio::io_context::executor_type;
template <class T>
using LoopTask = boost::asio::awaitable<T, LoopExecutor>;
inline constexpr boost::asio::use_awaitable_t<LoopExecutor> on_loop;

// Where a connection goes, and on what terms.
struct HttpOrigin {
  bool tls = false;
  std::string host, port;
  bool verify = true;
  std::string ca_file;

  auto operator<=>(const HttpOrigin&) const = default;
};

class HttpConnection {
 public:
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, LoopExecutor>;
  using Resolver = boost::asio::ip::basic_resolver<boost::asio::ip::tcp, LoopExecutor>;
  using Parser = boost::beast::http::response_parser<boost::beast::http::string_body>;

  // What the parser may take, in bytes.
  struct Most {
    std::size_t header = 0;
    std::size_t body = 0;
  };

  // Sends a request and takes its answer, which `answer` then holds.
  LoopTask<boost::system::error_code> exchange(std::string_view head, std::string_view body,
                                               bool answer_has_body, Most most);
  std::optional<Parser> answer;

  bool is_open() const;
  // The other side has closed it, or sent what nobody asked for.
  bool is_stale();
  // Can the next request follow the one that was answered?
  bool is_reusable() const { return answer->get().keep_alive() && buffer_.size() == 0; }
  // Ends the operation under way: it fails soon.
  void interrupt();
  // No operation may be under way.
  void drop();

  std::chrono::steady_clock::time_point idle_since;

 private:
  friend class HttpDialer;
  Socket& socket() { return tls_ ? tls_->next_layer() : *plain_; }

  std::optional<Socket> plain_;
  std::optional<boost::asio::ssl::stream<Socket>> tls_;
  Resolver* resolver_ = nullptr;      // while it is at work for us
  boost::beast::flat_buffer buffer_;  // what was read and not parsed
};

// Opens connections. Keeps addresses for `resolved_for`.
class HttpDialer {
 public:
  HttpDialer(LoopExecutor loop, std::chrono::seconds resolved_for)
      : loop_(loop), resolved_for_(resolved_for) {}

  // Throws HttpFailed, with the reason alone.
  LoopTask<void> connect(HttpConnection& connection, const HttpOrigin& to);

 private:
  using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;
  struct Resolved {
    Endpoints endpoints;
    std::chrono::steady_clock::time_point until;
  };

  LoopTask<Endpoints> resolve(HttpConnection& connection, const HttpOrigin& origin);
  boost::asio::ssl::context& tls_context(const HttpOrigin& origin);

  LoopExecutor loop_;
  std::chrono::seconds resolved_for_;
  std::map<std::pair<std::string, std::string>, Resolved> resolved_;
  std::map<std::pair<bool, std::string>, boost::asio::ssl::context> contexts_;
};

}  // namespace jobring
