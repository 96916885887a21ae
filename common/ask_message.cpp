#include "common/ask_message.hpp"

#include <cstdint>
#include <cstring>

#include "common/limits.hpp"

namespace jobring {
namespace {

struct Head {
  char mark[4] = {'J', 'A', 'S', 'K'};
  std::uint32_t version = kControlVersion;
};

}  // namespace

std::string ask_socket_of(const std::string& daemon_socket) {
  return daemon_socket + ".submit";
}

std::string encode_ask(std::string_view bytes) {
  const Head head;
  std::string text(sizeof head + bytes.size(), '\0');
  std::memcpy(text.data(), &head, sizeof head);
  std::memcpy(text.data() + sizeof head, bytes.data(), bytes.size());
  return text;
}

std::optional<std::string_view> decode_ask(std::string_view message) {
  const Head head;
  if (message.size() < sizeof head || message.size() > sizeof head + kAskMost ||
      std::memcmp(message.data(), &head, sizeof head) != 0)
    return std::nullopt;
  return message.substr(sizeof head);
}

}  // namespace jobring
