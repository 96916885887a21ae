// What systemd is told: ready, status text, watchdog, stopping. Does nothing without
// $NOTIFY_SOCKET.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace jobring {

class Notify {
 public:
  void ready(const std::string& status);
  void status(const std::string& text);
  void stopping(const std::string& status);
  void watchdog();
  // How often watchdog() must be called, with room to spare; nullopt if systemd expects none.
  std::optional<std::chrono::nanoseconds> watchdog_interval() const;
};

}  // namespace jobring
