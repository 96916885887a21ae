#include "common/config/json_tree.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

namespace jobring {
namespace {

constexpr std::size_t kShownMax = 60;  // bytes of a text in a message

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

std::string shorten(const std::string& text) {
  if (text.size() <= kShownMax) return text;
  std::size_t size = kShownMax;
  while (size > 0 && continues_character(text[size])) --size;
  return text.substr(0, size) + "...";
}

// "line 3, column 14" of a byte offset; columns count characters.
std::string place_of(const std::string& text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const std::string_view before(text.data(), offset);
  const std::size_t newline = before.rfind('\n');
  const std::string_view line =
      newline == std::string_view::npos ? before : before.substr(newline + 1);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const auto columns =
      std::count_if(line.begin(), line.end(), [](char c) { return !continues_character(c); });
  return "line " + std::to_string(lines + 1) + ", column " + std::to_string(columns + 1);
}

// The length of the valid UTF-8 character at the front of `text`, or 0. No overlong forms, no
// surrogates.
std::size_t character_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xC2 && first <= 0xDF   ? 2
                           : (first & 0xF0) == 0xE0         ? 3
                           : first >= 0xF0 && first <= 0xF4 ? 4
                                                            : 0;
  if (size == 0 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if (!continues_character(text[i])) return 0;
  }
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) return 0;
  if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) return 0;
  return size;
}

// The parser looks at the bytes of strings only, and takes a NUL for the end of the text.
std::optional<ConfigProblem> check_bytes(const std::string& text) {
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '\0') return ConfigProblem{"", "a NUL byte at " + place_of(text, i), "text"};
    const std::size_t size = character_size(std::string_view(text).substr(i));
    if (size == 0)
      return ConfigProblem{"", "a byte that is not UTF-8 at " + place_of(text, i), "UTF-8 text"};
    i += size;
  }
  return std::nullopt;
}

class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  TreeBuilder(const std::string& text, JsonOutcome& outcome) : text_(text), outcome_(outcome) {}

  bool null() override { return add(JsonValue::Kind::null, "null"); }
  bool boolean(bool value) override {
    return add(JsonValue::Kind::boolean, value ? "true" : "false");
  }
  bool number_integer(number_integer_t value) override {
    return add(JsonValue::Kind::number, std::to_string(value), value);
  }
  bool number_unsigned(number_unsigned_t value) override {
    std::optional<std::int64_t> integer;
    if (value <= std::uint64_t(INT64_MAX)) integer = std::int64_t(value);
    return add(JsonValue::Kind::number, std::to_string(value), integer);
  }
  bool number_float(number_float_t, const string_t& written) override {
    return add(JsonValue::Kind::number, written);
  }
  bool string(string_t& value) override { return add(JsonValue::Kind::string, std::move(value)); }
  bool binary(binary_t&) override { return false; }  // only in binary formats

  bool start_object(std::size_t) override { return open(JsonValue::Kind::object); }
  bool start_array(std::size_t) override { return open(JsonValue::Kind::array); }
  bool key(string_t& key) override {
    open_.back()->keys.push_back(std::move(key));
    return true;
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  // `position` counts the bytes read, the offending one included.
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception& error) override {
    const std::size_t offset = position == 0 ? 0 : position - 1;
    if (!started_ && offset >= text_.size()) {
      outcome_.problems.push_back(
          {"", "an empty file", "an object such as {\"pools\": {\"default\": {}}}"});
      return false;
    }
    outcome_.problems.push_back({"", "a syntax error at " + place_of(text_, offset),
                                 after_comma(offset, error.what())
                                     ? "no comma before " + text_.substr(offset, 1)
                                     : reason(error.what())});
    return false;
  }

 private:
  // Its words without the prefix "[json.exception.parse_error.101] parse error at line 1, column 2:
  // ".
  static std::string reason(const std::string& what) {
    const std::size_t column = what.find(", column ");
    const std::size_t start = what.find(column == std::string::npos ? "] " : ": ",
                                        column == std::string::npos ? 0 : column);
    std::string words = start == std::string::npos ? what : what.substr(start + 2);
    // It quotes what it last read, which may be the rest of the file.
    const std::size_t first = words.find('\'');
    const std::size_t last = words.rfind('\'');
    if (first < last && last - first > kShownMax) {
      words = words.substr(0, first + 1) + shorten(words.substr(first + 1, last - first - 1)) +
              words.substr(last);
    }
    return "valid JSON (" + words + ")";
  }

  // The commonest mistake: a comma after the last item. A bracket that closes what is open, after a
  // whole item, can only be wrong if a comma came between.
  bool after_comma(std::size_t offset, const std::string& what) const {
    // Not an unfinished word such as `tru]`.
    if (what.find("unexpected '") == std::string::npos) return false;
    if (offset >= text_.size() || open_.empty() || open_.back()->items.empty()) return false;
    const JsonValue& value = *open_.back();
    if (value.is(JsonValue::Kind::array)) return text_[offset] == ']';
    return text_[offset] == '}' && value.keys.size() == value.items.size();
  }

  // Where the next value belongs. Pointers into `items` hold: an array or object grows only while
  // nothing in it is open.
  JsonValue& next() {
    started_ = true;
    if (open_.empty()) return outcome_.root;
    return open_.back()->items.emplace_back();
  }
  bool add(JsonValue::Kind kind, std::string text, std::optional<std::int64_t> integer = {}) {
    JsonValue& value = next();
    value.kind = kind;
    value.text = std::move(text);
    value.integer = integer;
    return true;
  }
  bool open(JsonValue::Kind kind) {
    if (open_.size() == kJsonDepthMax) {
      outcome_.problems.push_back(
          {"", "objects or arrays nested more than " + std::to_string(kJsonDepthMax) + " deep",
           "the keys of docs/config.md"});
      return false;
    }
    JsonValue& value = next();
    value.kind = kind;
    open_.push_back(&value);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& text_;
  JsonOutcome& outcome_;
  std::vector<JsonValue*> open_;
  bool started_ = false;
};

}  // namespace

std::string JsonValue::describe() const {
  switch (kind) {
    case Kind::null:
    case Kind::boolean:
    case Kind::number:
      return shorten(text);
    case Kind::string:
      return json_quote_short(text);
    case Kind::array:
      return items.empty() ? "an empty array" : "an array";
    case Kind::object:
      return items.empty() ? "an empty object" : "an object";
  }
  return "nothing";
}

JsonOutcome parse_json(const std::string& text) {
  JsonOutcome outcome;
  if (auto problem = check_bytes(text)) {
    outcome.problems.push_back(std::move(*problem));
    return outcome;
  }
  TreeBuilder builder(text, outcome);
  constexpr bool kStrict = true;
  constexpr bool kIgnoreComments = true;
  const bool parsed = nlohmann::json::sax_parse(
      text, &builder, nlohmann::json::input_format_t::json, kStrict, kIgnoreComments);
  if (!parsed && outcome.problems.empty())
    outcome.problems.push_back({"", "something that is not JSON", "valid JSON"});
  return outcome;
}

std::string json_quote(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_quote_short(const std::string& text) {
  return json_quote(shorten(text));
}

std::string json_pointer_step(const std::string& key) {
  std::string step = "/";
  for (const char c : shorten(key)) {
    if (c == '~') {
      step += "~0";
    } else if (c == '/') {
      step += "~1";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      step += '?';  // a message is one line, and a key must not steer the terminal
    } else {
      step += c;
    }
  }
  return step;
}

}  // namespace jobring
