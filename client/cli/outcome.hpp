// How the end of a job becomes an exit status and a line for a person.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <jobring/channel.hpp>
#include <jobring/command.hpp>
#include <jobring/types.hpp>

namespace jobring::cli {

// 0 ok, 1 failed, 124 timed out, 128+signal killed or crashed, 130 withdrawn, 75 expired or result
// too big, 69 lost, 65 no such handler or a payload it cannot take. `detail` as in Completion.
int exit_status(Outcome outcome, std::int32_t detail);

// "the worker crashed (signal 11): ...": what ended a job that has no command report, with the
// worker's words about it.
std::string describe(Outcome outcome, std::int32_t detail, std::string_view message);

// Why a command could not be started or was ended by us; empty if its exit status says all.
std::string describe(const CommandReport& report);

// A completion, judged.
struct JobEnd {
  Outcome outcome = Outcome::lost;
  int status = 0;           // as a shell reports it
  int signal = 0;           // what ended the command or the worker; 0: none
  bool has_report = false;  // a command that was at least tried
  CommandReport report;
  std::string_view
      out;  // a command's stdout; a handler's result. Valid as long as the completion's result
  std::string_view err;  // a command's stderr
  std::string problem;   // for stderr, when the status does not say all; else empty
  std::uint8_t attempts = 0;
  std::uint16_t worker = 0;
  std::uint64_t queue_ns = 0;
  std::uint64_t run_us = 0;

  bool ok() const { return status == 0; }
  // "stdout was cut to 1 MiB of 3 MiB": empty if nothing was.
  std::string truncation() const;
};

// `command`: the job was for the handler "exec".
JobEnd judge(const Completion& completion, bool command);

}  // namespace jobring::cli
