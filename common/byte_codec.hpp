// Payloads and results as bytes: numbers little-endian without padding, strings and lists behind
// their length. The base of exec_codec.cpp and http_codec.cpp.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace jobring {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they are");

class ByteWriter {
 public:
  template <class T>
  void number(T value) {
    static_assert(std::is_integral_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void raw(std::string_view text) { bytes_.append(text); }
  void string(std::string_view text) {
    number(std::uint32_t(text.size()));
    raw(text);
  }
  void strings(const std::vector<std::string>& all) {
    number(std::uint32_t(all.size()));
    for (const std::string& s : all) string(s);
  }
  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads every byte of its source at most once: the source may be shared with a process that changes
// it meanwhile. After a failure all further reads fail, so that one look at ok() at the end of a
// group is enough.
class ByteReader {
 public:
  explicit ByteReader(std::span<const unsigned char> bytes) : bytes_(bytes) {}

  template <class T>
  T number() {
    T value{};
    if (const unsigned char* from = take(sizeof value)) std::memcpy(&value, from, sizeof value);
    return value;
  }
  std::string_view view(std::uint64_t length) {
    const unsigned char* from = take(length);
    if (from == nullptr) return {};
    return {reinterpret_cast<const char*>(from), std::size_t(length)};
  }
  std::string string() { return std::string(view(number<std::uint32_t>())); }
  std::vector<std::string> strings() {
    const std::uint32_t count = number<std::uint32_t>();
    std::vector<std::string> all;
    // Every string has a length: a count that the rest cannot hold must not make us reserve memory.
    if (count > kStringsMax || count > bytes_.size() / sizeof(std::uint32_t)) ok_ = false;
    if (!ok_) return all;
    all.reserve(count);
    for (std::uint32_t i = 0; i < count && ok_; ++i) all.push_back(string());
    return all;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  // The kernel takes 2 MiB of arguments and environment: more strings than this are of no use.
  static constexpr std::uint32_t kStringsMax = 1u << 18;

  const unsigned char* take(std::uint64_t length) {
    if (!ok_ || length > bytes_.size()) {
      ok_ = false;
      return nullptr;
    }
    const unsigned char* from = bytes_.data();
    bytes_ = bytes_.subspan(std::size_t(length));
    return from;
  }

  std::span<const unsigned char> bytes_;
  bool ok_ = true;
};

}  // namespace jobring
