#include "daemon/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "common/excerpt.hpp"

namespace jobring::log {
namespace {

constexpr std::size_t kLineMax = 4096;  // bytes of one line

std::unique_ptr<spdlog::logger> logger;

// systemd sets JOURNAL_STREAM=device:inode of the journal's stream; it is ours only if stderr is
// that very file.
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info;
  unsigned long long device = 0, inode = 0;
  return stream != nullptr && std::sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
         fstat(2, &info) == 0 && info.st_dev == device && info.st_ino == inode;
}

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

void write(spdlog::level::level_enum level, const std::string& line) {
  if (!logger) return;
  // Parts of it may be a client's or a job's own words: they must not look like lines of ours.
  const std::string safe = excerpt(line, kLineMax);
  logger->log(level, spdlog::string_view_t(safe));
}

}  // namespace

void open(LogLevel level, LogTarget target) {
  spdlog::sink_ptr sink;
  if (target == LogTarget::journal || (target == LogTarget::automatic && stderr_is_journal())) {
    sink = std::make_shared<spdlog::sinks::systemd_sink_st>("jobringd");
  } else {
    sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
    sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  }
  logger = std::make_unique<spdlog::logger>("jobringd", std::move(sink));
  logger->set_level(level_of(level));
  logger->flush_on(spdlog::level::trace);
}

void flush() {
  if (logger) logger->flush();
}

void debug(const std::string& line) {
  write(spdlog::level::debug, line);
}
void info(const std::string& line) {
  write(spdlog::level::info, line);
}
void warning(const std::string& line) {
  write(spdlog::level::warn, line);
}
void error(const std::string& line) {
  write(spdlog::level::err, line);
}

}  // namespace jobring::log
