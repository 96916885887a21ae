#pragma once

#include <functional>

namespace jobring::fuzz {

// Called in the middle of every job "exec".
extern std::function<void()> while_a_command_runs;

}  // namespace jobring::fuzz
