// The keeper's two clocks. Pure: what the system's clocks say is passed in.
//
// The steady one counts on over restarts: from the pair that was kept last, plus what the real
// clock has gone on since then, if it went forward; from there on as CLOCK_BOOTTIME does, which no
// setting of the real clock moves. So delays, pauses and retention feel neither jumps nor restarts;
// what has a time of its own (run_at, deadlines, cron) follows the real clock.
#pragma once

#include <ctime>

#include <algorithm>
#include <cstdint>

#include "common/keeper/job.hpp"

namespace jobring::keeper {

class KeeperClock {
 public:
  // What the system says, milliseconds.
  struct System {
    std::int64_t real_ms = 0;
    std::int64_t boot_ms = 0;
  };

  KeeperClock(Clock last, System now)
      : ahead_(std::max<std::int64_t>(last.steady_ms, 1) - now.boot_ms +
               (last.real_ms == 0 ? 0 : std::max<std::int64_t>(0, now.real_ms - last.real_ms))) {}

  Clock at(System now) const { return {now.real_ms, now.boot_ms + ahead_}; }

  static System system() {
    timespec real{}, boot{};
    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    return {std::int64_t(real.tv_sec) * 1'000 + real.tv_nsec / 1'000'000,
            std::int64_t(boot.tv_sec) * 1'000 + boot.tv_nsec / 1'000'000};
  }

 private:
  std::int64_t ahead_;  // of CLOCK_BOOTTIME
};

}  // namespace jobring::keeper
