#include "common/config/units.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <string_view>

namespace jobring {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 7> kTimes{{{"d", 86'400'000'000'000},
                                      {"h", 3'600'000'000'000},
                                      {"m", 60'000'000'000},
                                      {"s", 1'000'000'000},
                                      {"ms", 1'000'000},
                                      {"us", 1'000},
                                      {"ns", 1}}};

constexpr std::array<Unit, 10> kSizes{{{"TiB", 1ull << 40},
                                       {"GiB", 1ull << 30},
                                       {"MiB", 1ull << 20},
                                       {"KiB", 1ull << 10},
                                       {"B", 1},
                                       {"TB", 1'000'000'000'000},
                                       {"GB", 1'000'000'000},
                                       {"MB", 1'000'000},
                                       {"KB", 1'000},
                                       {"kB", 1'000}}};

constexpr const char* kTimeHint =
    "write whole numbers with units d h m s ms us ns, as in \"1h30m\"";
constexpr const char* kSizeHint =
    "write a whole number with a unit B KiB MiB GiB TiB KB MB GB TB, as in \"64MiB\"";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  }
  return result;
}

template <std::size_t N>
const Unit* find(const std::array<Unit, N>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

// The unit that differs only in capital and small letters or by spaces.
template <std::size_t N>
const Unit* find_alike(const std::array<Unit, N>& units, std::string_view name) {
  std::string plain;
  for (const char c : lower(name)) {
    if (c != ' ' && c != '\t') plain += c;
  }
  for (const Unit& unit : units) {
    if (lower(unit.name) == plain) return &unit;
  }
  return nullptr;
}

// One number with its unit, taken from the front of a text.
struct Part {
  std::string_view digits;
  std::string_view unit;
  std::uint64_t number = 0;
};

// At most 40 bytes of it, not cut inside of a character.
std::string shortened(std::string_view text) {
  std::size_t size = 40;
  if (text.size() <= size) return std::string(text);
  while (size > 0 && (text[size] & 0xC0) == 0x80) --size;
  return std::string(text.substr(0, size)) + "...";
}

Error refuse(std::string_view text, const std::string& why, std::string hint) {
  return Error{Errc::bad_input, "\"" + shortened(text) + "\" " + why, {}, std::move(hint)};
}

// Takes one number and unit from `rest`; `text` is the whole, for the message.
Result<Part> take_part(std::string_view& rest, std::string_view text, const char* hint) {
  if (text.empty()) return refuse(text, "is empty", hint);
  if (text.front() == '-') return refuse(text, "is negative", hint);
  std::size_t digits = 0;
  while (digits < rest.size() && is_digit(rest[digits])) ++digits;
  if (digits == 0) return refuse(text, "does not start with a number", hint);
  std::size_t end = digits;
  while (end < rest.size() && !is_digit(rest[end])) ++end;
  Part part{rest.substr(0, digits), rest.substr(digits, end - digits)};
  if (!part.unit.empty() && (part.unit.front() == '.' || part.unit.front() == ',')) {
    return refuse(text, "is not a whole number",
                  "use a smaller unit, as \"1500ms\" for \"1.5s\" or \"1536MiB\" for \"1.5GiB\"");
  }
  const char* last = part.digits.data() + part.digits.size();
  if (std::from_chars(part.digits.data(), last, part.number).ec != std::errc()) {
    return refuse(text, "is too large", hint);
  }
  rest.remove_prefix(end);
  return part;
}

template <std::size_t N>
Error unknown_unit(const std::array<Unit, N>& units, std::string_view text, const Part& part,
                   const char* hint, const char* plainest) {
  if (part.unit.empty())
    return refuse(text, "has no unit", "perhaps \"" + shortened(part.digits) + plainest + "\"?");
  if (const Unit* alike = find_alike(units, part.unit); alike != nullptr) {
    return refuse(text, "is not written as units are",
                  "write \"" + shortened(part.digits) + std::string(alike->name) + "\"");
  }
  return refuse(text, "has the unknown unit \"" + shortened(part.unit) + "\"", hint);
}

}  // namespace

Result<std::chrono::nanoseconds> parse_duration(const std::string& text) {
  if (text == "0") return std::chrono::nanoseconds(0);
  std::uint64_t total = 0;
  std::uint64_t previous = std::numeric_limits<std::uint64_t>::max();
  std::string_view rest = text;
  do {
    const auto part = take_part(rest, text, kTimeHint);
    if (!part) return part.error();
    const Unit* unit = find(kTimes, part->unit);
    if (unit == nullptr) return unknown_unit(kTimes, text, *part, kTimeHint, "s");
    if (unit->factor >= previous) {
      return refuse(text, "is out of order",
                    "write each unit once, the largest first, as in \"1h30m\"");
    }
    previous = unit->factor;
    std::uint64_t value = 0;
    if (__builtin_mul_overflow(part->number, unit->factor, &value) ||
        __builtin_add_overflow(total, value, &total) ||
        total > std::uint64_t(std::chrono::nanoseconds::max().count())) {
      return refuse(text, "is too long", "at most 106751d");
    }
  } while (!rest.empty());
  return std::chrono::nanoseconds(std::int64_t(total));
}

Result<std::uint64_t> parse_size(const std::string& text) {
  if (text == "0") return std::uint64_t(0);
  std::string_view rest = text;
  const auto part = take_part(rest, text, kSizeHint);
  if (!part) return part.error();
  if (part->unit.size() == 1 &&
      std::string_view("kKmMgGtT").find(part->unit[0]) != std::string_view::npos) {
    const std::string number = shortened(part->digits);
    const std::string letter(1, char(part->unit[0] & ~0x20));
    return refuse(text, "is ambiguous",
                  "write \"" + number + letter + "iB\" (powers of 1024) or \"" + number + letter +
                      "B\" (powers of 1000)");
  }
  const Unit* unit = find(kSizes, part->unit);
  if (unit == nullptr) return unknown_unit(kSizes, text, *part, kSizeHint, "B");
  if (!rest.empty()) return refuse(text, "has more than one number", kSizeHint);
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(part->number, unit->factor, &bytes))
    return refuse(text, "is too large", kSizeHint);
  return bytes;
}

std::string format_duration(std::chrono::nanoseconds value) {
  std::uint64_t rest = std::uint64_t(value.count());
  if (rest == 0) return "0s";
  std::string text;
  for (const Unit& unit : kTimes) {
    if (rest < unit.factor) continue;
    text += std::to_string(rest / unit.factor) + std::string(unit.name);
    rest %= unit.factor;
  }
  return text;
}

std::string format_size(std::uint64_t bytes) {
  for (const Unit& unit : kSizes) {
    if (bytes >= unit.factor && bytes % unit.factor == 0)
      return std::to_string(bytes / unit.factor) + std::string(unit.name);
  }
  return "0B";
}

}  // namespace jobring
