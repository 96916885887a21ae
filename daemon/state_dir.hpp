// The directory in which the daemon keeps what outlives it.
#pragma once

#include <string>

#include "common/result.hpp"

namespace jobring {

// Makes it with its parents if it is not there, for nobody but us to enter. Refused: what is not a
// directory, or belongs to somebody else.
Result<void> make_state_dir(const std::string& path);

}  // namespace jobring
