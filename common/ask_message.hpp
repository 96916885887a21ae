// The frame of a request to the keeper, and of its answer, on the control connections
// (messages.hpp): for a client that has no more than one, a channel costs more than all the rest.
//
// A head of fixed size, then the bytes: JSON would take as long as the way. No JSON begins as the
// head does. Whoever does not know a field leaves it as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/limits.hpp"

namespace jobring {

struct AskMessage {
  std::uint32_t version = kControlVersion;
  std::uint32_t uid = 0, gid = 0;  // of the client, as the supervisor knows it
  bool again = false;              // a dead keeper had it
  std::uint64_t id = 0;            // of the supervisor's making: names it, and is not used again
  std::string_view bytes{};        // of what was decoded
};

// Bytes of one request, and of one answer, at most: what has more needs a channel.
inline constexpr std::size_t kAskMost = 16 * 1024;

std::string encode(const AskMessage& message);
// Nothing if it is another message, or too short or too long.
std::optional<AskMessage> decode_ask(std::string_view message);

}  // namespace jobring
