#include <doctest/doctest.h>

#include <random>

#include "common/http_codec.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;

namespace {

std::span<const unsigned char> bytes(const std::string& text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

HttpRequest example_request() {
  HttpRequest request;
  request.url = "https://example.org/";
  request.method = "POST";
  request.headers = {{"Accept", "text/html"}, {"X-Empty", ""}};
  request.body = std::string("a\0b", 3);
  request.timeout_ms = 1500;
  request.body_max = 1 << 20;
  request.redirects_max = 3;
  request.verify = false;
  request.ca_file = "/etc/ca.pem";
  return request;
}

}  // namespace

TEST_CASE("a request survives being encoded") {
  const HttpRequest request = example_request();
  auto decoded = decode_http_request(bytes(encode(request)));
  REQUIRE(decoded.ok());
  CHECK_FALSE(decoded->plain);
  const HttpRequest& again = decoded->request;
  CHECK(again.url == request.url);
  CHECK(again.method == request.method);
  CHECK(again.headers == request.headers);
  CHECK(again.body == request.body);
  CHECK(again.timeout_ms == request.timeout_ms);
  CHECK(again.body_max == request.body_max);
  CHECK(again.redirects_max == request.redirects_max);
  CHECK(again.verify == request.verify);
  CHECK(again.ca_file == request.ca_file);
}

TEST_CASE("a payload that is a URL is a plain GET") {
  auto decoded = decode_http_request(bytes("http://h/"));
  REQUIRE(decoded.ok());
  CHECK(decoded->plain);
  CHECK(decoded->request.url == "http://h/");
  CHECK(decoded->request.method == "GET");
}

TEST_CASE("a result survives being encoded, with its body as a view") {
  HttpReport report;
  report.status = 404;
  report.reason = "Not Found";
  report.url = "http://h/x";
  report.headers = {{"Content-Type", "text/plain"}};
  report.redirects = 2;
  report.reused = true;
  report.wall_us = 12345;
  const std::string result = encode_head(report, 4) + "gone";
  auto decoded = decode_http_result(bytes(result));
  REQUIRE(decoded.ok());
  CHECK(decoded->body == "gone");
  CHECK(decoded->body.data() == result.data() + result.size() - 4);
  CHECK(decoded->report.status == 404);
  CHECK_FALSE(decoded->report.ok());
  CHECK(decoded->report.reason == "Not Found");
  CHECK(decoded->report.url == "http://h/x");
  CHECK(decoded->report.header("content-TYPE") == "text/plain");
  CHECK(decoded->report.header("content").empty());
  CHECK(decoded->report.redirects == 2);
  CHECK(decoded->report.reused);
  CHECK(decoded->report.wall_us == 12345);
}

TEST_CASE("what would smuggle a second header or request is refused") {
  HttpRequest request = example_request();
  request.headers = {{"X", "a\r\nY: b"}};
  CHECK_FALSE(decode_http_request(bytes(encode(request))).ok());
  request.headers = {{"X: a\r\nY", "b"}};
  CHECK_FALSE(decode_http_request(bytes(encode(request))).ok());
  request.headers = {{"", "b"}};
  CHECK_FALSE(decode_http_request(bytes(encode(request))).ok());
  request = example_request();
  request.method = "GET / HTTP/1.1\r\n";
  CHECK_FALSE(decode_http_request(bytes(encode(request))).ok());
  request.method = "";
  CHECK_FALSE(decode_http_request(bytes(encode(request))).ok());
  request = example_request();
  request.url = std::string(100'000, 'x');
  CHECK_FALSE(decode_http_request(bytes(encode(request))).ok());
}

TEST_CASE("cut and damaged bytes are refused or give something, never a crash") {
  const std::uint64_t seed = jobring::test::seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const std::string request = encode(example_request());
  HttpReport report;
  report.headers = {{"a", "b"}};
  const std::string result = encode_head(report, 3) + "xyz";
  for (std::size_t n = 1; n < request.size(); ++n)
    CHECK_FALSE(decode_http_request(bytes(request.substr(0, n))).ok());
  for (std::size_t n = 0; n < result.size(); ++n)
    CHECK_FALSE(decode_http_result(bytes(result.substr(0, n))).ok());
  for (int round = 0; round < 20'000; ++round) {
    std::string a = request, b = result;
    for (int i = 0; i < 3; ++i) {
      a[random() % a.size()] = char(random());
      b[random() % b.size()] = char(random());
    }
    (void)decode_http_request(bytes(a));
    (void)decode_http_result(bytes(b));
  }
}
