// Pages from the web as jobs: what a client asks of the built-in handler "http", and what it
// answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jobring {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// One request. Redirects are followed; the response of the last is the result.
struct HttpRequest {
  std::string url{};             // http:// or https://, absolute
  std::string method = "GET";    // a token, sent as it is
  HttpHeaders headers{};         // sent as they are; Host, Content-Length and Connection are ours
  std::string body{};            // sent unless it is empty
  std::uint32_t timeout_ms = 0;  // for all of it, redirects too; 0: 30 s
  std::uint64_t body_max = 0;  // bytes of the response's body; 0: what the pool's max_result holds
  std::uint32_t redirects_max = 10;  // 0: a redirect is the result
  bool verify = true;                // the server's certificate and its name (https)
  std::string ca_file{};             // PEM file of further authorities to trust
};

// How it went. A response with any status is a job that is ok: look at `status`.
struct HttpReport {
  int status = 0;               // 200, 404, ...
  std::string reason{};         // the server's words for it
  std::string url{};            // the last one asked, after redirects
  HttpHeaders headers{};        // of the response, in the server's order
  std::uint32_t redirects = 0;  // followed
  bool reused = false;          // the last request went over a connection that stood already
  std::uint64_t wall_us = 0;    // microseconds, all of it

  bool ok() const { return status >= 200 && status < 300; }
  // The first header of that name, in whatever case; empty if there is none.
  std::string_view header(std::string_view name) const;
};

// `body` is a view into the result it was decoded from.
struct HttpResult {
  HttpReport report;
  std::string_view body;
};

// A request as the payload of a job for "http":
//     Future f = pool.submit("http", http_payload({.url = "https://example.org/"}));
// A bare URL is a payload too, of a GET whose result is the page itself.
std::string http_payload(const HttpRequest& request);
// The result of such a job. Throws std::invalid_argument if it is not one (a job that failed has a
// message instead). `result` must outlive what is returned.
HttpResult http_result(std::string_view result);

}  // namespace jobring
