// What a client wrote, for a person's eyes.
#pragma once

#include <string>

namespace jobring {

// Without control characters: no escape sequence reaches a terminal, no forged line the log.
inline std::string printable(std::string text) {
  for (char& c : text) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return text;
}

}  // namespace jobring
