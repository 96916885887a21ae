// Names of users, from /etc/passwd: `jobring` is linked statically, so the C library's own look-up
// (NSS) is out of reach.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace jobring::cli {

// A name, or a number as it is.
std::optional<uid_t> uid_of(const std::string& name);
// The number as text if it has no name.
std::string user_name(uid_t uid);

}  // namespace jobring::cli
