// The options of one durable job, as `submit` and `cron add` take them, and the job that comes of
// them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <jobring/durable.hpp>

#include "client/cli/options.hpp"

namespace jobring::cli {

// How it is run.
struct JobWishes {
  DurableOptions options;
  // Texts that need the daemon or each other.
  std::vector<std::string> after, after_any;  // ids, `last`
  std::string unique_until;
  std::vector<std::string> tags;

  void add_to(Options& options);
  // Throws Exception(usage); asks the daemon only for `last`.
  DurableOptions resolve(DurableJobs& jobs) const;
  // The same of one that is after no job.
  bool after_none() const { return after.empty() && after_any.empty(); }
  DurableOptions resolve() const;
};

// What is run.
struct Work {
  std::string handler;
  std::string shell;
  std::string cwd, stdin_file, umask;
  std::vector<std::string> env;
  bool no_env = false;
  std::chrono::milliseconds kill_after{0};
  CommandLimits limits;

  void add_to(Options& options);
  // Directory, environment, umask, stdin, limits: all but argv. Throws Exception.
  Command command() const;
  // `words`: the command, the words after -c, or the payload. Throws Exception(usage). A command
  // without a name gets itself as its name, so that lists can show it.
  DurableJob job(std::vector<std::string> words, DurableOptions options) const;
};

// A job for "exec". Without a name it gets its command line as one, so that lists can show it.
DurableJob command_job(Command command, DurableOptions options);

}  // namespace jobring::cli
