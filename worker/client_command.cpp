#include "worker/client_command.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "common/exec_codec.hpp"
#include "common/keeper_pool.hpp"

namespace jobring {
namespace {

// getpwuid() and its like keep what they return in one place for all threads.
std::mutex users_mutex;

// Whose rights a client's command has. Looked up once per uid: a worker serves few of them.
const Identity& identity_of(uid_t uid, gid_t gid) {
  static std::map<uid_t, Identity> known;
  const std::lock_guard lock(users_mutex);
  const auto found = known.find(uid);
  if (found != known.end()) return found->second;
  Identity identity{uid, gid, {gid}};
  if (const passwd* user = getpwuid(uid)) {
    identity.gid = user->pw_gid;
    int count = 64;
    identity.groups.resize(std::size_t(count));
    if (getgrouplist(user->pw_name, user->pw_gid, identity.groups.data(), &count) < 0) {
      identity.groups.resize(std::size_t(count));
      getgrouplist(user->pw_name, user->pw_gid, identity.groups.data(), &count);
    }
    identity.groups.resize(std::size_t(count));
  }
  return known.emplace(uid, std::move(identity)).first->second;
}

// The environment of a command that runs as another user and did not bring a whole one: never that
// of the worker, which may hold what is not that user's business.
std::vector<std::string> environment_of(uid_t uid, std::vector<std::string> additions) {
  std::vector<std::string> env{"PATH=/usr/local/bin:/usr/bin:/bin"};
  const std::lock_guard lock(users_mutex);
  if (const passwd* user = getpwuid(uid)) {
    env.push_back(std::string("HOME=") + user->pw_dir);
    env.push_back(std::string("USER=") + user->pw_name);
    env.push_back(std::string("LOGNAME=") + user->pw_name);
    env.push_back(std::string("SHELL=") + user->pw_shell);
  }
  for (std::string& entry : additions) {
    const std::size_t equals = entry.find('=');
    if (equals == entry.npos) continue;  // names nothing, so it replaces nothing
    const std::string name = entry.substr(0, equals + 1);
    std::erase_if(env, [&](const std::string& e) { return e.starts_with(name); });
    env.push_back(std::move(entry));
  }
  return env;
}

// What the command is told, whatever its own environment says.
void set_variable(std::vector<std::string>& env, const std::string& name,
                  const std::string& value) {
  std::erase_if(env, [&](const std::string& e) { return e.starts_with(name + "="); });
  env.push_back(name + "=" + value);
}

// Which job it is, and where its output goes. A job that bears no sensible tag is none of the
// keeper's, and runs like an attached one.
void prepare_durable(const JobRun& job, Command& command, CommandContext& context) {
  const auto tag = job.durable_tag();
  if (!tag) return;
  const KeptRun& run = *job.channel().kept;
  set_variable(command.env, "JOBRING_JOB_ID", std::to_string(tag->id));
  set_variable(command.env, "JOBRING_JOB_KEY", std::to_string(tag->id));
  set_variable(command.env, "JOBRING_ATTEMPT", std::to_string(tag->attempt));
  set_variable(command.env, kStateVariable, run.state_id);
  if (run.outputs_dir.empty()) return;
  context.output_directory = run.outputs_dir + "/" + std::to_string(tag->id / kOutputsPerDirectory);
  context.output_name = std::to_string(tag->id) + "." + std::to_string(tag->attempt);
  context.output_file_max = run.output_max;
}

Outcome outcome_of(const CommandReport& report) {
  if (report.timed_out) return Outcome::timed_out;
  if (report.killed) return Outcome::killed;
  return report.start_step.empty() && report.exit_code == 0 ? Outcome::ok : Outcome::failed;
}

}  // namespace

void prepare_command(const JobRun& job, const Welcome& settings, Command& command,
                     CommandContext& context) {
  context.timeout_ms = job.slot().timeout_ms.get();
  // The daemon's grace is the most: after it the supervisor ends the worker itself.
  context.kill_grace_ms = settings.kill_grace_ms;
  if (command.kill_grace_ms != 0) {
    context.kill_grace_ms = std::min(command.kill_grace_ms, settings.kill_grace_ms);
  }
  if (settings.run_as_client && geteuid() == 0 && job.channel().uid != geteuid()) {
    context.identity = &identity_of(job.channel().uid, job.channel().gid);
    if (!command.env_replaces) {
      command.env = environment_of(job.channel().uid, std::move(command.env));
      command.env_replaces = true;
    }
  }
  if (job.channel().kept) prepare_durable(job, command, context);
  const std::size_t max_result = job.max_result();
  context.output_room = max_result > kCommandReportHead ? max_result - kCommandReportHead : 0;
  context.keep_strays = settings.keep_strays;
}

void end_command_job(JobRun& job, const CommandOutput& output) {
  const std::string head = encode_head(output.report, output.out.size(), output.err.size());
  const std::size_t size = head.size() + output.out.size() + output.err.size();
  unsigned char* room = job.reserve(size);
  if (room == nullptr) return;
  std::memcpy(room, head.data(), head.size());
  std::memcpy(room + head.size(), output.out.data(), output.out.size());
  std::memcpy(room + head.size() + output.out.size(), output.err.data(), output.err.size());
  job.commit(size);
  job.set_outcome(outcome_of(output.report),
                  output.report.signal != 0 ? -output.report.signal : output.report.exit_code);
}

}  // namespace jobring
