// What /proc tells about processes: their state, their children, the time they ran.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace jobring::test {

// 'R' running, 'S' sleeping, 't' stopped by its tracer, 'Z' dead and not reaped, 0: there is none.
char process_state(pid_t pid);
// Nanoseconds of processor time since it started; nothing: there is none. 0 also of one that has
// run: on a virtual machine the host may have had all of that time.
std::optional<std::uint64_t> processor_time(pid_t pid);
std::vector<pid_t> children_of(pid_t pid);
// Of a process, the main one first, the others in the order in which they were made.
std::vector<pid_t> threads_of(pid_t pid);
// True once all of them sleep and spend no processor time for a moment; false if they still did not
// after ten seconds, or one of them is gone.
bool come_to_rest(std::span<const pid_t> pids);

}  // namespace jobring::test
