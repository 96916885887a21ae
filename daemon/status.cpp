#include "daemon/status.hpp"

#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/clock.hpp"
#include "daemon/printable.hpp"

namespace jobring {
namespace {

using Json = nlohmann::ordered_json;

std::uint64_t rss_kib(pid_t pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/statm", int(pid));
  FILE* file = std::fopen(path, "re");
  if (file == nullptr) return 0;
  unsigned long size = 0, resident = 0;
  const int fields = std::fscanf(file, "%lu %lu", &size, &resident);
  std::fclose(file);
  return fields == 2 ? resident * 4 : 0;
}

// What the job's client and handler say of it: both are for people, and neither is believed.
void add_note(Json& job, const ChannelView& view, std::uint32_t index) {
  const StateWord word = view.slot(index).word();
  if (!word.is(SlotState::running)) return;
  if (view.slot(index).flags.get() & kJobTagged) job["tag"] = printable(view.note(index).get_tag());
  if (const auto progress = view.note(index).progress.read(word.generation())) {
    job["progress"] = {
        {"done", progress->done}, {"total", progress->total}, {"text", printable(progress->text)}};
  }
}

Json current_job(const Pool& pool, const WorkerEntry& entry) {
  Json job;
  const std::uint32_t id = entry.job_channel.get();
  const std::uint32_t slot = entry.job_slot.get();
  job["channel"] = id;
  job["slot"] = slot;
  const auto found = pool.channels().find(id);
  if (found != pool.channels().end() && slot < found->second->view.shape().slots) {
    job["handler"] = printable(handler_of(found->second->view, slot));
    job["client"] = printable(found->second->client);
    add_note(job, found->second->view, slot);
  }
  const std::uint64_t started = entry.job_started_ns.get();
  const std::uint64_t now = now_ns();
  job["running_ms"] = now > started ? (now - started) / 1'000'000 : 0;
  return job;
}

// One for each lane: in a thread pool several have the pid, and the memory, of one process.
Json lane_json(const Pool& pool, const Worker& worker, const Lane& lane) {
  const WorkerEntry& entry = pool.page().worker(lane.index);
  const bool up = worker.state == WorkerState::running;
  const bool busy = up && entry.busy.get() != 0;
  const bool sleeping = pool.page().sleeping[lane.index / 64].load() >> (lane.index % 64) & 1;
  Json json;
  json["index"] = lane.index;
  json["process"] = worker.index;
  json["pid"] = up || worker.state == WorkerState::starting ? worker.process.pid : 0;
  json["state"] = worker.state == WorkerState::starting ? "starting"
                  : !up                                 ? "down"
                  : worker.stopped                      ? "stopped"
                  : busy                                ? "busy"
                  : sleeping                            ? "sleeping"
                                                        : "idle";
  json["jobs"] = entry.jobs.get();
  json["failed"] = entry.failed.get();
  json["busy_us"] = entry.busy_us.get();
  json["stolen"] = entry.stolen.get();
  json["sleeps"] = entry.sleeps.get();
  json["rss_kib"] = up ? rss_kib(worker.process.pid) : 0;
  json["restarts"] = worker.starts > 0 ? worker.starts - 1 : 0;
  json["in_flight"] = up ? entry.busy.get() : 0;
  // Of an async worker: the job whose code holds its loop, if any does.
  json["current"] = busy && entry.job_started_ns.get() != 0 ? current_job(pool, entry) : Json();
  return json;
}

Json channel_json(const Channel& channel, std::uint64_t& queued_total) {
  const ChannelHeader& header = channel.view.header();
  Json json;
  json["id"] = channel.id;
  json["client"] = printable(channel.client);
  json["client_pid"] = channel.peer.pid;
  json["uid"] = channel.peer.uid;
  json["kept"] = channel.kept;
  json["slots"] = channel.view.shape().slots;
  std::uint64_t submitted = 0;
  for (const auto& ring : header.submission) submitted += ring.tail.load(std::memory_order_relaxed);
  json["submitted"] = submitted;
  json["completed"] = header.completion.head.load(std::memory_order_relaxed);
  Json queued = Json::array();
  for (std::uint32_t p = 0; p < kPriorities; ++p) {
    const auto ring = channel.view.submission_consumer(p);
    const std::uint64_t backlog = std::min<std::uint64_t>(ring.backlog(), ring.size());
    queued.push_back(backlog);
    queued_total += backlog;
  }
  json["queued"] = queued;
  return json;
}

Json crashed_json(const CrashedJob& job) {
  using std::chrono::system_clock;
  const std::time_t when = system_clock::to_time_t(job.when);
  std::tm utc{};
  gmtime_r(&when, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  const auto age =
      std::chrono::duration_cast<std::chrono::milliseconds>(system_clock::now() - job.when);
  Json json;
  json["when"] = text;
  json["age_ms"] = std::max<std::int64_t>(0, age.count());
  json["handler"] = printable(job.handler);
  json["client"] = printable(job.client);
  json["client_pid"] = job.client_pid;
  json["uid"] = job.uid;
  json["attempts"] = job.attempts;
  json["quarantined"] = job.quarantined;
  json["signal"] = job.signal;
  json["evidence"] = job.evidence;
  return json;
}

Json pool_json(const Pool& pool) {
  Json json;
  json["name"] = pool.config().name;
  json["model"] = to_string(pool.config().model);
  bool running = false;
  for (const auto& worker : pool.workers()) running |= worker->state == WorkerState::running;
  json["state"] = !pool.broken_reason().empty() ? "broken" : running ? "running" : "backing_off";
  if (!pool.broken_reason().empty()) json["reason"] = pool.broken_reason();
  std::uint64_t jobs = pool.past_jobs(), failed = pool.past_failed(), queued = 0;
  json["workers"] = Json::array();
  for (const auto& worker : pool.workers()) {
    for (const Lane& lane : worker->lanes) {
      json["workers"].push_back(lane_json(pool, *worker, lane));
      jobs += pool.page().worker(lane.index).jobs.get();
      failed += pool.page().worker(lane.index).failed.get();
    }
  }
  json["channels"] = Json::array();
  for (const auto& [id, channel] : pool.channels()) {
    if (!channel->closed) json["channels"].push_back(channel_json(*channel, queued));
  }
  json["jobs"] = jobs;
  json["failed"] = failed;
  json["crashes"] = pool.crashes();
  json["quarantined"] = pool.crashed_jobs().quarantined();
  json["crashed_jobs"] = Json::array();
  for (const CrashedJob& job : pool.crashed_jobs().jobs())
    json["crashed_jobs"].push_back(crashed_json(job));
  json["queued"] = queued;
  return json;
}

}  // namespace

std::string status_json(const DaemonStatus& daemon,
                        const std::vector<std::unique_ptr<Pool>>& pools) {
  Json json;
  json["version"] = daemon.pong.version;
  json["pid"] = daemon.pong.pid;
  json["uptime_ms"] = daemon.pong.uptime_ms;
  json["socket"] = daemon.socket;
  json["clients"] = daemon.clients;
  json["draining"] = daemon.draining;
  json["pools"] = Json::array();
  for (const auto& pool : pools) json["pools"].push_back(pool_json(*pool));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace jobring
