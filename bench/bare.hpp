// The limits: what two processes reach over shared memory, and over system calls, with nothing in
// between.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bench {

// Pairs of single-producer single-consumer rings of 64-byte cells between two processes: messages
// echoed a second.
double bare_rings(double seconds, std::uint32_t cells, std::uint32_t batch);
// A pair of boost::interprocess::message_queue, 64-byte messages, `depth` of them in flight: with
// its blocking calls, as it is meant to be used, or polled with try_send and try_receive, which
// saves it the wake-ups.
enum class MessageQueueUse { blocking, polled };
double boost_message_queue(double seconds, std::size_t depth, MessageQueueUse use);

// Microseconds of a round trip between two processes: median and 99th percentile.
struct RoundTrip {
  double p50, p99;
};
RoundTrip eventfd_ping_pong(double seconds, int cpu_a, int cpu_b);  // both sleep
RoundTrip yielding_ping_pong(double seconds, int cpu_a,
                             int cpu_b);  // sched_yield() after each look
RoundTrip spinning_ping_pong(double seconds, int cpu_a, int cpu_b);  // 2000 looks before the first

// posix_spawn + waitpid of a program in `parallel` processes, commands a second.
double posix_spawn_loop(double seconds, const char* program, int parallel);

// Two processes work on `size` bytes in place, in turn: one writes, the other reads and writes the
// answer, the first reads it. Bytes a second, both ways together.
double bare_memory_work(double seconds, std::size_t size);

}  // namespace bench
