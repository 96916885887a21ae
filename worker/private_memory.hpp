// How much memory this process holds.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdio>

namespace jobring {

// Bytes, without what it shares: that is its clients' payloads, and goes with their channels. 0 if
// it cannot be found out.
inline std::uint64_t private_memory() {
  FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long size = 0, resident = 0, shared = 0;
  const bool read =
      std::fscanf(file, "%lu %lu %lu", &size, &resident, &shared) == 3 && shared <= resident;
  std::fclose(file);
  return read ? std::uint64_t(resident - shared) * std::uint64_t(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace jobring
