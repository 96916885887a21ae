#include <utility>  // before Asio

#include "worker/async/http_client.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "tests/http/scripted_server.hpp"

using namespace jobring;
using jobring::test::ScriptedServer;
using namespace std::chrono_literals;

namespace {

// A client on a loop of its own; everything is fetched by running that loop.
class Fetcher {
 public:
  explicit Fetcher(HttpLimits limits = {}) : client_(loop_.get_executor(), limits) {}

  struct Got {
    HttpClient::Response response;
    std::string error;
  };
  void start(HttpRequest request, Got& got, std::size_t body_max = 1 << 20,
             boost::asio::cancellation_slot cancel = {}) {
    boost::asio::co_spawn(
        loop_,
        [](HttpClient& client, HttpRequest asked, Got& to,
           std::size_t max) -> boost::asio::awaitable<void> {
          try {
            to.response = co_await client.fetch(std::move(asked), max);
          } catch (const HttpFailed& e) {
            to.error = e.what();
          }
        }(client_, std::move(request), got, body_max),
        boost::asio::bind_cancellation_slot(cancel, [](std::exception_ptr e) {
          if (e) std::rethrow_exception(e);
        }));
  }
  Got get(HttpRequest request, std::size_t body_max = 1 << 20) {
    Got got;
    bool done = false;
    boost::asio::co_spawn(
        loop_,
        [](HttpClient& client, HttpRequest asked, Got& to,
           std::size_t max) -> boost::asio::awaitable<void> {
          try {
            to.response = co_await client.fetch(std::move(asked), max);
          } catch (const HttpFailed& e) {
            to.error = e.what();
          }
        }(client_, std::move(request), got, body_max),
        [&](std::exception_ptr e) {
          done = true;
          if (e) std::rethrow_exception(e);
        });
    loop_.restart();
    while (!done) loop_.run_one();
    return got;
  }
  Got get(const std::string& url) { return get(HttpRequest{.url = url}); }
  boost::asio::io_context& loop() { return loop_; }

 private:
  boost::asio::io_context loop_;
  HttpClient client_;
};

// A certificate of its own authority for `name`, with its key, in one file.
std::string certificate(const std::string& name) {
  static const std::string dir = [] {
    char path[] = "/tmp/jobring-http-XXXXXX";
    REQUIRE(mkdtemp(path) != nullptr);
    return std::string(path);
  }();
  static struct Cleanup {
    ~Cleanup() { std::filesystem::remove_all(dir); }
  } cleanup;
  const std::string pem = dir + "/" + name + ".pem";
  const std::string make =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "
      "/CN=" +
      name + " -addext subjectAltName=DNS:" + name + " -keyout " + pem + ".key -out " + pem +
      " 2>/dev/null && cat " + pem + ".key >> " + pem;
  REQUIRE(std::system(make.c_str()) == 0);
  return pem;
}

ScriptedServer echo_server() {
  return ScriptedServer([](const ScriptedServer::Request& r) {
    return ScriptedServer::Answer{ScriptedServer::ok(r.head + "\n" + r.body)};
  });
}

}  // namespace

TEST_CASE("a page is fetched, with status, headers and body") {
  ScriptedServer server([](const auto&) {
    return ScriptedServer::Answer{
        "HTTP/1.1 404 Nobody Home\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello"};
  });
  Fetcher fetcher;
  const auto got = fetcher.get(server.url("/a?b"));
  CHECK(got.error == "");
  CHECK(got.response.report.status == 404);
  CHECK(got.response.report.reason == "Nobody Home");
  CHECK(got.response.report.header("x-a") == "b");
  CHECK(got.response.report.url == server.url("/a?b"));
  CHECK(got.response.body == "hello");
}

TEST_CASE("the request says what it was asked to say") {
  ScriptedServer server = echo_server();
  Fetcher fetcher;
  HttpRequest request{.url = server.url("/x?y=z")};
  request.method = "POST";
  request.headers = {{"X-Mine", "1"}, {"user-agent", "me"}};
  request.body = "the body";
  const std::string body = fetcher.get(request).response.body;
  CHECK(body.starts_with("POST /x?y=z HTTP/1.1\r\n"));
  CHECK(body.find("Host: 127.0.0.1:" + std::to_string(server.port()) + "\r\n") != body.npos);
  CHECK(body.find("X-Mine: 1\r\n") != body.npos);
  CHECK(body.find("user-agent: me\r\n") != body.npos);
  CHECK(body.find("User-Agent") == body.npos);
  CHECK(body.find("Content-Length: 8") != body.npos);
  CHECK(body.ends_with("\nthe body"));
  std::string with_name = server.url();
  with_name.insert(7, "aladdin:open%20sesame@");
  // The example of RFC 2617, in small letters.
  CHECK(fetcher.get(with_name).response.body.find("Authorization: Basic ") != body.npos);
  request.headers = {{"Content-length", "3"}};
  CHECK(fetcher.get(request).error.find("leave it out") != std::string::npos);
}

TEST_CASE("connections are used again, and a request that met a closed one is sent again") {
  ScriptedServer server([](const ScriptedServer::Request& r) {
    // Each connection answers twice and says nothing of closing.
    return ScriptedServer::Answer{ScriptedServer::ok(std::to_string(r.connection)), r.nth == 1};
  });
  Fetcher fetcher;
  int reused = 0;
  for (int i = 0; i < 10; ++i) {
    const auto got = fetcher.get(server.url());
    REQUIRE(got.error == "");
    CHECK(got.response.body == std::to_string(i / 2));
    reused += got.response.report.reused;
  }
  CHECK(server.connections() == 5);
  CHECK(reused == 5);
}

TEST_CASE("a POST is never sent twice") {
  std::atomic<int> posts{0};
  ScriptedServer server([&](const ScriptedServer::Request& r) {
    if (r.head.starts_with("POST")) {
      ++posts;
      return ScriptedServer::Answer{r.nth == 0 ? ScriptedServer::ok("fine") : "", r.nth != 0};
    }
    return ScriptedServer::Answer{ScriptedServer::ok("")};
  });
  Fetcher fetcher;
  HttpRequest post{.url = server.url()};
  post.method = "POST";
  CHECK(fetcher.get(server.url()).error == "");  // leaves a connection, on which POST gets nothing
  CHECK(fetcher.get(post).error.find("without an answer") != std::string::npos);
  CHECK(posts == 1);
}

TEST_CASE("redirects are followed as the method and the status want it") {
  ScriptedServer server([](const ScriptedServer::Request& r) {
    if (r.head.find(" /go") != r.head.npos) {
      const int status = std::stoi(r.head.substr(r.head.find(" /go") + 4));
      return ScriptedServer::Answer{ScriptedServer::redirect(status, "/end?x")};
    }
    return ScriptedServer::Answer{ScriptedServer::ok(r.head + "\n" + r.body)};
  });
  Fetcher fetcher;
  for (const int status : {301, 302, 303, 307, 308}) {
    CAPTURE(status);
    HttpRequest request{.url = server.url("/go" + std::to_string(status))};
    request.method = "POST";
    request.body = "payload";
    const auto got = fetcher.get(request);
    REQUIRE(got.error == "");
    CHECK(got.response.report.redirects == 1);
    CHECK(got.response.report.url == server.url("/end?x"));
    const bool again = status >= 307;
    CHECK(got.response.body.starts_with(again ? "POST /end?x" : "GET /end?x"));
    CHECK(got.response.body.ends_with("payload") == again);
    request.redirects_max = 0;
    CHECK(fetcher.get(request).response.report.status == status);
  }
}

TEST_CASE("a circle of redirects ends, and so does one that leads out of the web") {
  ScriptedServer circle(
      [](const auto&) { return ScriptedServer::Answer{ScriptedServer::redirect(302, "/again")}; });
  Fetcher fetcher;
  CHECK(fetcher.get(circle.url()).error.find("more than 10 redirects") != std::string::npos);
  ScriptedServer out([](const auto&) {
    return ScriptedServer::Answer{ScriptedServer::redirect(302, "file:///etc/passwd")};
  });
  CHECK(fetcher.get(out.url()).error.find("neither http") != std::string::npos);
}

TEST_CASE("secrets do not follow a redirect to another server") {
  ScriptedServer other = echo_server();
  ScriptedServer first([&](const ScriptedServer::Request& r) {
    if (r.head.find(" /here") != r.head.npos)
      return ScriptedServer::Answer{ScriptedServer::ok(r.head)};
    if (r.head.find(" /same") != r.head.npos)
      return ScriptedServer::Answer{ScriptedServer::redirect(302, "/here")};
    return ScriptedServer::Answer{ScriptedServer::redirect(302, other.url("/there"))};
  });
  Fetcher fetcher;
  HttpRequest request{.url = first.url("/same")};
  request.headers = {{"Authorization", "secret"}, {"Cookie", "secret"}, {"X-Other", "kept"}};
  CHECK(fetcher.get(request).response.body.find("Authorization: secret") != std::string::npos);
  request.url = first.url("/away");
  const auto got = fetcher.get(request);
  CHECK(got.response.body.find("secret") == std::string::npos);
  CHECK(got.response.body.find("X-Other: kept") != std::string::npos);
}

TEST_CASE("a body may come in chunks, without a length, after a 100, or not at all") {
  ScriptedServer server([](const ScriptedServer::Request& r) -> ScriptedServer::Answer {
    const auto asks = [&](const char* path) { return r.head.find(path) != r.head.npos; };
    if (asks("/chunks")) {
      return {
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"};
    }
    if (asks("/eof")) return {"HTTP/1.0 200 OK\r\n\r\nuntil the end", true};
    if (asks("/100")) return {"HTTP/1.1 100 Continue\r\n\r\n" + ScriptedServer::ok("then")};
    if (asks("/204")) return {"HTTP/1.1 204 No Content\r\n\r\n"};
    return {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"};  // to a HEAD
  });
  Fetcher fetcher;
  CHECK(fetcher.get(server.url("/chunks")).response.body == "abcde");
  CHECK(fetcher.get(server.url("/eof")).response.body == "until the end");
  CHECK(fetcher.get(server.url("/100")).response.body == "then");
  CHECK(fetcher.get(server.url("/204")).response.report.status == 204);
  HttpRequest head{.url = server.url("/head")};
  head.method = "HEAD";
  const auto got = fetcher.get(head);
  CHECK(got.error == "");
  CHECK(got.response.report.header("content-length") == "1000");
}

TEST_CASE("an answer that is too large, cut short, or no HTTP is an error with its reason") {
  ScriptedServer server([](const ScriptedServer::Request& r) -> ScriptedServer::Answer {
    const auto asks = [&](const char* path) { return r.head.find(path) != r.head.npos; };
    if (asks("/large")) return {ScriptedServer::ok(std::string(2000, 'x'))};
    if (asks("/short")) return {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", true};
    if (asks("/nonsense")) return {"SMTP ready\r\n\r\n", true};
    if (asks("/header")) {
      return {"HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'h') + "\r\n\r\n", true};
    }
    return {"", true};
  });
  Fetcher fetcher;
  HttpRequest large{.url = server.url("/large")};
  CHECK(fetcher.get(large, 1999).error.find("larger than 1999 bytes") != std::string::npos);
  CHECK(fetcher.get(large, 2000).error == "");
  large.body_max = 100;
  CHECK(fetcher.get(large, 2000).error.find("larger than 100 bytes") != std::string::npos);
  CHECK(fetcher.get(server.url("/short")).error.find("in the middle") != std::string::npos);
  CHECK(fetcher.get(server.url("/nonsense")).error != "");
  CHECK(fetcher.get(server.url("/header")).error.find("header") != std::string::npos);
  CHECK(fetcher.get(server.url("/close")).error.find("without an answer") != std::string::npos);
}

TEST_CASE("nobody listens, or the name is unknown: one line that says so") {
  int port;
  {
    ScriptedServer gone = echo_server();
    port = gone.port();
  }
  Fetcher fetcher;
  const std::string url = "http://127.0.0.1:" + std::to_string(port) + "/";
  const auto got = fetcher.get(url);
  CHECK(got.error.starts_with(url + ": cannot connect"));
  CHECK(fetcher.get("http://no.such.host.invalid/").error.find("no address") != std::string::npos);
}

TEST_CASE("a server that says nothing is waited for as long as the request allows") {
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  ScriptedServer server([&](const auto&) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return over; });
    return ScriptedServer::Answer{"", true};
  });
  Fetcher fetcher;
  HttpRequest request{.url = server.url()};
  request.timeout_ms = 50;
  const auto started = std::chrono::steady_clock::now();
  CHECK(fetcher.get(request).error == server.url() + ": timed out");
  CHECK(std::chrono::steady_clock::now() - started >= 50ms);
  const std::scoped_lock lock(mutex);
  over = true;
  changed.notify_all();
}

TEST_CASE("no more than per_host connections go to one server, those who wait get their turn") {
  ScriptedServer server = echo_server();
  HttpLimits limits;
  limits.per_host = 4;
  Fetcher fetcher(limits);
  std::vector<Fetcher::Got> got(500);
  for (auto& g : got) fetcher.start(HttpRequest{.url = server.url()}, g);
  while (std::any_of(got.begin(), got.end(), [](const auto& g) {
    return g.error.empty() && g.response.report.status == 0;
  }))
    fetcher.loop().run_one();
  for (const auto& g : got) CHECK(g.error == "");
  CHECK(server.most_at_once() <= 4);
  CHECK(server.connections() <= 4);
}

TEST_CASE("a place in the line is waited for no longer than the request allows") {
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  ScriptedServer server([&](const auto&) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return over; });
    return ScriptedServer::Answer{ScriptedServer::ok("")};
  });
  HttpLimits limits;
  limits.per_host = 1;
  Fetcher fetcher(limits);
  Fetcher::Got first;
  fetcher.start(HttpRequest{.url = server.url()}, first);
  HttpRequest second{.url = server.url()};
  second.timeout_ms = 30;
  CHECK(fetcher.get(second).error.find("waiting for one of 1 connections") != std::string::npos);
  {
    const std::scoped_lock lock(mutex);
    over = true;
    changed.notify_all();
  }
  CHECK(fetcher.get(server.url()).error == "");
  CHECK(first.response.report.status == 200);
}

TEST_CASE("a fetch that is cancelled leaves its place to others, in the line and on a connection") {
  std::atomic<bool> asked = false;
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  ScriptedServer server([&](const ScriptedServer::Request& r) {
    if (r.head.starts_with("GET /slow")) {
      asked = true;
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return over; });
    }
    return ScriptedServer::Answer{ScriptedServer::ok("")};
  });
  HttpLimits limits;
  limits.per_host = 1;
  Fetcher fetcher(limits);
  boost::asio::cancellation_signal on_connection, in_line;
  Fetcher::Got slow, waits, third;
  fetcher.start(HttpRequest{.url = server.url("/slow")}, slow, 1 << 20, on_connection.slot());
  while (!asked) fetcher.loop().poll_one();
  fetcher.start(HttpRequest{.url = server.url()}, waits, 1 << 20, in_line.slot());
  fetcher.start(HttpRequest{.url = server.url()}, third);
  fetcher.loop().poll();
  in_line.emit(boost::asio::cancellation_type::terminal);
  while (waits.error.empty()) fetcher.loop().run_one();
  CHECK(slow.error == "");
  on_connection.emit(boost::asio::cancellation_type::terminal);
  while (slow.error.empty() || third.response.report.status == 0) fetcher.loop().run_one();
  CHECK(third.error == "");
  CHECK(server.connections() == 2);  // the cancelled one's is gone
  const std::scoped_lock lock(mutex);
  over = true;
  changed.notify_all();
}

TEST_CASE("a body that fills every buffer on the way arrives whole") {
  ScriptedServer server = echo_server();
  Fetcher fetcher;
  HttpRequest request{.url = server.url(), .method = "POST"};
  for (std::size_t i = 0; i < (std::size_t(8) << 20); ++i)
    request.body += char('a' + i * 7919 % 26);
  const std::string body = request.body;
  const auto got = fetcher.get(std::move(request), std::size_t(16) << 20);
  CHECK(got.error == "");
  CHECK(got.response.body.ends_with("\n" + body));
}

TEST_CASE("a loop may go while fetches stand in line, are under way and are over") {
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  std::atomic<int> asked = 0;
  ScriptedServer server([&](const ScriptedServer::Request&) {
    ++asked;
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return over; });
    return ScriptedServer::Answer{ScriptedServer::ok("")};
  });
  std::vector<Fetcher::Got> got(5);
  {
    HttpLimits limits;
    limits.per_host = 2;
    Fetcher fetcher(limits);
    for (auto& g : got) fetcher.start(HttpRequest{.url = server.url()}, g);
    while (asked < 2) fetcher.loop().poll_one();
  }
  for (const auto& g : got) CHECK(g.error == "");
  const std::scoped_lock lock(mutex);
  over = true;
  changed.notify_all();
}

TEST_CASE("idle connections are closed after their time, and then no timer runs") {
  ScriptedServer server = echo_server();
  HttpLimits limits;
  limits.idle_for = 1s;
  Fetcher fetcher(limits);
  CHECK(fetcher.get(server.url()).error == "");
  fetcher.loop().restart();
  fetcher.loop().run();  // returns only when nothing is left to wait for
  const auto got = fetcher.get(server.url());
  CHECK_FALSE(got.response.report.reused);
  CHECK(server.connections() == 2);
}

TEST_CASE("https: a certificate that is trusted and bears the name is taken, any other is not") {
  const std::string pem = certificate("localhost");
  ScriptedServer server(
      [](const ScriptedServer::Request& r) {
        return ScriptedServer::Answer{ScriptedServer::ok(std::to_string(r.connection))};
      },
      pem);
  Fetcher fetcher;
  HttpRequest request{.url = server.url("/", "localhost")};
  CHECK(fetcher.get(request).error.find("self-signed certificate") != std::string::npos);
  request.ca_file = pem;
  auto got = fetcher.get(request);
  CHECK(got.error == "");
  CHECK(got.response.report.status == 200);
  got = fetcher.get(request);
  CHECK(got.response.report.reused);
  request.url = server.url("/", "127.0.0.1");
  CHECK(fetcher.get(request).error.find("TLS") != std::string::npos);  // not the certificate's name
  request.verify = false;
  CHECK(fetcher.get(request).error == "");
  request.ca_file = "/no/such/file.pem";
  request.verify = true;
  CHECK(fetcher.get(request).error.find("/no/such/file.pem") != std::string::npos);
}
