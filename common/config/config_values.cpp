#include "common/config/config_values.hpp"

#include <sched.h>

#include <algorithm>
#include <bit>
#include <thread>

#include "common/config/suggest.hpp"
#include "common/config/units.hpp"

namespace jobring {
namespace {

// "[\"a\", \"b\"]"
std::string write_strings(const std::vector<std::string>& strings) {
  std::string json = "[";
  for (const std::string& s : strings) json += (json.size() > 1 ? ", " : "") + json_quote(s);
  return json + "]";
}

// A string that the operating system can take: C strings end at a NUL.
std::optional<std::string> read_string(const JsonValue& json, const std::string& allowed,
                                       const Place& place) {
  if (!json.is(JsonValue::Kind::string)) {
    place.report(json.describe(), allowed);
    return std::nullopt;
  }
  if (json.text.find('\0') != std::string::npos) {
    place.report(json.describe(), "a string without NUL characters");
    return std::nullopt;
  }
  return json.text;
}

ValueKind<std::vector<std::string>> string_list(const std::vector<std::string>& examples,
                                                const std::string& element, bool ids) {
  ValueKind<std::vector<std::string>> kind;
  kind.type = "list of " + std::string(ids ? "names or ids" : "strings");
  kind.allowed = "a " + kind.type + ", such as " + write_strings(examples);
  kind.read = [allowed = kind.allowed, element, ids](
                  const JsonValue& json,
                  const Place& place) -> std::optional<std::vector<std::string>> {
    if (!json.is(JsonValue::Kind::array)) {
      place.report(json.describe(), allowed);
      return std::nullopt;
    }
    std::vector<std::string> result;
    const std::size_t problems_before = place.problems.size();
    for (std::size_t i = 0; i < json.items.size(); ++i) {
      const JsonValue& item = json.items[i];
      // 2^32 - 1 means "no user" to the system.
      if (ids && item.integer && *item.integer >= 0 && *item.integer < std::int64_t(UINT32_MAX)) {
        result.push_back(item.text);
        continue;
      }
      auto text = read_string(item, element, place.at(i));
      if (text && text->empty()) place.at(i).report("an empty string", element);
      if (text) result.push_back(std::move(*text));
    }
    if (place.problems.size() != problems_before) return std::nullopt;
    return result;
  };
  kind.write = write_strings;
  return kind;
}

template <class T>
ValueKind<std::optional<std::uint64_t>> inheritable(ValueKind<T> kind) {
  ValueKind<std::optional<std::uint64_t>> result;
  result.type = kind.type;
  result.range = kind.range + ", or \"inherit\"";
  result.allowed = kind.allowed + "; or \"inherit\"";
  result.read = [kind](const JsonValue& json,
                       const Place& place) -> std::optional<std::optional<std::uint64_t>> {
    if (json.is(JsonValue::Kind::string) && json.text == "inherit")
      return std::optional<std::uint64_t>();
    const std::size_t problems_before = place.problems.size();
    const auto value = kind.read(json, place);
    // The inner kind does not know of "inherit".
    for (std::size_t i = problems_before; i < place.problems.size(); ++i)
      place.problems[i].allowed += "; or \"inherit\"";
    if (!value) return std::nullopt;
    return std::optional<std::uint64_t>(std::uint64_t(*value));
  };
  result.write = [kind](const std::optional<std::uint64_t>& value) {
    return value ? kind.write(T(*value)) : json_quote("inherit");
  };
  return result;
}

// Durations and sizes: a string with units, parsed by `parse`, within a range. The only number
// without unit is 0.
template <class T, class Parse, class Format>
ValueKind<T> with_unit(const std::string& type, T least, T most, T example, Parse parse,
                       Format format) {
  ValueKind<T> kind;
  kind.type = type;
  kind.range = format(least) + " to " + format(most);
  kind.allowed = "a " + type + " from " + kind.range + ", such as " + json_quote(format(example));
  kind.read = [=, allowed = kind.allowed](const JsonValue& json,
                                          const Place& place) -> std::optional<T> {
    const bool bare = json.is(JsonValue::Kind::number);
    if (!bare && !json.is(JsonValue::Kind::string)) {
      place.report(json.describe(), allowed);
      return std::nullopt;
    }
    const auto value = parse(json.text);
    if (!value) {
      place.report(json.describe(), allowed + " (" + value.error().line() + ")");
      return std::nullopt;
    }
    if (*value < least || *value > most) {
      place.report(json.describe(), allowed);
      return std::nullopt;
    }
    return *value;
  };
  kind.write = [format](const T& value) { return json_quote(format(value)); };
  return kind;
}

}  // namespace

ValueKind<bool> truth() {
  ValueKind<bool> kind;
  kind.range = "true or false";
  kind.allowed = kind.range;
  kind.read = [](const JsonValue& json, const Place& place) -> std::optional<bool> {
    if (json.is(JsonValue::Kind::boolean)) return json.text == "true";
    place.report(json.describe(), "true or false");
    return std::nullopt;
  };
  kind.write = [](const bool& value) { return std::string(value ? "true" : "false"); };
  return kind;
}

ValueKind<std::int64_t> whole_number(std::int64_t least, std::int64_t most, std::int64_t example) {
  ValueKind<std::int64_t> kind;
  kind.type = "whole number";
  kind.range = std::to_string(least) + " to " + std::to_string(most);
  kind.allowed = "a whole number from " + kind.range + ", such as " + std::to_string(example);
  kind.read = [=, allowed = kind.allowed](const JsonValue& json,
                                          const Place& place) -> std::optional<std::int64_t> {
    if (json.integer && *json.integer >= least && *json.integer <= most) return json.integer;
    place.report(json.describe(), allowed);
    return std::nullopt;
  };
  kind.write = [](const std::int64_t& value) { return std::to_string(value); };
  return kind;
}

ValueKind<std::int64_t> power_of_two(std::int64_t least, std::int64_t most, std::int64_t example) {
  ValueKind<std::int64_t> kind = whole_number(least, most, example);
  kind.range += ", rounded up to a power of two";
  kind.read = [read = kind.read](const JsonValue& json,
                                 const Place& place) -> std::optional<std::int64_t> {
    const auto value = read(json, place);
    if (!value) return std::nullopt;
    return std::int64_t(std::bit_ceil(std::uint64_t(*value)));
  };
  return kind;
}

ValueKind<std::int64_t> worker_count(std::int64_t most) {
  ValueKind<std::int64_t> kind = whole_number(1, most, 4);
  kind.range += ", or \"auto\"";
  kind.allowed = "a whole number from 1 to " + std::to_string(most) + ", or \"auto\"";
  kind.read = [most, read = kind.read, allowed = kind.allowed](
                  const JsonValue& json, const Place& place) -> std::optional<std::int64_t> {
    if (json.is(JsonValue::Kind::string) && json.text == "auto") return 0;
    if (json.integer && *json.integer >= 1 && *json.integer <= most) return json.integer;
    place.report(json.describe(), allowed);
    return std::nullopt;
  };
  kind.write = [](const std::int64_t& value) {
    return value == 0 ? json_quote("auto") : std::to_string(value);
  };
  return kind;
}

ValueKind<std::uint64_t> byte_size(std::uint64_t least, std::uint64_t most, std::uint64_t example) {
  return with_unit("size", least, most, example, parse_size, format_size);
}

ValueKind<Nanoseconds> duration(Nanoseconds least, Nanoseconds most, Nanoseconds example) {
  return with_unit("duration", least, most, example, parse_duration, format_duration);
}

ValueKind<std::uint64_t> seconds(std::chrono::seconds least, std::chrono::seconds most,
                                 std::chrono::seconds example) {
  const ValueKind<Nanoseconds> nanoseconds = duration(least, most, example);
  ValueKind<std::uint64_t> kind;
  kind.type = "duration of whole seconds";
  kind.range = nanoseconds.range;
  kind.allowed = "a " + kind.type + " from " + kind.range + ", such as " +
                 json_quote(format_duration(example));
  kind.read = [nanoseconds, allowed = kind.allowed](
                  const JsonValue& json, const Place& place) -> std::optional<std::uint64_t> {
    const auto value = nanoseconds.read(json, place);
    if (!value) return std::nullopt;
    if (*value % std::chrono::seconds(1) != Nanoseconds(0)) {
      place.report(json.describe(), allowed);
      return std::nullopt;
    }
    return std::uint64_t(std::chrono::duration_cast<std::chrono::seconds>(*value).count());
  };
  kind.write = [nanoseconds](const std::uint64_t& value) {
    return nanoseconds.write(std::chrono::seconds(std::int64_t(value)));
  };
  return kind;
}

ValueKind<std::string> path(const std::string& example) {
  ValueKind<std::string> kind;
  kind.type = "path";
  kind.allowed = "a path, such as " + json_quote(example);
  kind.read = [allowed = kind.allowed](const JsonValue& json, const Place& place) {
    return read_string(json, allowed, place);
  };
  kind.write = json_quote;
  return kind;
}

ValueKind<std::vector<std::string>> strings(const std::vector<std::string>& examples) {
  return string_list(examples,
                     "a string that is not empty, such as " + json_quote(examples.front()), false);
}

ValueKind<std::vector<std::string>> names_or_ids(const std::vector<std::string>& examples) {
  return string_list(examples,
                     "a name or a numeric id, such as " + json_quote(examples.front()) + " or 1000",
                     true);
}

ValueKind<std::map<std::string, std::string>> environment_variables() {
  ValueKind<std::map<std::string, std::string>> kind;
  kind.type = "object of strings";
  kind.allowed = "an object of strings, such as {\"LANG\": \"C.UTF-8\"}";
  kind.read = [allowed = kind.allowed](
                  const JsonValue& json,
                  const Place& place) -> std::optional<std::map<std::string, std::string>> {
    if (!json.is(JsonValue::Kind::object)) {
      place.report(json.describe(), allowed);
      return std::nullopt;
    }
    std::map<std::string, std::string> result;
    const std::size_t problems_before = place.problems.size();
    for (std::size_t i = 0; i < json.items.size(); ++i) {
      const std::string& name = json.keys[i];
      const Place here = place.at(name);
      if (name.empty() || name.find_first_of(std::string("=\0", 2)) != std::string::npos) {
        here.report("the name " + json_quote_short(name),
                    "a name that is not empty, without '=' and NUL");
      }
      auto value = read_string(json.items[i], "a string, such as \"C.UTF-8\"; quote numbers", here);
      if (value) result.emplace(name, std::move(*value));
    }
    if (place.problems.size() != problems_before) return std::nullopt;
    return result;
  };
  kind.write = [](const std::map<std::string, std::string>& variables) {
    std::string json = "{";
    for (const auto& [name, value] : variables) {
      json += (json.size() > 1 ? ", " : "") + json_quote(name) + ": " + json_quote(value);
    }
    return json + "}";
  };
  return kind;
}

ValueKind<std::optional<std::uint64_t>> or_inherit(ValueKind<std::uint64_t> kind) {
  return inheritable(std::move(kind));
}
ValueKind<std::optional<std::uint64_t>> or_inherit(ValueKind<std::int64_t> kind) {
  return inheritable(std::move(kind));
}

std::string list_choices(const std::vector<std::string>& names) {
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) list += i + 1 == names.size() ? " or " : ", ";
    list += json_quote(names[i]);
  }
  return list;
}

std::optional<std::size_t> read_choice(const JsonValue& json, const std::vector<std::string>& names,
                                       const Place& place) {
  if (json.is(JsonValue::Kind::string)) {
    const auto found = std::find(names.begin(), names.end(), json.text);
    if (found != names.end()) return std::size_t(found - names.begin());
  }
  std::string allowed = list_choices(names);
  const std::string near = json.is(JsonValue::Kind::string) ? nearest(json.text, names) : "";
  if (!near.empty() && names.size() > 1) allowed += " (" + json_quote(near) + " is the nearest)";
  place.report(json.describe(), allowed);
  return std::nullopt;
}

std::uint32_t usable_processors(std::uint32_t most) {
  cpu_set_t set;
  CPU_ZERO(&set);
  // Fails on a machine with more processors than the set has room for (1024).
  const int count = sched_getaffinity(0, sizeof set, &set) == 0
                        ? CPU_COUNT(&set)
                        : int(std::thread::hardware_concurrency());
  return std::clamp(std::uint32_t(count), 1u, most);
}

}  // namespace jobring
