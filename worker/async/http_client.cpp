#include <utility>  // before Asio

#include "worker/async/http_client.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/detail/base64.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <list>
#include <map>
#include <optional>
#include <vector>

#include "worker/async/url.hpp"

namespace jobring {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using asio::use_awaitable;
using boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds kTimeout{30'000};
constexpr std::size_t kReadSize = 16 * 1024;  // bytes, a TLS record

using Parser = http::response_parser<http::string_body>;

// Where a connection goes, and on what terms.
struct Origin {
  bool tls = false;
  std::string host, port;
  bool verify = true;
  std::string ca_file;

  auto operator<=>(const Origin&) const = default;
};

Origin origin_of(const Url& url, const HttpRequest& request) {
  return url.tls ? Origin{true, url.host, url.port, request.verify, request.ca_file}
                 : Origin{false, url.host, url.port, true, {}};
}

// One connection, with what was read beyond the last response.
struct Connection {
  std::optional<tcp::socket> plain;
  std::optional<ssl::stream<tcp::socket>> tls;
  beast::flat_buffer buffer;
  Clock::time_point idle_since;

  tcp::socket& socket() { return tls ? tls->next_layer() : *plain; }
  asio::awaitable<void> write(std::array<asio::const_buffer, 2> bytes, error_code& ec) {
    if (tls) {
      co_await asio::async_write(*tls, bytes, asio::redirect_error(use_awaitable, ec));
    } else {
      co_await asio::async_write(*plain, bytes, asio::redirect_error(use_awaitable, ec));
    }
  }
  asio::awaitable<void> read_some(error_code& ec) {
    const auto room = buffer.prepare(kReadSize);
    std::size_t read = 0;
    // No ?: here: GCC 12 evaluates both of its sides if they await.
    if (tls) {
      read = co_await tls->async_read_some(room, asio::redirect_error(use_awaitable, ec));
    } else {
      read = co_await plain->async_read_some(room, asio::redirect_error(use_awaitable, ec));
    }
    buffer.commit(read);
  }
  void close() {
    error_code ignored;
    socket().close(ignored);
  }
  // The other side has closed it, or sent what nobody asked for.
  bool stale() {
    char byte;
    const ssize_t n = recv(socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }
};

// One fetch's time. When it is over, `interrupt` is called once, which ends the operation under
// way.
class Deadline {
 public:
  Deadline(const asio::any_io_executor& executor, Clock::time_point when)
      : state_(std::make_shared<State>(executor)) {
    state_->timer.expires_at(when);
    state_->timer.async_wait([weak = std::weak_ptr(state_)](error_code ec) {
      const auto state = weak.lock();
      if (ec || !state) return;
      state->over = true;
      if (state->interrupt) state->interrupt();
    });
  }
  ~Deadline() { state_->timer.cancel(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  bool over() const { return state_->over; }

  // What ends the operation that follows, for as long as this object lives.
  class Guard {
   public:
    Guard(Deadline& deadline, std::function<void()> interrupt) : deadline_(deadline) {
      deadline_.state_->interrupt = std::move(interrupt);
    }
    ~Guard() { deadline_.state_->interrupt = nullptr; }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Deadline& deadline_;
  };

 private:
  struct State {
    explicit State(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
    bool over = false;
    std::function<void()> interrupt;
  };
  std::shared_ptr<State> state_;
};

bool repeatable(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
         method == "OPTIONS" || method == "TRACE";
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string base64(std::string_view text) {
  std::string out(beast::detail::base64::encoded_size(text.size()), '\0');
  out.resize(beast::detail::base64::encode(out.data(), text.data(), text.size()));
  return out;
}

// What must not travel to another server than it was given for.
bool is_secret(std::string_view header) {
  return beast::iequals(header, "authorization") || beast::iequals(header, "cookie") ||
         beast::iequals(header, "proxy-authorization");
}

bool has(const HttpHeaders& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const auto& h) { return beast::iequals(h.first, name); });
}

// The request's head as it goes over the wire. Method, target, names and values were checked.
std::string head_of(const HttpRequest& from, const Url& url) {
  std::string text = from.method + " " + url.target + " HTTP/1.1\r\n";
  const auto add = [&](std::string_view name, std::string_view value) {
    ((((text += name) += ": ") += value) += "\r\n");
  };
  const auto add_default = [&](std::string_view name, std::string_view value) {
    if (!has(from.headers, name)) add(name, value);
  };
  add_default("Host", url.authority());
  add_default("User-Agent", "jobring");
  add_default("Accept", "*/*");
  if (!url.userinfo.empty()) add_default("Authorization", "Basic " + base64(url.userinfo));
  for (const auto& [name, value] : from.headers) add(name, value);
  if (!from.body.empty() || from.method == "POST" || from.method == "PUT")
    add("Content-Length", std::to_string(from.body.size()));
  return text += "\r\n";
}

std::string words(const error_code& ec) {
  if (ec == http::error::end_of_stream || ec == asio::error::eof)
    return "the server closed the connection without an answer";
  if (ec == http::error::partial_message || ec == ssl::error::stream_truncated)
    return "the server closed the connection in the middle of its answer";
  if (ec == http::error::header_limit) return "the header of the answer is too large";
  if (ec.category() == asio::error::get_netdb_category() ||
      ec.category() == asio::error::get_addrinfo_category())
    return "the host's name has no address: " + ec.message();
  if (ec.category() == asio::error::get_ssl_category()) return "TLS: " + ec.message();
  return ec.message();
}

}  // namespace

class HttpClient::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::any_io_executor executor, HttpLimits limits)
      : executor_(std::move(executor)), limits_(limits), sweep_(executor_) {}

  asio::awaitable<Response> fetch(HttpRequest request, std::size_t body_max);
  void close() {
    sweep_.cancel();
    hosts_.clear();
  }

 private:
  struct Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {
      timer.expires_at(Clock::time_point::max());
    }
    asio::steady_timer timer;
    bool granted = false;
  };
  struct Host {
    std::size_t in_use = 0;
    std::vector<std::unique_ptr<Connection>> idle;  // the one used last at the end
    std::list<Waiter*> line;
  };
  // One of the connections that a host may have, as long as it lives.
  class Place {
   public:
    Place(std::shared_ptr<Impl> impl, const Origin& origin)
        : impl_(std::move(impl)), origin_(origin) {}
    Place(Place&& other) noexcept = default;
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (impl_) impl_->leave(origin_);
    }

   private:
    std::shared_ptr<Impl> impl_;
    Origin origin_;
  };
  struct Target {
    Url url;
    Origin origin;
  };

  asio::awaitable<Place> enter(const Origin& origin, Deadline& deadline);
  void leave(const Origin& origin);
  asio::awaitable<std::unique_ptr<Connection>> connect(const Target& to, Deadline& deadline);
  asio::awaitable<std::vector<tcp::endpoint>> resolve(const Origin& origin, Deadline& deadline);
  asio::awaitable<Response> ask(const Target& to, const HttpRequest& request, std::size_t body_max,
                                Deadline& deadline);
  asio::awaitable<error_code> exchange(Connection& connection, const HttpRequest& request,
                                       const std::string& head, std::optional<Parser>& parser,
                                       std::size_t body_max);
  void keep(const Origin& origin, std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> take_idle(const Origin& origin);
  void sweep_later();
  ssl::context& tls_context(const Origin& origin);
  [[noreturn]] static void fail(const Deadline& deadline, const Url& url, const std::string& why);

  asio::any_io_executor executor_;
  HttpLimits limits_;
  std::map<Origin, Host> hosts_;
  std::size_t idle_ = 0;
  asio::steady_timer sweep_;
  bool sweeping_ = false;
  std::map<std::pair<bool, std::string>, ssl::context> contexts_;
  struct Resolved {
    std::vector<tcp::endpoint> endpoints;
    Clock::time_point until;
  };
  std::map<std::pair<std::string, std::string>, Resolved> resolved_;
};

void HttpClient::Impl::fail(const Deadline& deadline, const Url& url, const std::string& why) {
  throw HttpFailed(url.text() + ": " + (deadline.over() ? "timed out" : why));
}

// ---- places and idle connections

asio::awaitable<HttpClient::Impl::Place> HttpClient::Impl::enter(const Origin& origin,
                                                                 Deadline& deadline) {
  Host& host = hosts_[origin];
  if (host.in_use < limits_.per_host && host.line.empty()) {
    ++host.in_use;
    co_return Place(shared_from_this(), origin);
  }
  Waiter waiter(executor_);
  const auto place = host.line.insert(host.line.end(), &waiter);
  // Also when this coroutine is destroyed while it waits.
  struct Leave {
    Impl& impl;
    const Origin& origin;
    Waiter& waiter;
    std::list<Waiter*>::iterator place;
    bool taken = false;
    ~Leave() {
      if (!waiter.granted)
        impl.hosts_[origin].line.erase(place);
      else if (!taken)
        impl.leave(origin);
    }
  } out{*this, origin, waiter, place};
  {
    Deadline::Guard guard(deadline, [&waiter] { waiter.timer.cancel(); });
    if (!deadline.over() && !waiter.granted)
      co_await waiter.timer.async_wait(asio::as_tuple(use_awaitable));
  }
  if (!waiter.granted) {
    // Cancelled from outside: the coroutine's state says so at its next step.
    throw HttpFailed((origin.tls ? "https://" : "http://") + origin.host +
                     ": timed out waiting for one of " + std::to_string(limits_.per_host) +
                     " connections to that server");
  }
  out.taken = true;
  co_return Place(shared_from_this(), origin);
}

void HttpClient::Impl::leave(const Origin& origin) {
  const auto found = hosts_.find(origin);
  if (found == hosts_.end()) return;
  Host& host = found->second;
  if (!host.line.empty()) {
    Waiter* next = host.line.front();
    host.line.pop_front();
    next->granted = true;
    next->timer.cancel();
    return;
  }
  --host.in_use;
  if (host.in_use == 0 && host.idle.empty()) hosts_.erase(found);
}

void HttpClient::Impl::keep(const Origin& origin, std::unique_ptr<Connection> connection) {
  if (idle_ >= limits_.idle_in_all) return;  // closes it
  connection->idle_since = Clock::now();
  hosts_[origin].idle.push_back(std::move(connection));
  ++idle_;
  sweep_later();
}

std::unique_ptr<Connection> HttpClient::Impl::take_idle(const Origin& origin) {
  Host& host = hosts_[origin];
  if (host.idle.empty()) return nullptr;
  auto connection = std::move(host.idle.back());
  host.idle.pop_back();
  --idle_;
  return connection;
}

// A timer runs only while connections are idle.
void HttpClient::Impl::sweep_later() {
  if (sweeping_) return;
  sweeping_ = true;
  sweep_.expires_after(limits_.idle_for);
  sweep_.async_wait([weak = weak_from_this()](error_code ec) {
    const auto self = weak.lock();
    if (ec || !self) return;
    self->sweeping_ = false;
    const auto old = Clock::now() - self->limits_.idle_for;
    for (auto host = self->hosts_.begin(); host != self->hosts_.end();) {
      auto& idle = host->second.idle;
      self->idle_ -= std::erase_if(idle, [&](const auto& c) { return c->idle_since <= old; });
      const bool unused = idle.empty() && host->second.in_use == 0 && host->second.line.empty();
      host = unused ? self->hosts_.erase(host) : std::next(host);
    }
    if (self->idle_ != 0) self->sweep_later();
  });
}

// ---- connecting

ssl::context& HttpClient::Impl::tls_context(const Origin& origin) {
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

asio::awaitable<std::vector<tcp::endpoint>> HttpClient::Impl::resolve(const Origin& origin,
                                                                      Deadline& deadline) {
  error_code ec;
  const auto address = asio::ip::make_address(origin.host, ec);
  const auto port = std::uint16_t(std::stoi(origin.port));
  if (!ec) co_return std::vector{tcp::endpoint(address, port)};
  const auto key = std::pair(origin.host, origin.port);
  const auto now = Clock::now();
  std::erase_if(resolved_, [&](const auto& entry) { return entry.second.until <= now; });
  if (const auto known = resolved_.find(key); known != resolved_.end())
    co_return known->second.endpoints;
  tcp::resolver resolver(executor_);
  Deadline::Guard guard(deadline, [&resolver] { resolver.cancel(); });
  const auto found = co_await resolver.async_resolve(origin.host, origin.port,
                                                     asio::redirect_error(use_awaitable, ec));
  if (ec) throw boost::system::system_error(ec);
  std::vector<tcp::endpoint> endpoints;
  for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  resolved_[key] = {endpoints, Clock::now() + limits_.resolved_for};
  co_return endpoints;
}

asio::awaitable<std::unique_ptr<Connection>> HttpClient::Impl::connect(const Target& to,
                                                                       Deadline& deadline) {
  error_code ec;
  std::vector<tcp::endpoint> endpoints;
  try {
    endpoints = co_await resolve(to.origin, deadline);
  } catch (const boost::system::system_error& e) {
    fail(deadline, to.url, words(e.code()));
  }
  auto connection = std::make_unique<Connection>();
  if (to.origin.tls) {
    connection->tls.emplace(executor_, tls_context(to.origin));
  } else {
    connection->plain.emplace(executor_);
  }
  Deadline::Guard guard(deadline, [&connection] { connection->close(); });
  if (!deadline.over()) {
    co_await asio::async_connect(connection->socket(), endpoints,
                                 asio::redirect_error(use_awaitable, ec));
  }
  if (ec || deadline.over()) fail(deadline, to.url, "cannot connect: " + ec.message());
  connection->socket().set_option(tcp::no_delay(true), ec);
  if (connection->tls) {
    SSL* handle = connection->tls->native_handle();
    if (asio::ip::make_address(to.origin.host, ec); ec)  // names only, says RFC 6066
      SSL_set_tlsext_host_name(handle, to.origin.host.c_str());
    if (to.origin.verify)
      connection->tls->set_verify_callback(ssl::host_name_verification(to.origin.host));
    co_await connection->tls->async_handshake(ssl::stream_base::client,
                                              asio::redirect_error(use_awaitable, ec));
    if (ec || deadline.over()) {
      std::string why = words(ec);
      if (const long verified = SSL_get_verify_result(handle); verified != X509_V_OK)
        why += std::string(" (") + X509_verify_cert_error_string(verified) + ")";
      fail(deadline, to.url, why);
    }
  }
  co_return connection;
}

// ---- asking

asio::awaitable<error_code> HttpClient::Impl::exchange(Connection& connection,
                                                       const HttpRequest& request,
                                                       const std::string& head,
                                                       std::optional<Parser>& parser,
                                                       std::size_t body_max) {
  // A server may answer without reading it all: its answer counts.
  error_code write_error;
  const std::array<asio::const_buffer, 2> bytes{asio::buffer(head), asio::buffer(request.body)};
  co_await connection.write(bytes, write_error);
  do {  // 1xx responses come before the one that counts
    parser.emplace();
    parser->eager(true);
    parser->body_limit(body_max);
    parser->header_limit(std::uint32_t(limits_.header_max));
    if (request.method == "HEAD") parser->skip(true);
    error_code ec;
    if (connection.buffer.size() != 0)
      connection.buffer.consume(parser->put(connection.buffer.data(), ec));
    while ((!ec || ec == http::error::need_more) && !parser->is_done()) {
      co_await connection.read_some(ec);
      if (ec == asio::error::eof && parser->got_some()) {
        parser->put_eof(ec);  // the end of an answer without a length
        break;
      }
      if (ec) break;
      connection.buffer.consume(parser->put(connection.buffer.data(), ec));
    }
    if (ec) co_return write_error ? write_error : ec;
  } while (parser->get().result_int() / 100 == 1);
  co_return error_code();
}

asio::awaitable<HttpClient::Response> HttpClient::Impl::ask(const Target& to,
                                                            const HttpRequest& request,
                                                            std::size_t body_max,
                                                            Deadline& deadline) {
  const Place place = co_await enter(to.origin, deadline);
  const std::string head = head_of(request, to.url);
  const bool may_repeat = repeatable(request.method);
  for (bool fresh = false;; fresh = true) {
    std::unique_ptr<Connection> connection = fresh ? nullptr : take_idle(to.origin);
    while (connection && !may_repeat && connection->stale()) connection = take_idle(to.origin);
    const bool reused = connection != nullptr;
    if (!reused) connection = co_await connect(to, deadline);
    std::optional<Parser> parser;
    error_code ec;
    {
      Deadline::Guard guard(deadline, [&connection] { connection->close(); });
      ec = co_await exchange(*connection, request, head, parser, body_max);
    }
    if (deadline.over()) fail(deadline, to.url, {});
    if (ec) {
      const bool silent = !parser || !parser->got_some();
      if (reused && may_repeat && silent) continue;
      if (ec == http::error::body_limit)
        fail(deadline, to.url,
             "the body is larger than " + std::to_string(body_max) + " bytes; see body_max");
      fail(deadline, to.url, words(ec));
    }
    Response response;
    const bool keep_alive = parser->get().keep_alive();
    auto answer = parser->release();
    response.report.status = int(answer.result_int());
    response.report.reason = answer.reason();
    response.report.url = to.url.text();
    response.report.reused = reused;
    for (const auto& field : answer)
      response.report.headers.emplace_back(field.name_string(), field.value());
    response.body = std::move(answer.body());
    if (keep_alive && connection->buffer.size() == 0) keep(to.origin, std::move(connection));
    co_return response;
  }
}

asio::awaitable<HttpClient::Response> HttpClient::Impl::fetch(HttpRequest request,
                                                              std::size_t body_max) {
  const auto started = Clock::now();
  for (const auto& [name, value] : request.headers) {
    if (beast::iequals(name, "content-length") || beast::iequals(name, "transfer-encoding") ||
        beast::iequals(name, "connection"))
      throw HttpFailed("header " + name + " is set by jobring: leave it out");
  }
  if (request.body_max != 0) body_max = std::min<std::size_t>(body_max, request.body_max);
  Deadline deadline(executor_, started + (request.timeout_ms == 0
                                              ? kTimeout
                                              : std::chrono::milliseconds(request.timeout_ms)));
  auto parsed = Url::parse(request.url);
  if (!parsed) throw HttpFailed(parsed.error().line());
  Target to{std::move(*parsed), {}};
  to.origin = origin_of(to.url, request);
  for (std::uint32_t redirects = 0;; ++redirects) {
    Response response = co_await ask(to, request, body_max, deadline);
    response.report.redirects = redirects;
    const std::string location(response.report.header("location"));
    if (!is_redirect(response.report.status) || location.empty() || request.redirects_max == 0) {
      response.report.wall_us = std::uint64_t(
          std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - started).count());
      co_return response;
    }
    if (redirects == request.redirects_max)
      fail(deadline, to.url, "more than " + std::to_string(redirects) + " redirects");
    auto next = to.url.resolve(location);
    if (!next) fail(deadline, to.url, "redirects to something else: " + next.error().line());
    const bool post = request.method == "POST";
    const int status = response.report.status;
    if ((status == 303 && request.method != "HEAD") || ((status == 301 || status == 302) && post)) {
      request.method = "GET";
      request.body.clear();
      std::erase_if(request.headers,
                    [](const auto& h) { return beast::iequals(h.first, "content-type"); });
    }
    const Origin origin = origin_of(*next, request);
    if (origin == to.origin) {
      next->userinfo = to.url.userinfo;
    } else {
      std::erase_if(request.headers, [](const auto& h) {
        return is_secret(h.first) || beast::iequals(h.first, "host");
      });
    }
    to = {std::move(*next), origin};
  }
}

HttpClient::HttpClient(asio::any_io_executor executor, HttpLimits limits)
    : impl_(std::make_shared<Impl>(std::move(executor), limits)) {}

HttpClient::~HttpClient() {
  impl_->close();
}

asio::awaitable<HttpClient::Response> HttpClient::fetch(HttpRequest request, std::size_t body_max) {
  return impl_->fetch(std::move(request), body_max);
}

}  // namespace jobring
