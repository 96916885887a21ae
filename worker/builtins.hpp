// Handlers that every worker has.
#pragma once

#include <vector>

#include "worker/modules.hpp"

namespace jobring {

// echo: returns its payload. exec: a command (fn is null: the worker runs it itself,
// worker/command_job.cpp).
std::vector<Handler> builtin_handlers();

}  // namespace jobring
