#include "client/cli/limits.hpp"

#include <algorithm>
#include <charconv>

#include "client/cli/durable/texts.hpp"
#include "common/config/suggest.hpp"
#include "common/config/units.hpp"

namespace jobring::cli {
namespace {

using Unit = CommandLimit::Unit;

Error wrong(const std::string& what, const std::string& hint) {
  return {Errc::usage, what, "", hint};
}

Result<const CommandLimit*> limit_named(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  std::vector<std::string> names;
  for (const CommandLimit& limit : kCommandLimits) {
    if (name == limit.name) return &limit;
    names.emplace_back(limit.name);
  }
  const std::string near = nearest(name, names);
  if (!near.empty()) return wrong("unknown limit \"" + name + "\"", "did you mean " + near + "?");
  std::string all;
  for (const std::string& known : names) all += (all.empty() ? "" : ", ") + known;
  return wrong("unknown limit \"" + name + "\"", "there are " + all);
}

std::optional<std::uint64_t> whole(const std::string& text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace

Result<std::uint64_t> parse_limit(const CommandLimit& limit, const std::string& text) {
  if (text == "unlimited") return CommandLimits::unlimited;
  const auto number = whole(text);
  switch (limit.unit) {
    case Unit::bytes: {
      const bool short_unit =
          text.size() > 1 && std::string_view("KMGT").find(text.back()) != std::string::npos;
      const auto bytes = parse_size(short_unit ? text + "iB" : text);
      if (!bytes) return wrong(bytes.error().what, bytes.error().hint);
      return *bytes;
    }
    case Unit::seconds: {
      if (number) return *number;
      const auto time = parse_duration(text);
      if (!time) return wrong(time.error().what, time.error().hint);
      return std::uint64_t(std::chrono::ceil<std::chrono::seconds>(*time).count());
    }
    case Unit::number:
      break;
  }
  if (number) return *number;
  return wrong("\"" + text + "\" is no whole number", std::string("write ") + limit.name + "=64");
}

Result<void> parse_limits(const std::string& text, CommandLimits& limits) {
  const auto parts = split_commas(text);
  if (parts.empty()) return wrong("no limit is given", "write memory=2G");
  for (const std::string& part : parts) {
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) {
      return wrong("\"" + part + "\" is no limit with its value", "write memory=2G");
    }
    const auto limit = limit_named(part.substr(0, equals));
    if (!limit) return limit.error();
    const auto value = parse_limit(**limit, part.substr(equals + 1));
    if (!value) return value.error();
    limits.*(*limit)->value = *value;
  }
  return {};
}

std::string limit_text(const CommandLimit& limit, std::uint64_t value) {
  if (value == CommandLimits::unlimited) return "unlimited";
  switch (limit.unit) {
    case Unit::bytes:
      return format_size(value);
    case Unit::seconds:
      // What no clock of nanoseconds holds.
      if (value > std::uint64_t(INT64_MAX / 1'000'000'000)) return std::to_string(value);
      return format_duration(std::chrono::seconds(value));
    case Unit::number:
      break;
  }
  return std::to_string(value);
}

std::string limits_text(const CommandLimits& limits) {
  std::string text;
  for (const CommandLimit& limit : kCommandLimits) {
    const auto& value = limits.*limit.value;
    if (!value) continue;
    text += (text.empty() ? "" : ", ") + std::string(limit.name) + " " + limit_text(limit, *value);
  }
  return text;
}

void add_limits_to(Options& options, CommandLimits& limits) {
  options.values(
      "--limit", [&limits](const std::string& text) { return parse_limits(text, limits); },
      "NAME=VALUE[,...]",
      "memory=2G, cpu=90s, open_files=64, processes=50, file_size=1G, core=0, stack=8M; may be "
      "repeated");
}

}  // namespace jobring::cli
