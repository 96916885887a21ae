// Commands: run as jobs, or put into and read from payloads and results by themselves.
#include <jobring/c/submit.h>

#include <cstdlib>
#include <cstring>

#include "client/c/guard.hpp"
#include "client/c/handles.hpp"
#include "common/command_limits.hpp"
#include "common/exec_codec.hpp"

using namespace jobring::c;

static_assert(jobring::kCommandLimits[JOBRING_LIMIT_MEMORY].resource == RLIMIT_AS &&
              jobring::kCommandLimits[JOBRING_LIMIT_CPU].resource == RLIMIT_CPU &&
              jobring::kCommandLimits[JOBRING_LIMIT_OPEN_FILES].resource == RLIMIT_NOFILE &&
              jobring::kCommandLimits[JOBRING_LIMIT_PROCESSES].resource == RLIMIT_NPROC &&
              jobring::kCommandLimits[JOBRING_LIMIT_FILE_SIZE].resource == RLIMIT_FSIZE &&
              jobring::kCommandLimits[JOBRING_LIMIT_CORE].resource == RLIMIT_CORE &&
              jobring::kCommandLimits[JOBRING_LIMIT_STACK].resource == RLIMIT_STACK);

namespace {

std::vector<std::string> strings(const char* const* list) {
  std::vector<std::string> all;
  for (; list != nullptr && *list != nullptr; ++list) all.emplace_back(*list);
  return all;
}

}  // namespace

jobring::Command jobring::c::command_of(const jobring_command& given) {
  Command command;
  command.argv = strings(given.argv);
  if (command.argv.empty()) bad_input("needs at least a program", "command.argv");
  command.env = strings(given.env);
  command.env_replaces = given.env_replaces != 0;
  command.cwd = text_or_empty(given.cwd);
  command.stdin_text = need_bytes(given.stdin_bytes, given.stdin_len, "command.stdin_bytes");
  command.stdin_file = text_or_empty(given.stdin_file);
  if (given.set_umask != 0) {
    if (given.umask > 0777) bad_input("is more than 0777", "command.umask");
    command.umask = int(given.umask);
  }
  command.output_max = given.output_max;
  command.kill_grace_ms = given.kill_grace_ms;
  if (given.limits_count != 0) need(given.limits, "command.limits");
  for (std::size_t i = 0; i < given.limits_count; ++i) {
    const jobring_limit& limit = given.limits[i];
    if (limit.what < 0 || std::size_t(limit.what) >= jobring::kCommandLimits.size())
      bad_input(std::to_string(limit.what) + " is none of its values", "command.limits[].what");
    command.limits.*jobring::kCommandLimits[std::size_t(limit.what)].value = limit.value;
  }
  return command;
}

jobring_command_result jobring::c::describe_command(std::string_view bytes) {
  const auto decoded =
      decode_command_result({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
  if (!decoded) bad_input("is no command's: " + decoded.error().line(), "result");
  const CommandResult& result = *decoded;
  const CommandReport& report = result.report;
  jobring_command_result value{};
  value.shell_status = report.shell_status();
  value.exit_code = report.exit_code;
  value.signal = report.signal;
  value.start_errno = report.start_errno;
  value.timed_out = report.timed_out ? 1 : 0;
  value.killed = report.killed ? 1 : 0;
  value.pid = report.pid;
  value.stdout_truncated = report.stdout_truncated ? 1 : 0;
  value.stderr_truncated = report.stderr_truncated ? 1 : 0;
  value.stdout_total = report.stdout_total;
  value.stderr_total = report.stderr_total;
  value.wall_us = report.wall_us;
  value.user_us = report.user_us;
  value.system_us = report.system_us;
  value.max_rss_kib = report.max_rss_kib;
  value.stdout_bytes = result.out.data() != nullptr ? result.out.data() : "";
  value.stdout_len = result.out.size();
  value.stderr_bytes = result.err.data() != nullptr ? result.err.data() : "";
  value.stderr_len = result.err.size();
  report.start_step.copy(value.start_step, sizeof value.start_step - 1);
  return value;
}

jobring_status jobring_run(jobring_pool* pool, const jobring_command* command,
                           const jobring_job_options* options, int64_t patience_ns,
                           jobring_future** future) {
  return guarded([&] {
    auto*& out = need_out(future, "future");
    jobring::Pool& to = need(pool, "pool").pool;
    const auto given = read_struct(&need(command, "command"), "jobring_command");
    const auto patience = need_time(patience_ns, "patience_ns");
    const auto job = job_options(options);
    const jobring::Command what = command_of(given);
    return give_future(out, [&]() -> std::optional<jobring::Future> {
      if (given.use_stdio != 0) return to.run_with_stdio(what, job);
      return to.submit_for(patience, jobring::kExecHandler, jobring::encode(what), job);
    });
  });
}

jobring_status jobring_command_encode(const jobring_command* command, void** payload, size_t* len) {
  return guarded([&] {
    auto*& out = need_out(payload, "payload");
    std::size_t& size = need(len, "len") = 0;
    const auto given = read_struct(&need(command, "command"), "jobring_command");
    const std::string bytes = jobring::encode(command_of(given));
    out = std::malloc(bytes.size() + 1);
    if (out == nullptr) throw std::bad_alloc();
    std::memcpy(out, bytes.c_str(), bytes.size() + 1);
    size = bytes.size();
  });
}

jobring_status jobring_command_decode(const void* result, size_t len,
                                      jobring_command_result* report) {
  return guarded([&] {
    auto& to = need_struct(report, "jobring_command_result");
    write_struct(to, describe_command(need_bytes(result, len, "result")));
  });
}
