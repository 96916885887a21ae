// The part of RFC 3986 that fetching pages needs: absolute http and https URLs, and references
// relative to them (the Location of a redirect).
#pragma once

#include <string>
#include <string_view>

#include "common/result.hpp"

namespace jobring {

struct Url {
  bool tls = false;      // https
  std::string host;      // lower case; an IPv6 address without its brackets
  std::string port;      // digits: as given, else 80 or 443
  std::string target;    // path and query, as it is sent: begins with '/'
  std::string userinfo;  // "name:password", decoded; empty if there is none

  // What the Host header says: the port only where it is not the scheme's own.
  std::string authority() const;
  std::string text() const;  // without userinfo and fragment

  static Result<Url> parse(std::string_view text);
  // `reference` as seen from this URL: absolute, //host/x, /x, x, ?x.
  Result<Url> resolve(std::string_view reference) const;
};

}  // namespace jobring
