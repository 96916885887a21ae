// Bytes as a stream of small decisions: what a fuzzer or a seeded generator gives, a hostile client
// plays.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace jobring::test {

// Reads an input from its start; behind its end everything is 0, so that any input is a whole one.
class Bytes {
 public:
  explicit Bytes(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  template <class T>
  T take() {
    T value{};
    const std::size_t n = std::min(sizeof value, bytes_.size());
    std::memcpy(&value, bytes_.data(), n);
    bytes_ = bytes_.subspan(n);
    return value;
  }
  std::uint8_t byte() { return take<std::uint8_t>(); }
  std::uint32_t below(std::uint32_t bound) {
    return bound > 256 ? take<std::uint16_t>() % bound : byte() % bound;
  }
  std::string_view text(std::size_t most) {
    const std::size_t n = std::min(most, bytes_.size());
    const std::string_view view(reinterpret_cast<const char*>(bytes_.data()), n);
    bytes_ = bytes_.subspan(n);
    return view;
  }
  std::string_view rest() { return text(bytes_.size()); }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace jobring::test
