// Within the mortal keeper: what it is fated to, and the steps that it takes.
#pragma once

#include "tests/durable/fate.hpp"

namespace jobring::test {

// Null as long as nobody has looked for it.
FateWords* fate();
// Finds it; leaves the process if there is none.
void find_fate();
// Dies here, by SIGKILL, if that is so fated.
void step(Step step);

}  // namespace jobring::test
