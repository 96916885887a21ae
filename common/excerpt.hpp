// What a stranger said, for a message or a log line: as much as a person reads, and nothing that a
// terminal obeys.
#pragma once

#include <string>
#include <string_view>

namespace jobring {

inline std::string excerpt(std::string_view text, std::size_t most = 200) {
  std::string cut(text.substr(0, most));
  for (char& c : cut) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) c = '?';
  }
  if (text.size() > most) cut += "...";
  return cut;
}

}  // namespace jobring
