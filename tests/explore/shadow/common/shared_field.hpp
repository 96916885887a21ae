// Stands before common/shared_field.hpp when the product's code is explored: a relaxed atomic, as
// in the product, that may return old values; nobody is given a turn at it. Fields of slots are
// more: the state word must order them, so for these any unordered pair of accesses is a failure.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tests/explore/atomic.hpp"

namespace jobring {

template <class T>
class SharedField {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);

 public:
  T get() const {
    explore::owned_access(&value_, sizeof(T), false);
    const std::uint64_t bits =
        explore::atomic_load(&value_, sizeof(T), std::memory_order_relaxed, false);
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
  }
  void set(T value) {
    explore::owned_access(&value_, sizeof(T), true);
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    explore::atomic_store(&value_, sizeof(T), bits, std::memory_order_relaxed, false);
  }

 private:
  T value_;
};

}  // namespace jobring
