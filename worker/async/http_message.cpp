#include <utility>  // before Asio

#include "worker/async/http_message.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/core/detail/base64.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

namespace jobring {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;

namespace {

std::string base64(std::string_view text) {
  std::string out(beast::detail::base64::encoded_size(text.size()), '\0');
  out.resize(beast::detail::base64::encode(out.data(), text.data(), text.size()));
  return out;
}

bool has(const HttpHeaders& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const auto& h) { return same_header(h.first, name); });
}

}  // namespace

bool same_header(std::string_view a, std::string_view b) {
  return beast::iequals(a, b);
}

bool repeatable(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
         method == "OPTIONS" || method == "TRACE";
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool is_secret(std::string_view header) {
  return same_header(header, "authorization") || same_header(header, "cookie") ||
         same_header(header, "proxy-authorization");
}

std::string head_of(const HttpRequest& from, const Url& url) {
  std::string text;
  text.reserve(256);
  const auto add = [&](std::string_view name, std::string_view value) {
    ((((text += name) += ": ") += value) += "\r\n");
  };
  const auto add_default = [&](std::string_view name, std::string_view value) {
    if (!has(from.headers, name)) add(name, value);
  };
  (((text += from.method) += ' ') += url.target) += " HTTP/1.1\r\n";
  add_default("Host", url.authority());
  add_default("User-Agent", "jobring");
  add_default("Accept", "*/*");
  if (!url.userinfo.empty()) add_default("Authorization", "Basic " + base64(url.userinfo));
  for (const auto& [name, value] : from.headers) add(name, value);
  if (!from.body.empty() || from.method == "POST" || from.method == "PUT")
    add("Content-Length", std::to_string(from.body.size()));
  return text += "\r\n";
}

std::string words(const boost::system::error_code& ec) {
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

}  // namespace jobring
