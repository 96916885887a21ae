// One act of a client that does not use its channel but writes over it.
#pragma once

#include <cstddef>

#include "common/channel_layout.hpp"
#include "tests/support/bytes.hpp"

namespace jobring::test {

// Which word or range, and what, is read from `bytes`: rings, queue, retry bits, state words with
// near generations, requests with lengths about the limit, names, or any bytes anywhere in the
// segment [base, base + size).
void scribble(const ChannelView& view, unsigned char* base, std::size_t size, Bytes& bytes);

}  // namespace jobring::test
