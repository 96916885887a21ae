// Layouts, little-endian, without padding.
//
// HttpRequest (payload of "http")        HttpReport (head of the result of "http")
//   u8   0, then format = 1                u8   0, then format = 1
//   u8   flags: 1 verify                   u8   flags: 1 reused
//   u32  timeout_ms                        u16  status
//   u32  redirects_max                     u32  redirects
//   u64  body_max                          u64  wall_us
//   string method, url, body, ca_file      string reason, url
//   u32  count of header strings, then     u32  count of header strings, then name, value, ...
//        name, value, name, value ...      u64  length of the body, body
//
//   string = u32 length, bytes
//
// No URL begins with the byte 0, so a payload that does is a request and any other one a URL. If
// you change either layout, increment its format.
#include "common/http_codec.hpp"

#include <stdexcept>

#include <strings.h>

#include "common/byte_codec.hpp"

namespace jobring {
namespace {

constexpr std::uint8_t kMark = 0;
constexpr std::uint8_t kFormat = 1;
constexpr std::uint8_t kVerify = 1, kReused = 1;
constexpr std::size_t kUrlMax = 64 * 1024;  // bytes; longer ones are a mistake

Error bad_request(const std::string& what) {
  return Error{Errc::bad_input, what, "http request", {}};
}
Error bad_result(const std::string& what) {
  return Error{Errc::bad_input, what, "result of an http request", {}};
}

void write_headers(ByteWriter& to, const HttpHeaders& headers) {
  to.number(std::uint32_t(headers.size() * 2));
  for (const auto& [name, value] : headers) {
    to.string(name);
    to.string(value);
  }
}

// False if a name lacks its value.
bool read_headers(ByteReader& from, HttpHeaders& headers) {
  std::vector<std::string> all = from.strings();
  if (all.size() % 2 != 0) return false;
  headers.reserve(all.size() / 2);
  for (std::size_t i = 0; i < all.size(); i += 2)
    headers.emplace_back(std::move(all[i]), std::move(all[i + 1]));
  return true;
}

// RFC 9110, section 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && others.find(c) == others.npos) return false;
  }
  return !text.empty();
}

// A line break in a header would be another header, or another request.
Result<void> check(const HttpRequest& request) {
  if (request.url.size() > kUrlMax) return bad_request("the url is longer than 64 KiB");
  if (!is_token(request.method)) return bad_request("the method is not a word");
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name)) return bad_request("a header's name is empty or has forbidden characters");
    for (const char c : value) {
      if (static_cast<unsigned char>(c) < 0x20 && c != '\t')
        return bad_request("the value of header " + name + " has a control character");
    }
  }
  if (request.ca_file.find('\0') != std::string::npos)
    return bad_request("ca_file contains a NUL byte");
  return {};
}

}  // namespace

std::string encode(const HttpRequest& request) {
  ByteWriter to;
  to.number(kMark);
  to.number(kFormat);
  to.number(request.verify ? kVerify : std::uint8_t{0});
  to.number(request.timeout_ms);
  to.number(request.redirects_max);
  to.number(request.body_max);
  to.string(request.method);
  to.string(request.url);
  to.string(request.body);
  to.string(request.ca_file);
  write_headers(to, request.headers);
  return to.take();
}

Result<DecodedHttpRequest> decode_http_request(std::span<const unsigned char> payload) {
  DecodedHttpRequest decoded;
  HttpRequest& request = decoded.request;
  if (payload.empty()) return bad_request("the payload is empty; it is a url or an HttpRequest");
  if (payload[0] != kMark) {
    decoded.plain = true;
    request.url.assign(reinterpret_cast<const char*>(payload.data()), payload.size());
    if (auto checked = check(request); !checked) return checked.error();
    return decoded;
  }
  ByteReader from(payload.subspan(1));
  const auto format = from.number<std::uint8_t>();
  if (format != kFormat) {
    return bad_request("format " + std::to_string(format) +
                       " is unknown, this worker reads format " + std::to_string(kFormat));
  }
  const auto flags = from.number<std::uint8_t>();
  request.verify = (flags & kVerify) != 0;
  request.timeout_ms = from.number<std::uint32_t>();
  request.redirects_max = from.number<std::uint32_t>();
  request.body_max = from.number<std::uint64_t>();
  request.method = from.string();
  request.url = from.string();
  request.body = from.string();
  request.ca_file = from.string();
  const bool paired = read_headers(from, request.headers);
  if (!from.ok() || !paired) return bad_request("a count or length is larger than the payload");
  if (!from.at_end()) return bad_request("bytes are left over behind the last field");
  if ((flags & ~kVerify) != 0) return bad_request("unknown flags are set");
  if (auto checked = check(request); !checked) return checked.error();
  return decoded;
}

std::string encode_head(const HttpReport& report, std::size_t body_len) {
  ByteWriter to;
  to.number(kMark);
  to.number(kFormat);
  to.number(report.reused ? kReused : std::uint8_t{0});
  to.number(std::uint16_t(report.status));
  to.number(report.redirects);
  to.number(report.wall_us);
  to.string(report.reason);
  to.string(report.url);
  write_headers(to, report.headers);
  to.number(std::uint64_t(body_len));
  return to.take();
}

Result<HttpResult> decode_http_result(std::span<const unsigned char> result) {
  ByteReader from(result);
  const auto mark = from.number<std::uint8_t>();
  const auto format = from.number<std::uint8_t>();
  if (!from.ok() || mark != kMark) return bad_result("it is none");
  if (format != kFormat) {
    return bad_result("format " + std::to_string(format) +
                      " is unknown, this client reads format " + std::to_string(kFormat));
  }
  HttpResult decoded;
  HttpReport& report = decoded.report;
  report.reused = (from.number<std::uint8_t>() & kReused) != 0;
  report.status = from.number<std::uint16_t>();
  report.redirects = from.number<std::uint32_t>();
  report.wall_us = from.number<std::uint64_t>();
  report.reason = from.string();
  report.url = from.string();
  const bool paired = read_headers(from, report.headers);
  decoded.body = from.view(from.number<std::uint64_t>());
  if (!from.ok() || !paired) return bad_result("a count or length is larger than the result");
  if (!from.at_end()) return bad_result("bytes are left over behind the last field");
  return decoded;
}

std::string_view HttpReport::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0)
      return value;
  }
  return {};
}

std::string http_payload(const HttpRequest& request) {
  return encode(request);
}

HttpResult http_result(std::string_view result) {
  auto decoded =
      decode_http_result({reinterpret_cast<const unsigned char*>(result.data()), result.size()});
  if (!decoded) throw std::invalid_argument(decoded.error().line());
  return std::move(*decoded);
}

}  // namespace jobring
