#include <utility>  // before Asio

#include "worker/async/http_client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <map>
#include <vector>

#include "worker/async/http_connection.hpp"
#include "worker/async/http_message.hpp"

namespace jobring {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds kTimeout{30'000};

using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, LoopExecutor>;

HttpOrigin origin_of(const Url& url, const HttpRequest& request) {
  return url.tls ? HttpOrigin{true, url.host, url.port, request.verify, request.ca_file}
                 : HttpOrigin{false, url.host, url.port, true, {}};
}

// A fetch, and what it asks of the server it has come to: in that server's line, then on a
// connection, then settled. Belongs to its coroutine and, while it is on one, to the connection's.
struct Ask {
  Ask(LoopExecutor loop, HttpRequest asked) : request(std::move(asked)), settled_event(loop) {
    settled_event.expires_at(Clock::time_point::max());
  }
  HttpRequest request;
  Url url;
  HttpOrigin origin;
  std::size_t body_max = 0;

  bool settled = false;  // response or error is there, or nobody wants them
  HttpClient::Response response;
  std::string error;  // empty: there is a response
  Timer settled_event;

  bool over = false;  // its time is
  std::multimap<Clock::time_point, Ask*>::iterator deadline;
  std::list<std::shared_ptr<Ask>>::iterator place;  // in the line, while `on` is null
  HttpConnection* on = nullptr;
};

void take_answer(HttpConnection& connection, Ask& ask) {
  auto answer = connection.answer->release();
  HttpReport& report = ask.response.report;
  report.status = int(answer.result_int());
  report.reason = answer.reason();
  report.url = ask.url.text();
  report.headers.reserve(16);
  for (const auto& field : answer) report.headers.emplace_back(field.name_string(), field.value());
  ask.response.body = std::move(answer.body());
}

}  // namespace

class HttpClient::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(LoopExecutor loop, HttpLimits limits)
      : loop_(loop),
        limits_(limits),
        dialer_(loop, limits.resolved_for),
        sweep_(loop),
        next_deadline_(loop) {}

  asio::awaitable<Response> fetch(HttpRequest request, std::size_t body_max);
  void close();

 private:
  struct Host {
    std::size_t in_use = 0;                             // connections, with a serve() each
    std::vector<std::unique_ptr<HttpConnection>> idle;  // the one used last at the end
    std::list<std::shared_ptr<Ask>> line;
  };
  class InTime;
  struct Turn;

  void stand_in_line(const std::shared_ptr<Ask>& ask);
  LoopTask<void> serve(std::shared_ptr<Impl> self, Host& host,
                       std::unique_ptr<HttpConnection> connection);
  void settle(Ask& ask, std::string error);
  void abandon(Ask& ask);
  bool follow_redirect(Ask& ask, std::uint32_t redirects);

  void keep(Host& host, std::unique_ptr<HttpConnection> connection);
  std::unique_ptr<HttpConnection> take_idle(Host& host);
  void sweep_later();
  void watch_deadlines();

  LoopExecutor loop_;
  HttpLimits limits_;
  HttpDialer dialer_;
  std::map<HttpOrigin, Host> hosts_;
  std::size_t idle_ = 0;
  Timer sweep_;
  bool sweeping_ = false;
  bool closed_ = false;
  std::multimap<Clock::time_point, Ask*> deadlines_;
  Timer next_deadline_;
  bool watching_ = false;
};

// ---- the time of a fetch

// One fetch, for as long as it has a coroutine: ends it when its time is over, and leaves nothing
// of it in any line behind.
class HttpClient::Impl::InTime {
 public:
  InTime(Impl& impl, Ask& ask, Clock::time_point until) : impl_(impl), ask_(ask) {
    ask.deadline = impl.deadlines_.emplace_hint(impl.deadlines_.end(), until, &ask);
    if (ask.deadline == impl.deadlines_.begin()) impl.watch_deadlines();
  }
  ~InTime() {
    impl_.abandon(ask_);
    if (ask_.over) return;
    impl_.deadlines_.erase(ask_.deadline);
    if (impl_.deadlines_.empty()) impl_.next_deadline_.cancel();
  }
  InTime(const InTime&) = delete;
  InTime& operator=(const InTime&) = delete;

 private:
  Impl& impl_;
  Ask& ask_;
};

// One timer for all: most have the same time, so that a new one is last. It may be armed for one
// that has gone since, but never for none.
void HttpClient::Impl::watch_deadlines() {
  next_deadline_.expires_at(deadlines_.begin()->first);
  next_deadline_.async_wait([weak = weak_from_this()](error_code ec) {
    const auto self = weak.lock();
    if (ec || !self) return;
    const auto now = Clock::now();
    auto& deadlines = self->deadlines_;
    while (!deadlines.empty() && deadlines.begin()->first <= now) {
      Ask& ask = *deadlines.begin()->second;
      deadlines.erase(deadlines.begin());
      ask.over = true;
      if (ask.settled) continue;  // between two servers: told at the next one
      if (ask.on != nullptr) {
        ask.error = ask.url.text() + ": timed out";
      } else {
        ask.error = (ask.origin.tls ? "https://" : "http://") + ask.origin.host +
                    ": timed out waiting for one of " + std::to_string(self->limits_.per_host) +
                    " connections to that server";
      }
      self->abandon(ask);
      ask.settled_event.cancel();
    }
    if (!deadlines.empty()) self->watch_deadlines();
  });
}

// ---- lines and connections

void HttpClient::Impl::stand_in_line(const std::shared_ptr<Ask>& ask) {
  Host& host = hosts_[ask->origin];
  ask->settled = false;
  ask->place = host.line.insert(host.line.end(), ask);
  if (host.in_use >= limits_.per_host) return;
  ++host.in_use;
  asio::co_spawn(loop_, serve(shared_from_this(), host, take_idle(host)), asio::detached);
}

void HttpClient::Impl::settle(Ask& ask, std::string error) {
  ask.error = std::move(error);
  ask.settled = true;
  ask.settled_event.cancel();
}

// Nobody waits for its answer any more.
void HttpClient::Impl::abandon(Ask& ask) {
  if (std::exchange(ask.settled, true)) return;
  if (ask.on != nullptr) {
    ask.on->interrupt();
  } else {
    hosts_[ask.origin].line.erase(ask.place);
  }
}

// An ask while it is on a connection. Also if the loop is destroyed meanwhile, whichever of the two
// coroutines goes first.
struct HttpClient::Impl::Turn {
  Turn(Ask& its, HttpConnection& connection) : ask(its) { ask.on = &connection; }
  ~Turn() {
    ask.settled = true;
    ask.on = nullptr;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  Ask& ask;
};

// One connection's life while requests wait for its server: the next goes out as soon as the answer
// before it is complete, and the coroutines of the jobs run between them.
LoopTask<void> HttpClient::Impl::serve([[maybe_unused]] std::shared_ptr<Impl> self, Host& host,
                                       std::unique_ptr<HttpConnection> connection) {
  if (!connection) connection = std::make_unique<HttpConnection>();
  while (!host.line.empty()) {
    const std::shared_ptr<Ask> ask = std::move(host.line.front());
    host.line.pop_front();
    const Turn turn(*ask, *connection);
    const HttpRequest& request = ask->request;
    const bool may_repeat = repeatable(request.method);
    std::string error;
    try {
      const std::string head = head_of(request, ask->url);
      if (connection->is_open() && !may_repeat && connection->is_stale()) connection->drop();
      for (;;) {
        const bool reused = connection->is_open();
        if (!reused) co_await dialer_.connect(*connection, ask->origin);
        if (ask->settled) break;
        const HttpConnection::Most most{limits_.header_max, ask->body_max};
        const error_code ec =
            co_await connection->exchange(head, request.body, request.method != "HEAD", most);
        if (!ec) {
          if (!connection->is_reusable()) connection->drop();
          if (ask->settled) break;
          take_answer(*connection, *ask);
          ask->response.report.reused = reused;
          break;
        }
        connection->drop();
        if (ask->settled) break;
        const bool silent = !connection->answer || !connection->answer->got_some();
        if (reused && may_repeat && silent) continue;
        throw HttpFailed(ec == boost::beast::http::error::body_limit
                             ? "the body is larger than " + std::to_string(ask->body_max) +
                                   " bytes; see body_max"
                             : words(ec));
      }
    } catch (const std::exception& e) {
      connection->drop();
      error = ask->url.text() + ": " + e.what();
    }
    if (!ask->settled) settle(*ask, std::move(error));
  }
  --host.in_use;
  if (connection->is_open()) keep(host, std::move(connection));
}

void HttpClient::Impl::keep(Host& host, std::unique_ptr<HttpConnection> connection) {
  if (closed_ || idle_ >= limits_.idle_in_all) return;  // closes it
  connection->answer.reset();
  connection->idle_since = Clock::now();
  host.idle.push_back(std::move(connection));
  ++idle_;
  sweep_later();
}

std::unique_ptr<HttpConnection> HttpClient::Impl::take_idle(Host& host) {
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

void HttpClient::Impl::close() {
  closed_ = true;
  sweep_.cancel();
  for (auto& [origin, host] : hosts_) host.idle.clear();
  idle_ = 0;
}

// ---- fetching

// Turns it to where its answer sends it. False: the answer is the last one.
bool HttpClient::Impl::follow_redirect(Ask& ask, std::uint32_t redirects) {
  HttpRequest& request = ask.request;
  const int status = ask.response.report.status;
  const std::string location(ask.response.report.header("location"));
  if (!is_redirect(status) || location.empty() || request.redirects_max == 0) return false;
  if (redirects == request.redirects_max)
    throw HttpFailed(ask.url.text() + ": more than " + std::to_string(redirects) + " redirects");
  auto next = ask.url.resolve(location);
  if (!next)
    throw HttpFailed(ask.url.text() + ": redirects to something else: " + next.error().line());
  const bool post = request.method == "POST";
  if ((status == 303 && request.method != "HEAD") || ((status == 301 || status == 302) && post)) {
    request.method = "GET";
    request.body.clear();
    std::erase_if(request.headers,
                  [](const auto& h) { return same_header(h.first, "content-type"); });
  }
  HttpOrigin origin = origin_of(*next, request);
  if (origin == ask.origin) {
    next->userinfo = ask.url.userinfo;
  } else {
    std::erase_if(request.headers,
                  [](const auto& h) { return is_secret(h.first) || same_header(h.first, "host"); });
  }
  ask.url = std::move(*next);
  ask.origin = std::move(origin);
  ask.response = {};
  return true;
}

asio::awaitable<HttpClient::Response> HttpClient::Impl::fetch(HttpRequest request,
                                                              std::size_t body_max) {
  const auto self = shared_from_this();  // it may outlive the HttpClient
  const auto started = Clock::now();
  for (const auto& [name, value] : request.headers) {
    if (same_header(name, "content-length") || same_header(name, "transfer-encoding") ||
        same_header(name, "connection"))
      throw HttpFailed("header " + name + " is set by jobring: leave it out");
  }
  auto parsed = Url::parse(request.url);
  if (!parsed) throw HttpFailed(parsed.error().line());
  const auto ask = std::make_shared<Ask>(loop_, std::move(request));
  ask->url = std::move(*parsed);
  ask->origin = origin_of(ask->url, ask->request);
  ask->body_max = body_max;
  if (ask->request.body_max != 0)
    ask->body_max = std::min<std::size_t>(body_max, ask->request.body_max);
  ask->settled = true;  // not in line yet
  const std::chrono::milliseconds time(ask->request.timeout_ms);
  const InTime in_time(*this, *ask, started + (time.count() == 0 ? kTimeout : time));
  for (std::uint32_t redirects = 0;; ++redirects) {
    if (ask->over) throw HttpFailed(ask->url.text() + ": timed out");
    stand_in_line(ask);
    if (!ask->settled) co_await ask->settled_event.async_wait(asio::as_tuple(asio::use_awaitable));
    if (!ask->settled) throw HttpFailed(ask->url.text() + ": cancelled");
    if (!ask->error.empty()) throw HttpFailed(ask->error);
    if (!follow_redirect(*ask, redirects)) {
      ask->response.report.redirects = redirects;
      ask->response.report.wall_us = std::uint64_t(
          std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - started).count());
      co_return std::move(ask->response);
    }
  }
}

HttpClient::HttpClient(asio::io_context::executor_type loop, HttpLimits limits)
    : impl_(std::make_shared<Impl>(loop, limits)) {}

HttpClient::~HttpClient() {
  impl_->close();
}

asio::awaitable<HttpClient::Response> HttpClient::fetch(HttpRequest request, std::size_t body_max) {
  return impl_->fetch(std::move(request), body_max);
}

}  // namespace jobring
