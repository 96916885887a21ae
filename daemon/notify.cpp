#include "daemon/notify.hpp"

#include <systemd/sd-daemon.h>

namespace jobring {

void Notify::ready(const std::string& status) {
  sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
}
void Notify::status(const std::string& text) {
  sd_notify(0, ("STATUS=" + text).c_str());
}
void Notify::stopping(const std::string& status) {
  sd_notify(0, ("STOPPING=1\nSTATUS=" + status).c_str());
}
void Notify::watchdog() {
  sd_notify(0, "WATCHDOG=1");
}

std::optional<std::chrono::nanoseconds> Notify::watchdog_interval() const {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return std::chrono::microseconds(microseconds / 2);
}

}  // namespace jobring
