// A client process of the test: does through libjobring what it is told, one order at a time, and
// may be traced and killed while it does.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <jobring/channel.hpp>

namespace jobring::test {

// The descriptor on which it finds its orders.
inline constexpr int kActorLink = 3;

class Actor {
 public:
  // Starts it; it connects at once unless `connect` is false.
  explicit Actor(const std::string& socket, bool connect = true);
  ~Actor();
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  enum class Act : std::uint32_t {
    connect,  // and open a channel
    submit,   // `count` jobs, tags from `tag` on; one publication
    collect,  // sleeps until `count` jobs have ended, and reaps them
    reap,     // without waiting
    cancel,   // all that has not started, and reaps
    close     // the channel
  };
  struct Order {
    Act act;
    std::uint32_t count = 0;
    std::uint64_t tag = 0;
    std::uint32_t crash_retries = 0;
    std::uint32_t hold = 0;  // 1: the jobs run until the test lets them go, 2: they are commands
                             // that sleep, 3: as 1, and they do not stop when they are asked to
    std::uint32_t unpublished = 0;  // 1: published with the next submit
    std::uint32_t marked = 0;       // 1: between two sweep_marker()s; it must be traced
  };
  struct Ended {
    std::uint64_t tag;
    Outcome outcome;
    std::uint32_t attempts;
  };
  // One order at a time: answer() before the next.
  void tell(const Order& order);
  // What ended, when the order was followed; nothing if that takes longer than `patience` or the
  // process died.
  std::optional<std::vector<Ended>> answer(
      std::chrono::milliseconds patience = std::chrono::seconds(20));
  std::optional<std::vector<Ended>> ask(const Order& order) {
    tell(order);
    return answer();
  }

  pid_t pid() const { return pid_; }
  // True if answer() would not wait: it has answered, or died.
  bool answered() const;
  // Its tracer has killed and reaped it.
  void gone() { pid_ = -1; }

 private:
  pid_t pid_ = -1;
  int link_ = -1;
};

}  // namespace jobring::test
