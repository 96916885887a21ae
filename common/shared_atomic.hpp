// A word in shared memory that processes synchronise by.
//
// std::atomic, and nothing else in the product. The explorer (tests/explore) puts a header of the
// same name before this one, and so runs the real code under every order that C++20 allows.
#pragma once

#include <atomic>
#include <cstdint>

namespace jobring {

template <class T>
using SharedAtomic = std::atomic<T>;

static_assert(SharedAtomic<std::uint64_t>::is_always_lock_free);

}  // namespace jobring
