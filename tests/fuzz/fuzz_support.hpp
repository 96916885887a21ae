// What all fuzz targets share: seeds, and failing.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/bytes.hpp"

namespace jobring::fuzz {

using test::Bytes;

// Inputs to start from; each target has its own. Written to a directory of their own at the start
// of a run.
std::vector<std::string> seeds();

// Ends the run as a crash of this input.
[[noreturn]] inline void violated(const char* what) {
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

}  // namespace jobring::fuzz
