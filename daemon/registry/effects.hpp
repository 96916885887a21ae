// Effects: what a record of the journal is made of. One byte of kind, then its fields: numbers
// little-endian without padding, texts as u32 length and bytes. The fields of each stand with the
// function of Store that writes it, and in Store::apply.
//
// If you change or add one, increment the journal's version.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace jobring::registry {

enum class Effect : std::uint8_t {
  counters = 1,  // next object's id, tokens reserved
  create,
  remove,
  access,
  session,
  use,
  answer,
  end_session,
  event,
  permits,
  counter,
  list_insert,
  list_set,
  list_erase,
  list_clear,
  dict_set,
  dict_erase,
  dict_clear,
  dict_version,  // snapshots only
  queue_put,
  queue_take,
  queue_finish_lease,
  queue_return_lease,
  queue_finish,
  queue_clear,
  queue_lease,     // snapshots only
  queue_taken,     // snapshots only
  queue_counters,  // snapshots only
};

template <class T>
constexpr std::size_t effect_size(const T& field) {
  if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    return sizeof field;
  } else {
    return 4 + std::string_view(field).size();
  }
}
template <class T>
char* effect_put(char* to, const T& field) {
  if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    std::memcpy(to, &field, sizeof field);
    return to + sizeof field;
  } else {
    const std::string_view text(field);
    const auto size = std::uint32_t(text.size());
    std::memcpy(to, &size, 4);
    if (size != 0) std::memcpy(to + 4, text.data(), size);
    return to + 4 + size;
  }
}
template <class... T>
void write_effect(std::string& log, Effect kind, const T&... fields) {
  const std::size_t before = log.size();
  log.resize(before + 1 + (std::size_t{0} + ... + effect_size(fields)));
  char* to = log.data() + before;
  *to++ = char(kind);
  ((to = effect_put(to, fields)), ...);
}

// Reads fields one by one. After a failure all further reads fail: one look at ok() is enough.
class EffectReader {
 public:
  explicit EffectReader(std::string_view bytes) : bytes_(bytes) {}
  bool at_end() const { return bytes_.empty(); }
  bool ok() const { return ok_; }
  template <class T>
  T number() {
    static_assert(std::is_integral_v<T> || std::is_enum_v<T>);
    T value{};
    if (bytes_.size() < sizeof value) {
      ok_ = false;
      bytes_ = {};
      return value;
    }
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return value;
  }
  std::uint64_t u64() { return number<std::uint64_t>(); }
  std::int64_t i64() { return number<std::int64_t>(); }
  std::uint32_t u32() { return number<std::uint32_t>(); }
  std::string_view text() {
    const std::size_t size = u32();
    if (!ok_ || size > bytes_.size()) {
      ok_ = false;
      bytes_ = {};
      return {};
    }
    const std::string_view found = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return found;
  }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace jobring::registry
