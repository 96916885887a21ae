// The daemon's log. spdlog inside, in one translation unit.
#pragma once

#include <string>

#include "common/config/config.hpp"

namespace jobring::log {

// stderr by default; the journal if the target says so, or is automatic and stderr is the
// journal's.
void open(LogLevel level, LogTarget target);
void flush();

void debug(const std::string& line);
void info(const std::string& line);
void warning(const std::string& line);
void error(const std::string& line);

}  // namespace jobring::log
