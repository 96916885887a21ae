// Stands before common/shared_atomic.hpp when the product's code is explored.
#pragma once

#include "tests/explore/atomic.hpp"

namespace jobring {

template <class T>
using SharedAtomic = explore::Atomic<T>;

}  // namespace jobring
