// A second descriptor table of this process, in which descriptors are closed that may wait for it.
//
// A child inherits copies of the descriptors in its parent's table. If the parent's own copy goes
// while the child still has one, the child's close is the last, and the child waits: a command that
// cannot start because of another user's descriptor. So two things hold:
//   - whoever makes a child holds spawn_gate() until the child has closed what is not its own;
//   - a descriptor leaves our table only while nobody holds it, and without waiting: it is sent to
//     threads with a table that no child inherits, and closed there.
#pragma once

#include <functional>
#include <mutex>
#include <shared_mutex>

#include "common/unique_fd.hpp"

namespace jobring {

// Held while a child may have copies of our descriptors. Thread-safe; not recursive.
std::shared_lock<std::shared_mutex> spawn_gate();

// Waits until no child is being made, takes `fd` out of our table, and has it closed; `closed` is
// called then, by another thread. False: the system has no room for that; nothing is done. For
// threads that may wait. Thread-safe.
bool close_in_other_table(UniqueFd& fd, const std::function<void()>& closed);

}  // namespace jobring
