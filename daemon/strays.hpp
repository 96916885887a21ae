// Strays: children of the supervisor that it did not start. As a child subreaper it inherits what
// dead workers leave behind: commands, and whatever these forked. Living workers are subreapers
// themselves, so a stray always is a dead worker's.
#pragma once

#include <sys/types.h>

#include <functional>

namespace jobring {

// Kills and reaps strays. `is_ours(pid)` says which children are workers. True when none is left;
// false if some were killed but are not dead yet, or had children that are now ours: call again on
// the next SIGCHLD.
bool reap_strays(const std::function<bool(pid_t)>& is_ours);

}  // namespace jobring
