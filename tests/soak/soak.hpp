// Rounds of a soak: kill under load, drain, look, audit.
#pragma once

#include <cstdint>

namespace jobring::soak {

struct SoakOptions {
  std::uint64_t seed = 0;
  std::uint64_t seconds = 60;  // at least so long
  std::uint64_t kills = 1000;  // and at least so many
  std::uint32_t clients = 5;
  double kills_per_second = 40;         // aimed at
  std::uint64_t patience_seconds = 30;  // no client may stand still for longer
  bool watch_memory = true;             // resident memory means nothing under a sanitizer
};

// Prints a summary; the exit status: 0 if nothing was complained of.
int soak(const SoakOptions& options);

}  // namespace jobring::soak
