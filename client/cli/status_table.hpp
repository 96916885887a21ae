// What `jobring status` shows a person.
#pragma once

#include <string>

namespace jobring::cli {

// From the JSON that the daemon gave. Any field may be missing or of a type we do not know: shown
// as "-".
std::string status_table(const std::string& json, bool color);

}  // namespace jobring::cli
