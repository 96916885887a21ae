// Handlers with parameters and results of C++ types.
#include <jobring/typed_handler.hpp>

#include <cctype>
#include <string_view>

JOBRING_TYPED_HANDLER(long, count_words, std::string_view text) {
  long words = 0;
  bool inside = false;
  for (const unsigned char c : text) {
    const bool space = std::isspace(c) != 0;
    if (!space && !inside) ++words;
    inside = !space;
  }
  return words;
}
