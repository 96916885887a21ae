// A config file as a tree: what nlohmann's own tree forgets and a person wants to hear about is
// kept, that is the order of keys, keys that came twice, and numbers as they were written. Keeps
// the JSON library out of other files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/config/config.hpp"

namespace jobring {

struct JsonValue {
  enum class Kind { null, boolean, number, string, array, object };

  Kind kind = Kind::null;
  std::string text;  // a string's characters; of a number, boolean or null what was written
  std::optional<std::int64_t> integer;  // of a whole number that fits
  std::vector<JsonValue> items;         // an array's elements, an object's values
  std::vector<std::string>
      keys;  // an object's keys, one for each item; a repeated key stands here twice

  bool is(Kind k) const { return kind == k; }
  // How it looks to a person who is told what was found: "\"four\"", "17", "an array".
  std::string describe() const;
};

struct JsonOutcome {
  JsonValue root;                       // meaningful if problems is empty
  std::vector<ConfigProblem> problems;  // not JSON: at most one, with line and column
};

// Objects and arrays in each other, at most: the config needs five, and freeing a tree recurses.
inline constexpr std::size_t kJsonDepthMax = 32;

// Parses JSON with // and /* */ comments. Refuses invalid UTF-8, NUL bytes, what follows the value,
// and deep nesting.
JsonOutcome parse_json(const std::string& text);

// The text as a JSON string, with its quotes.
std::string json_quote(const std::string& text);
// The same for a message: a long text is cut.
std::string json_quote_short(const std::string& text);
// One step of a JSON pointer: "/" and the key, escaped, and cut if it is long.
std::string json_pointer_step(const std::string& key);

}  // namespace jobring
