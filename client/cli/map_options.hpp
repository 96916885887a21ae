// What the options of `jobring map` say.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/connection.hpp"
#include "client/cli/halt.hpp"
#include "client/cli/job_options.hpp"
#include "client/cli/map_words.hpp"

namespace jobring::cli {

struct MapOptions {
  AnyDaemon daemon;
  JobFlags job;
  std::string pool = "default";
  std::string handler;               // empty: commands
  std::vector<std::string> command;  // template words
  std::vector<SourceSpec> sources;
  char separator = '\n';
  bool keep_order = false;
  std::uint64_t jobs = 0;  // in flight at once; 0: what the channel has room for
  bool bar = false;
  bool eta = false;
  std::string joblog;
  bool resume = false;
  HaltPolicy halt;
  bool dry_run = false;
  std::uint64_t tries = 1;  // a failed job is run so often in all
  bool tag = false;
  bool shell = false;               // each command is one line for /bin/sh
  bool lines_are_commands = false;  // no command was given: the inputs are shell lines themselves
  bool json = false;
  CommandLimits limits;
  std::uint64_t max_output = 0;  // bytes of stdout and of stderr; 0: as the pool has room
  bool quiet = false;
};

}  // namespace jobring::cli
