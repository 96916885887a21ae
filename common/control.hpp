// One control message over a SOCK_SEQPACKET socket: bytes (see messages.hpp) and file descriptors.
// The cold path: opening channels, handing out mappings, stopping jobs. Not used per job, but by a
// client that submits one and no more (ask_message.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/limits.hpp"
#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace jobring {

struct ControlMessage {
  std::string text;
  std::vector<UniqueFd> fds;
};

// Sends one message whole or not at all. Never blocks on a non-blocking socket: Errc::full if the
// peer does not read, Errc::no_daemon if it is gone. The descriptors are duplicated by the kernel;
// the caller keeps its own.
Result<void> send_control(int socket, std::string_view text, std::span<const int> fds = {});

// Receives one message. nullopt: nothing there (non-blocking socket). Errc::no_daemon: the peer is
// gone. Errc::protocol: a message larger than kControlMessageMax or with more descriptors than
// kControlFdsMax. The descriptors of a message that is refused go to `refused`, or are closed.
Result<std::optional<ControlMessage>> receive_control(int socket,
                                                      std::vector<UniqueFd>* refused = nullptr);

// Waits until a message comes; Errc::timeout after `timeout_ms` (-1: never). It looks for one for
// `look_ns` before it sleeps: most answers are a few microseconds of work away, and to sleep and be
// woken on another processor takes longer than that.
Result<ControlMessage> await_control(int socket, int timeout_ms, std::uint64_t look_ns = 100'000);

}  // namespace jobring
