// The log file of a daemon that `jobring start` puts into the background.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace jobring::cli {

// $XDG_STATE_HOME/jobring/jobringd.log, else ~/.local/state/jobring/jobringd.log. `getenv` is
// injected for tests.
Result<std::string> default_log_path(const char* (*getenv)(const char*));

// Opens it for appending, with the directories above it (mode 0700, as XDG asks).
Result<UniqueFd> open_log(const std::string& path);

// The last `lines` lines of what stands in the file from `from` on; empty if it cannot be read.
std::string tail(const std::string& path, off_t from, int lines);

}  // namespace jobring::cli
