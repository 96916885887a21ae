// A time zone for one test.
#pragma once

#include <cstdlib>
#include <ctime>

namespace jobring::test {

// A POSIX zone with its rules written out, so that no file of this machine matters.
inline constexpr const char* kBerlin = "CET-1CEST,M3.5.0,M10.5.0/3";

class Zone {
 public:
  explicit Zone(const char* name) {
    setenv("TZ", name, 1);
    tzset();
  }
  ~Zone() {
    unsetenv("TZ");
    tzset();
  }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;
};

}  // namespace jobring::test
