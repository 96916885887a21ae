// The kinds of values that config keys take: how each is read, checked, written and described. The
// table of keys (config_schema.cpp) combines these with the members of Config.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/config/config.hpp"
#include "common/config/json_tree.hpp"

namespace jobring {

// Where in the file we are, and where problems go.
struct Place {
  std::string pointer;
  std::vector<ConfigProblem>& problems;

  Place at(const std::string& key) const { return {pointer + json_pointer_step(key), problems}; }
  Place at(std::size_t index) const { return {pointer + "/" + std::to_string(index), problems}; }
  void report(std::string found, std::string allowed) const {
    problems.push_back({pointer, std::move(found), std::move(allowed)});
  }
};

template <class T>
struct ValueKind {
  std::string type;   // "duration"; may be empty if the range says it all
  std::string range;  // "0s to 10ms"; may be empty
  std::string
      allowed;  // both in words, for a message: "a duration from 0s to 10ms, such as \"50us\""
  // Reports what is wrong and returns nothing, or returns the value.
  std::function<std::optional<T>(const JsonValue&, const Place&)> read;
  std::function<std::string(const T&)> write;  // as JSON
};

using Nanoseconds = std::chrono::nanoseconds;

// Ranges include both ends. `example` is what a message shows.
ValueKind<std::int64_t> whole_number(std::int64_t least, std::int64_t most, std::int64_t example);
// Rounded up to a power of two; `most` is one.
ValueKind<std::int64_t> power_of_two(std::int64_t least, std::int64_t most, std::int64_t example);
// A number, or "auto", which is 0: what it means depends on other keys.
ValueKind<std::int64_t> worker_count(std::int64_t most);
ValueKind<std::uint64_t> byte_size(std::uint64_t least, std::uint64_t most, std::uint64_t example);
ValueKind<Nanoseconds> duration(Nanoseconds least, Nanoseconds most, Nanoseconds example);
// true or false.
ValueKind<bool> truth();
// A duration of whole seconds.
ValueKind<std::uint64_t> seconds(std::chrono::seconds least, std::chrono::seconds most,
                                 std::chrono::seconds example);
// May be empty. `example` without quotes.
ValueKind<std::string> path(const std::string& example);
// Strings that are not empty. `examples` without quotes.
ValueKind<std::vector<std::string>> strings(const std::vector<std::string>& examples);
// The same, where a number may stand for a name: user and group ids.
ValueKind<std::vector<std::string>> names_or_ids(const std::vector<std::string>& examples);
// Names of environment variables and their values.
ValueKind<std::map<std::string, std::string>> environment_variables();

// "inherit" (nothing), or what `kind` reads.
ValueKind<std::optional<std::uint64_t>> or_inherit(ValueKind<std::uint64_t> kind);
ValueKind<std::optional<std::uint64_t>> or_inherit(ValueKind<std::int64_t> kind);

// Part of choice(): the place in `names` of the string, after all checks.
std::optional<std::size_t> read_choice(const JsonValue& json, const std::vector<std::string>& names,
                                       const Place& place);
std::string list_choices(const std::vector<std::string>& names);

// One of some words, each with its value.
template <class T>
ValueKind<T> choice(const std::vector<std::pair<std::string, T>>& choices) {
  std::vector<std::string> names;
  for (const auto& [name, value] : choices) names.push_back(name);
  ValueKind<T> kind;
  kind.range = list_choices(names);
  kind.allowed = kind.range;
  kind.read = [choices, names](const JsonValue& json, const Place& place) -> std::optional<T> {
    const auto chosen = read_choice(json, names, place);
    if (!chosen) return std::nullopt;
    return choices[*chosen].second;
  };
  kind.write = [choices](const T& wanted) {
    for (const auto& [name, value] : choices) {
      if (value == wanted) return json_quote(name);
    }
    return json_quote("");
  };
  return kind;
}

// Processors that this process may use, 1 to `most`.
std::uint32_t usable_processors(std::uint32_t most);

}  // namespace jobring
