// The built-in handler "http" through a daemon. The client itself: tests/http.
#include <doctest/doctest.h>

#include <jobring/http.hpp>

#include "tests/async/support.hpp"
#include "tests/http/scripted_server.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

std::string target(const ScriptedServer::Request& request) {
  const std::size_t from = request.head.find(' ') + 1;
  return request.head.substr(from, request.head.find(' ', from) - from);
}

ScriptedServer::Answer echo_target(const ScriptedServer::Request& request) {
  return {ScriptedServer::ok("page " + target(request) + " " + request.body)};
}

}  // namespace

TEST_CASE("many pages are fetched at once and each job has its own") {
  ScriptedServer server(echo_target);
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  std::vector<Future> all;
  for (int i = 0; i < 500; ++i) {
    HttpRequest request;
    request.url = server.url("/" + std::to_string(i));
    all.push_back(pool.submit("http", http_payload(request)));
  }
  for (int i = 0; i < 500; ++i) {
    const HttpResult result = http_result(all[std::size_t(i)].result().text());
    CHECK(result.report.status == 200);
    CHECK(result.body == "page /" + std::to_string(i) + " ");
  }
  CHECK(server.connections() <= 64);  // they are used again
}

TEST_CASE("a bare URL as payload gives the page itself") {
  ScriptedServer server(echo_target);
  Daemon daemon(async_pool());
  CHECK(daemon.connect().pool().call("http", server.url("/bare")) == "page /bare ");
}

TEST_CASE("POST carries its body and redirects are followed") {
  ScriptedServer server([](const ScriptedServer::Request& request) -> ScriptedServer::Answer {
    if (target(request) == "/old") return {ScriptedServer::redirect(307, "/new")};
    return echo_target(request);
  });
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  HttpRequest request;
  request.url = server.url("/old");
  request.method = "POST";
  request.body = "form";
  const Future f = pool.submit("http", http_payload(request));
  const HttpResult result = http_result(f.result().text());
  CHECK(result.body == "page /new form");
  CHECK(result.report.redirects == 1);
}

TEST_CASE("a page larger than the pool's max_result fails its job and a status of 404 does not") {
  ScriptedServer server([](const ScriptedServer::Request& request) -> ScriptedServer::Answer {
    if (target(request) == "/large") return {ScriptedServer::ok(std::string(100'000, 'x'))};
    return {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"};
  });
  Daemon daemon(async_pool(64, R"(, "max_result": "64KiB")"));
  Pool pool = daemon.connect().pool();
  HttpRequest large, missing;
  large.url = server.url("/large");
  missing.url = server.url("/missing");
  const Future first = pool.submit("http", http_payload(large));
  CHECK(first.result().outcome == Outcome::failed);
  CHECK(first.result().text().find("larger than") != std::string::npos);
  const Future second = pool.submit("http", http_payload(missing));
  CHECK(second.result().ok());
  CHECK(http_result(second.result().text()).report.status == 404);
}

TEST_CASE("a server that does not answer costs its own job a time-out and no other job anything") {
  ScriptedServer server([](const ScriptedServer::Request& request) -> ScriptedServer::Answer {
    if (target(request) == "/silent") std::this_thread::sleep_for(2s);
    return echo_target(request);
  });
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  HttpRequest silent;
  silent.url = server.url("/silent");
  silent.timeout_ms = 100;
  const Future late = pool.submit("http", http_payload(silent));
  JobOptions options;
  options.timeout = 100ms;
  silent.timeout_ms = 0;
  const Future job_late = pool.submit("http", http_payload(silent), options);
  const Future killed = pool.submit("http", http_payload(silent));
  CHECK(pool.call("http", server.url("/fast")) == "page /fast ");
  killed.kill();
  CHECK(killed.result().outcome == Outcome::killed);
  CHECK(late.result().outcome == Outcome::failed);
  CHECK(late.result().text().find("timed out") != std::string::npos);
  CHECK(job_late.result().outcome == Outcome::timed_out);
}

TEST_CASE("a payload that is no request and no URL is a bad request or names the URL") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  for (const std::string payload : {"", "no url", "ftp://example.org/", "http://"}) {
    CAPTURE(payload);
    const Outcome outcome = pool.submit("http", payload).result().outcome;
    CHECK((outcome == Outcome::bad_request || outcome == Outcome::failed));
  }
}
