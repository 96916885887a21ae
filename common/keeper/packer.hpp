// Numbers of few bytes, for stored records: 7 bits a byte, the lowest first; signed ones zigzag.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace jobring::keeper {

class Packer {
 public:
  // Appends to `out`.
  explicit Packer(std::string& out) : out_(out) {}
  void number(std::uint64_t v) {
    while (v >= 0x80) {
      out_.push_back(char(v | 0x80));
      v >>= 7;
    }
    out_.push_back(char(v));
  }
  void signed_number(std::int64_t v) { number((std::uint64_t(v) << 1) ^ std::uint64_t(v >> 63)); }
  void text(std::string_view t) {
    number(t.size());
    out_.append(t);
  }

 private:
  std::string& out_;
};

// After a failure everything reads as 0, so that one look at ok() at the end is enough.
class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t number() {
    std::uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) break;
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      v |= std::uint64_t(byte & 0x7f) << shift;
      if (byte < 0x80) return v;
    }
    return fail();
  }
  std::int64_t signed_number() {
    const std::uint64_t v = number();
    return std::int64_t(v >> 1) ^ -std::int64_t(v & 1);
  }
  std::string_view text() {
    const std::uint64_t size = number();
    if (size > bytes_.size()) {
      fail();
      return {};
    }
    const std::string_view t = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return t;
  }
  std::string_view rest() {
    const std::string_view t = bytes_;
    bytes_ = {};
    return t;
  }
  // How many elements a list has, each of at least one byte.
  std::uint64_t count() {
    const std::uint64_t n = number();
    return n <= bytes_.size() ? n : fail();
  }
  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::uint64_t fail() {
    ok_ = false;
    bytes_ = {};
    return 0;
  }
  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace jobring::keeper
