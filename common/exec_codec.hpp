// Command, CommandReport <-> the bytes of a payload and of a result. Layouts: see exec_codec.cpp.
// Both directions of both may come from a process that is not trusted: everything is checked.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <jobring/command.hpp>

#include "common/result.hpp"

namespace jobring {

inline constexpr std::string_view kExecHandler = "exec";

std::string encode(const Command& command);
Result<Command> decode_command(std::span<const unsigned char> payload);

// Head, then stdout, then stderr. `start_step` is cut so that the head stays within
// kCommandReportHead.
inline constexpr std::size_t kCommandReportHead = 512;  // bytes
std::string encode_head(const CommandReport& report, std::size_t out_len, std::size_t err_len);
Result<CommandResult> decode_command_result(std::span<const unsigned char> result);

}  // namespace jobring
