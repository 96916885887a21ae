// A plain value in shared memory that another process may change at any time.
#pragma once

#include <cstdint>
#include <type_traits>

namespace jobring {

// get() reads it once, so that what was checked is what is used, even when a broken or hostile
// process writes at the same moment. Relaxed: ordering comes from the state word or ring word
// around it.
template <class T>
class SharedField {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);

 public:
  T get() const { return __atomic_load_n(&value_, __ATOMIC_RELAXED); }
  void set(T v) { __atomic_store_n(&value_, v, __ATOMIC_RELAXED); }

 private:
  T value_;
};

static_assert(sizeof(SharedField<std::uint16_t>) == 2);

}  // namespace jobring
