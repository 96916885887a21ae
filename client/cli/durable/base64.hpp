// Bytes in JSON: as text if they are UTF-8, else in base64 (RFC 4648, with padding).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace jobring::cli {

std::string to_base64(std::string_view bytes);
// nullopt if it is not base64 to its last character.
std::optional<std::string> from_base64(std::string_view text);
// Valid UTF-8, so JSON carries it unchanged.
bool is_utf8(std::string_view bytes);

}  // namespace jobring::cli
