// What a command inherits from the program that asks for it: directory, environment, umask.
#pragma once

#include <jobring/command.hpp>

namespace jobring::cli {

// A Command without argv. Throws Exception(system) if the current directory is gone.
Command command_of_caller();

}  // namespace jobring::cli
