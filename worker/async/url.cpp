#include "worker/async/url.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

namespace jobring {
namespace {

Error bad(const std::string& what, std::string_view url) {
  return Error{Errc::bad_input, what, "url " + std::string(url.substr(0, 200)),
               "a url looks like https://host[:port]/path?query"};
}

bool starts_with_nocase(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() &&
         std::equal(lower.begin(), lower.end(), text.begin(), [](char a, char b) {
           return a == std::tolower(static_cast<unsigned char>(b));
         });
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out.push_back(char(hex(text[i + 1]) * 16 + hex(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

// Section 5.2.4: "." and ".." are taken out of a path that begins with '/'.
std::string without_dots(std::string_view path) {
  std::vector<std::string_view> parts;
  bool directory = true;  // ends with '/'
  for (std::size_t at = 1; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    directory = part == "." || part == ".." || part.empty();
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (part != "." && !(part.empty() && end == path.size())) {
      parts.push_back(part);
    }
    at = end + 1;
  }
  std::string out;
  for (const std::string_view part : parts) (out += '/') += part;
  if (directory || out.empty()) out += '/';
  return out;
}

}  // namespace

std::string Url::authority() const {
  std::string text = host.find(':') == host.npos ? host : "[" + host + "]";
  if (port != (tls ? "443" : "80")) text += ":" + port;
  return text;
}

std::string Url::text() const {
  return (tls ? "https://" : "http://") + authority() + target;
}

Result<Url> Url::parse(std::string_view text) {
  // A space or a line break in a request line would be another request.
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f)
      return bad("has a space or control character; write it as %20", text);
  }
  Url url;
  std::string_view rest = text;
  if (starts_with_nocase(rest, "http://")) {
    rest.remove_prefix(7);
  } else if (starts_with_nocase(rest, "https://")) {
    rest.remove_prefix(8);
    url.tls = true;
  } else {
    return bad("is neither http:// nor https://", text);
  }
  std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  rest.remove_prefix(authority.size());
  if (const auto at = authority.rfind('@'); at != authority.npos) {
    url.userinfo = percent_decoded(authority.substr(0, at));
    authority.remove_prefix(at + 1);
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == authority.npos) return bad("an IPv6 address without its ]", text);
    url.host = authority.substr(1, end - 1);
    authority.remove_prefix(end + 1);
    if (!authority.empty() && authority[0] != ':')
      return bad("something else than a port follows the ]", text);
    if (!authority.empty()) port = authority.substr(1);
  } else {
    const auto colon = authority.find(':');
    url.host = authority.substr(0, colon);
    if (colon != authority.npos) port = authority.substr(colon + 1);
  }
  if (url.host.empty()) return bad("has no host", text);
  for (char& c : url.host) c = char(std::tolower(static_cast<unsigned char>(c)));
  if (port.find_first_not_of("0123456789") != port.npos || port.size() > 5 ||
      (!port.empty() &&
       (std::stoi(std::string(port)) > 65535 || std::stoi(std::string(port)) == 0)))
    return bad("its port is not a number from 1 to 65535", text);
  url.port = port.empty() ? (url.tls ? "443" : "80") : std::string(port);
  url.target = rest.substr(0, rest.find('#'));
  if (url.target.empty() || url.target[0] != '/') url.target.insert(0, "/");
  return url;
}

Result<Url> Url::resolve(std::string_view reference) const {
  if (starts_with_nocase(reference, "http://") || starts_with_nocase(reference, "https://"))
    return parse(reference);
  if (reference.starts_with("//"))
    return parse((tls ? "https:" : "http:") + std::string(reference));
  // Another scheme: parse() says what is wrong with it.
  const auto colon = reference.find(':');
  if (colon != reference.npos && reference.find_first_of("/?#") > colon) return parse(reference);
  reference = reference.substr(0, reference.find('#'));
  const std::string_view path = std::string_view(target).substr(0, target.find('?'));
  std::string wanted;
  if (reference.empty()) {
    wanted = target;
  } else if (reference[0] == '/') {
    wanted = reference;
  } else if (reference[0] == '?') {
    wanted = std::string(path) + std::string(reference);
  } else {
    wanted = std::string(path.substr(0, path.rfind('/') + 1)) + std::string(reference);
  }
  const auto query = std::min(wanted.find('?'), wanted.size());
  Url next = *this;
  next.target = without_dots(std::string_view(wanted).substr(0, query)) + wanted.substr(query);
  // Checks it for characters that do not belong there.
  return parse(next.text());
}

}  // namespace jobring
