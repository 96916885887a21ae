#include "worker/async/url.hpp"

#include <doctest/doctest.h>

using namespace jobring;

namespace {

std::string resolved(const std::string& base, const std::string& reference) {
  auto url = Url::parse(base);
  REQUIRE(url.ok());
  auto next = url->resolve(reference);
  return next.ok() ? next->text() : "error: " + next.error().what;
}

}  // namespace

TEST_CASE("a URL falls into its parts") {
  auto url = Url::parse("HTTPS://me:a%40b@Example.ORG:8443/a/b?c=d#e");
  REQUIRE(url.ok());
  CHECK(url->tls);
  CHECK(url->host == "example.org");
  CHECK(url->port == "8443");
  CHECK(url->target == "/a/b?c=d");
  CHECK(url->userinfo == "me:a@b");
  CHECK(url->authority() == "example.org:8443");
  CHECK(url->text() == "https://example.org:8443/a/b?c=d");
}

TEST_CASE("what a URL leaves out has its usual value") {
  CHECK(Url::parse("http://h")->text() == "http://h/");
  CHECK(Url::parse("http://h")->port == "80");
  CHECK(Url::parse("https://h")->port == "443");
  CHECK(Url::parse("http://h?x")->target == "/?x");
  CHECK(Url::parse("http://h:")->port == "80");
  CHECK(Url::parse("http://h:080/")->port == "080");
  CHECK(Url::parse("http://[::1]:81/")->host == "::1");
  CHECK(Url::parse("http://[::1]:81/")->authority() == "[::1]:81");
}

TEST_CASE("what is no http URL is refused, with the reason") {
  for (const char* text :
       {"", "x", "ftp://h/", "http:/h", "http://", "http://:80/", "http://h:x/", "http://h:0/",
        "http://h:65536/", "http://h:123456/", "http://[::1/", "http://[::1]x/", "http://h/a b",
        "http://h/\r\nHost: evil", "http://h/\t", "http://h\x7f/"}) {
    CAPTURE(text);
    auto url = Url::parse(text);
    REQUIRE_FALSE(url.ok());
    CHECK(url.error().line().find('\n') == std::string::npos);
  }
}

TEST_CASE("references are resolved as RFC 3986 says") {
  // The examples of its section 5.4 that concern us.
  const std::string base = "http://a/b/c/d;p?q";
  CHECK(resolved(base, "g") == "http://a/b/c/g");
  CHECK(resolved(base, "./g") == "http://a/b/c/g");
  CHECK(resolved(base, "g/") == "http://a/b/c/g/");
  CHECK(resolved(base, "/g") == "http://a/g");
  CHECK(resolved(base, "//g") == "http://g/");
  CHECK(resolved(base, "?y") == "http://a/b/c/d;p?y");
  CHECK(resolved(base, "g?y") == "http://a/b/c/g?y");
  CHECK(resolved(base, "g#s") == "http://a/b/c/g");
  CHECK(resolved(base, "") == "http://a/b/c/d;p?q");
  CHECK(resolved(base, ".") == "http://a/b/c/");
  CHECK(resolved(base, "..") == "http://a/b/");
  CHECK(resolved(base, "../g") == "http://a/b/g");
  CHECK(resolved(base, "../../g") == "http://a/g");
  CHECK(resolved(base, "../../../g") == "http://a/g");
  CHECK(resolved(base, "/./g") == "http://a/g");
  CHECK(resolved(base, "g?y/../x") == "http://a/b/c/g?y/../x");
  CHECK(resolved(base, "https://z/y") == "https://z/y");
  CHECK(resolved(base, "javascript:alert(1)").starts_with("error"));
  CHECK(resolved(base, "/x y").starts_with("error"));
}
