#include <utility>  // before Asio

#include "worker/async/http_connection.hpp"

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>

#include "worker/async/http_client.hpp"
#include "worker/async/http_message.hpp"

namespace jobring {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using boost::system::error_code;

namespace {

constexpr std::size_t kReadSize = 16 * 1024;  // bytes, a TLS record

}  // namespace

bool HttpConnection::is_open() const {
  return (plain_ && plain_->is_open()) || (tls_ && tls_->next_layer().is_open());
}

bool HttpConnection::is_stale() {
  char byte;
  const ssize_t n = recv(socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

void HttpConnection::interrupt() {
  if (resolver_ != nullptr) resolver_->cancel();
  error_code ignored;
  if (plain_ || tls_) socket().close(ignored);
}

void HttpConnection::drop() {
  plain_.reset();
  tls_.reset();
  buffer_.clear();
}

LoopTask<error_code> HttpConnection::exchange(std::string_view head, std::string_view body,
                                              bool answer_has_body, Most most) {
  // A server may answer without reading it all: its answer counts.
  error_code write_error;
  std::array<asio::const_buffer, 2> bytes{asio::buffer(head), asio::buffer(body)};
  if (tls_) {
    co_await asio::async_write(*tls_, bytes, asio::redirect_error(on_loop, write_error));
  } else {
    // It mostly fits into the socket, and then there is nothing to wait for.
    const std::size_t sent = body.empty() ? plain_->write_some(bytes[0], write_error)
                                          : plain_->write_some(bytes, write_error);
    if (write_error == asio::error::would_block) write_error = {};
    if (!write_error && sent < head.size() + body.size()) {
      bytes[1] += sent > head.size() ? sent - head.size() : 0;
      bytes[0] += sent;
      co_await asio::async_write(*plain_, bytes, asio::redirect_error(on_loop, write_error));
    }
  }
  do {  // 1xx responses come before the one that counts
    answer.emplace();
    answer->eager(true);
    answer->body_limit(most.body);
    answer->header_limit(std::uint32_t(most.header));
    if (!answer_has_body) answer->skip(true);
    error_code ec;
    if (buffer_.size() != 0) buffer_.consume(answer->put(buffer_.data(), ec));
    while ((!ec || ec == http::error::need_more) && !answer->is_done()) {
      const auto room = buffer_.prepare(kReadSize);
      std::size_t read = 0;
      // No ?: here: GCC 12 evaluates both of its sides if they await.
      if (tls_) {
        read = co_await tls_->async_read_some(room, asio::redirect_error(on_loop, ec));
      } else {
        read = co_await plain_->async_read_some(room, asio::redirect_error(on_loop, ec));
      }
      buffer_.commit(read);
      if (ec == asio::error::eof && answer->got_some()) {
        answer->put_eof(ec);  // the end of an answer without a length
        break;
      }
      if (ec) break;
      buffer_.consume(answer->put(buffer_.data(), ec));
    }
    if (ec) co_return write_error ? write_error : ec;
  } while (answer->get().result_int() / 100 == 1);
  co_return error_code();
}

ssl::context& HttpDialer::tls_context(const HttpOrigin& origin) {
  const auto key = std::pair(origin.verify, origin.ca_file);
  const auto found = contexts_.find(key);
  if (found != contexts_.end()) return found->second;
  ssl::context context(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  context.set_verify_mode(origin.verify ? ssl::verify_peer : ssl::verify_none);
  if (origin.verify) context.set_default_verify_paths();
  if (origin.verify && !origin.ca_file.empty()) {
    error_code ec;
    context.load_verify_file(origin.ca_file, ec);
    if (ec) throw HttpFailed("ca_file " + origin.ca_file + ": " + ec.message());
  }
  return contexts_.emplace(key, std::move(context)).first->second;
}

LoopTask<HttpDialer::Endpoints> HttpDialer::resolve(HttpConnection& connection,
                                                    const HttpOrigin& origin) {
  error_code ec;
  const auto address = asio::ip::make_address(origin.host, ec);
  const auto port = std::uint16_t(std::stoi(origin.port));
  if (!ec) co_return Endpoints{tcp::endpoint(address, port)};
  const auto key = std::pair(origin.host, origin.port);
  const auto now = Clock::now();
  std::erase_if(resolved_, [&](const auto& entry) { return entry.second.until <= now; });
  if (const auto known = resolved_.find(key); known != resolved_.end())
    co_return known->second.endpoints;
  HttpConnection::Resolver resolver(loop_);
  connection.resolver_ = &resolver;
  const auto found =
      co_await resolver.async_resolve(origin.host, origin.port, asio::redirect_error(on_loop, ec));
  connection.resolver_ = nullptr;
  if (ec) throw HttpFailed(words(ec));
  Endpoints endpoints;
  for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  resolved_[key] = {endpoints, Clock::now() + resolved_for_};
  co_return endpoints;
}

LoopTask<void> HttpDialer::connect(HttpConnection& connection, const HttpOrigin& to) {
  connection.drop();
  const Endpoints endpoints = co_await resolve(connection, to);
  if (to.tls) {
    connection.tls_.emplace(loop_, tls_context(to));
  } else {
    connection.plain_.emplace(loop_);
  }
  HttpConnection::Socket& socket = connection.socket();
  error_code ec;
  co_await asio::async_connect(socket, endpoints, asio::redirect_error(on_loop, ec));
  if (ec) throw HttpFailed("cannot connect: " + ec.message());
  socket.set_option(tcp::no_delay(true), ec);
  socket.non_blocking(true, ec);
  if (!to.tls) co_return;
  SSL* handle = connection.tls_->native_handle();
  if (asio::ip::make_address(to.host, ec); ec)  // names only, says RFC 6066
    SSL_set_tlsext_host_name(handle, to.host.c_str());
  if (to.verify) connection.tls_->set_verify_callback(ssl::host_name_verification(to.host));
  co_await connection.tls_->async_handshake(ssl::stream_base::client,
                                            asio::redirect_error(on_loop, ec));
  if (!ec) co_return;
  std::string why = words(ec);
  if (const long verified = SSL_get_verify_result(handle); verified != X509_V_OK)
    why += std::string(" (") + X509_verify_cert_error_string(verified) + ")";
  throw HttpFailed(why);
}

}  // namespace jobring
