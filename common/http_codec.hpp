// HttpRequest, HttpReport <-> the bytes of a payload and of a result. Layouts: see http_codec.cpp.
// Both directions of both may come from a process that is not trusted: everything is checked.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <jobring/http.hpp>

#include "common/result.hpp"

namespace jobring {

inline constexpr std::string_view kHttpHandler = "http";

std::string encode(const HttpRequest& request);
// A payload that is no encoded request is taken as the URL of a GET, as `jobring call http URL`
// sends it: then the result is the body alone (`plain`).
struct DecodedHttpRequest {
  HttpRequest request;
  bool plain = false;
};
Result<DecodedHttpRequest> decode_http_request(std::span<const unsigned char> payload);

// Everything but the body, which follows it.
std::string encode_head(const HttpReport& report, std::size_t body_len);
Result<HttpResult> decode_http_result(std::span<const unsigned char> result);

}  // namespace jobring
