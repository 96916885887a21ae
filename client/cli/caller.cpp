#include "client/cli/caller.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <climits>

#include <jobring/jobring.hpp>

#include "common/result.hpp"

namespace jobring::cli {

Command command_of_caller() {
  Command command;
  char directory[PATH_MAX];
  if (getcwd(directory, sizeof directory) == nullptr) {
    const Error error = system_error("getcwd", "current directory");
    throw Exception(exit_status(error.code), to_string(error.code), error.line());
  }
  command.cwd = directory;
  for (char** entry = environ; *entry != nullptr; ++entry) command.env.emplace_back(*entry);
  command.env_replaces = true;
  // There is no call that only reads it.
  const mode_t mask = umask(0);
  umask(mask);
  command.umask = int(mask);
  return command;
}

}  // namespace jobring::cli
