#include "client/cli/number_list.hpp"

#include <charconv>
#include <optional>
#include <string_view>

namespace jobring::cli {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<std::vector<std::uint64_t>> parse_numbers(const std::string& text, std::uint64_t least,
                                                 std::uint64_t most, const std::string& where) {
  const Error bad{Errc::usage,
                  "\"" + text + "\" is no list of numbers from " + std::to_string(least) + " to " +
                      std::to_string(most),
                  where, "write 64,4096 or 1..8"};
  std::vector<std::uint64_t> numbers;
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const std::size_t dots = item.find("..");
    const auto first = number(item.substr(0, dots));
    const auto last = dots == std::string_view::npos ? first : number(item.substr(dots + 2));
    if (!first || !last || *first < least || *last > most || *first > *last) return bad;
    for (std::uint64_t n = *first; n < *last && n != 0; n *= 2) numbers.push_back(n);
    numbers.push_back(*last);
    if (comma == std::string_view::npos) return numbers;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace jobring::cli
