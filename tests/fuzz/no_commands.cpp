// In place of worker/exec: a fuzzed job "exec" must not run what the fuzzer wrote into it. What
// stands here instead is the client's chance to scribble while its job is RUNNING.
#include "tests/fuzz/no_commands.hpp"

#include "worker/exec/run_command.hpp"

namespace jobring {

CommandOutput run_command(const Command& command, const CommandContext&) {
  if (fuzz::while_a_command_runs) fuzz::while_a_command_runs();
  CommandOutput output;
  output.report.exit_code = 0;
  output.out = command.argv.front();
  return output;
}

void reap_strays() {}
void reap_dead_strays(pid_t) {}
void spare_children() {}
void spare_nobody() {}
bool may_have_strays() {
  return false;
}

}  // namespace jobring

std::function<void()> jobring::fuzz::while_a_command_runs;
