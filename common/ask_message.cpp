#include "common/ask_message.hpp"

#include <cstring>

namespace jobring {
namespace {

constexpr char kMark = '\1';

struct Head {
  char mark = kMark;
  unsigned char again = 0;
  std::uint16_t reserved = 0;
  std::uint32_t version = 0, uid = 0, gid = 0;
  std::uint64_t id = 0;
};
static_assert(sizeof(Head) == 24);

}  // namespace

std::string encode(const AskMessage& message) {
  Head head;
  head.again = message.again ? 1 : 0;
  head.version = message.version;
  head.uid = message.uid;
  head.gid = message.gid;
  head.id = message.id;
  std::string text(sizeof head + message.bytes.size(), '\0');
  std::memcpy(text.data(), &head, sizeof head);
  std::memcpy(text.data() + sizeof head, message.bytes.data(), message.bytes.size());
  return text;
}

std::optional<AskMessage> decode_ask(std::string_view message) {
  Head head;
  if (message.size() < sizeof head || message.size() > sizeof head + kAskMost) return std::nullopt;
  std::memcpy(&head, message.data(), sizeof head);
  if (head.mark != kMark) return std::nullopt;
  return AskMessage{head.version,    head.uid, head.gid,
                    head.again != 0, head.id,  message.substr(sizeof head)};
}

}  // namespace jobring
