// The keeper's own socket, for clients that submit one job and want nothing else: to make a channel
// takes longer than all the rest, and so does each process in between.
//
// A connection carries one request (keeper/messages.hpp) and its answer, each in one message: a
// head of fixed size, then the bytes. A client that gets no answer, for whatever reason, asks as
// others do, through a channel: so the keeper just hangs up on what it does not like.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace jobring {

// Bytes of one request, and of one answer, at most: what has more needs a channel.
inline constexpr std::size_t kAskMost = 16 * 1024;

// Beside the daemon's own.
std::string ask_socket_of(const std::string& daemon_socket);

std::string encode_ask(std::string_view bytes);
// Nothing if it is something else, of another version, or too long. A view into `message`.
std::optional<std::string_view> decode_ask(std::string_view message);

}  // namespace jobring
