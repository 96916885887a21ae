#include "client/cli/object_options.hpp"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "client/client_core.hpp"

namespace jobring::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

ObjectOptions ObjectFlags::resolve() const {
  ObjectOptions options;
  if (mode.empty()) return options;
  const char* end = mode.data() + mode.size();
  const auto [stop, error] = std::from_chars(mode.data(), end, options.mode, 8);
  if (error != std::errc() || stop != end || options.mode == 0 || options.mode > 0777) {
    detail::throw_error(
        {Errc::usage, "not a mode: \"" + mode + "\"", "--mode", "three octal digits, such as 770"});
  }
  return options;
}

std::string read_stdin() {
  std::string all;
  char buffer[65536];
  for (;;) {
    const ssize_t n = read(0, buffer, sizeof buffer);
    if (n == 0) return all;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) detail::throw_error(system_error("read", "stdin"));
    all.append(buffer, std::size_t(n));
  }
}

void write_stdout(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    detail::throw_error(system_error("write", "stdout"));
}

std::string objects_json(const std::vector<ObjectInfo>& objects) {
  Json all = Json::array();
  for (const ObjectInfo& o : objects) {
    Json json;
    json["name"] = o.name;
    json["kind"] = to_string(o.kind);
    json["length"] = o.length;
    json["size"] = o.size;
    json["holders"] = o.holders;
    json["waiters"] = o.waiters;
    json["token"] = o.token;
    json["bytes"] = o.bytes;
    json["uid"] = o.uid;
    json["gid"] = o.gid;
    json["mode"] = o.mode;
    json["ephemeral"] = o.ephemeral;
    if (o.kind == ObjectKind::barrier) json["broken"] = o.broken;
    all.push_back(std::move(json));
  }
  return text(all);
}

std::string item_json(const QueueItem& item) {
  Json json;
  json["value"] = item.value;
  json["redelivered"] = item.redelivered;
  return text(json);
}

std::string entries_json(const std::vector<std::pair<std::string, std::string>>& entries) {
  Json json = Json::object();
  for (const auto& [key, value] : entries) json[key] = value;
  return text(json);
}

std::string change_json(const DictChange& change) {
  Json json;
  json["version"] = change.version;
  json["key"] = change.key;
  json["value"] = change.value ? Json(*change.value) : Json();
  return text(json);
}

}  // namespace jobring::cli
