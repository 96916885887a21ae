#include "client/cli/durable/users.hpp"

#include <charconv>
#include <fstream>
#include <map>

namespace jobring::cli {
namespace {

std::optional<uid_t> number(std::string_view text) {
  uid_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

// name:password:uid:...
const std::map<std::string, uid_t>& users() {
  static const std::map<std::string, uid_t> all = [] {
    std::map<std::string, uid_t> read;
    std::ifstream file("/etc/passwd");
    for (std::string line; std::getline(file, line);) {
      const std::size_t name = line.find(':');
      const std::size_t password = name == std::string::npos ? name : line.find(':', name + 1);
      if (password == std::string::npos) continue;
      const std::size_t end = line.find(':', password + 1);
      const auto uid = number(std::string_view(line).substr(password + 1, end - password - 1));
      if (uid) read.emplace(line.substr(0, name), *uid);
    }
    return read;
  }();
  return all;
}

}  // namespace

std::optional<uid_t> uid_of(const std::string& name) {
  if (const auto uid = number(name)) return uid;
  const auto found = users().find(name);
  return found == users().end() ? std::nullopt : std::optional(found->second);
}

std::string user_name(uid_t uid) {
  for (const auto& [name, id] : users()) {
    if (id == uid) return name;
  }
  return std::to_string(uid);
}

}  // namespace jobring::cli
