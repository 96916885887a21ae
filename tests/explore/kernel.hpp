// The few system calls of the explored code, as the scenario sees them: eventfds, epoll,
// sched_yield.
//
// kernel.cpp defines epoll_wait(), write() and so on for this executable. Descriptors made here are
// the scenario's; calls on any other go to the real kernel. A wake-up orders no memory here: the
// kernel's locks may not be what makes the protocols right.
#pragma once

#include <cstdint>

namespace explore {

class Scenario;

// Before anything else in an execution: forgets the descriptors of the last one.
void reset_kernel(Scenario& scenario);
// A descriptor that only stands for something (a segment, a socket): never readable.
int make_descriptor();
int make_eventfd();
// Rings it, as write() does.
void ring(int eventfd);
// How often it was rung in this execution.
std::uint64_t rings_of(int eventfd);

}  // namespace explore
