// The stand-in for jobring-keeper: what it does is told by $JOBRING_TEST_KEEPER.
#pragma once

#include "common/messages.hpp"
#include "common/unique_fd.hpp"

namespace jobring::test {

// "lend": gives its control socket away, to whoever listens at state_dir/lend, and waits.
// "feed": feeds a pool by itself (feeder.cpp) until it is told that it is enough, then waits.
inline constexpr const char* kModeVariable = "JOBRING_TEST_KEEPER";

// Runs jobs 1, 2, ... of pool "default" once each, whatever kills this process how often, until
// there is a file state_dir/enough; keeps its record in state_dir.
void feed(const KeeperStart& start, UniqueFd session);

}  // namespace jobring::test
