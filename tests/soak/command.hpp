// Jobs of the soak that are commands: this very program, with arguments that say what to do.
#pragma once

#include <string>
#include <vector>

#include "tests/soak/job_spec.hpp"

namespace jobring::soak {

std::vector<std::string> command_of(const JobSpec& spec);
// The command's side; `argv` behind "--job". Returns the exit status.
int run_command_job(char** argv);

}  // namespace jobring::soak
