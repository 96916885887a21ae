// Durable jobs: kept by the daemon until they have ended, over the death of everything but the disk
// (docs/durable.md). A job that was accepted is run at least once; never twice at a time.
//
//     jobring::Client client = jobring::Client::connect();
//     jobring::DurableJobs jobs(client);
//     jobring::DurableFuture f = jobs.run({.argv = {"make", "world"}}, {.name = "world"});
//     remember(f.id());                                     // it survives us
//     ...
//     std::puts(jobs.attach(id).get().c_str());
//
// A job's handler may see the same job again after a crash: it gets the attempt's number and a key
// that is the same in all of them (handler.hpp: job.durable_id(), job.attempt(); commands:
// $JOBRING_JOB_ID, $JOBRING_ATTEMPT, $JOBRING_JOB_KEY).
//
// Threads: as Client and Pool. Errors are exceptions: DurableError and Exception. Time-outs: as
// those of Future.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jobring/jobring.hpp>

namespace jobring {

namespace detail {
class DurableCore;
struct DurableState;
}  // namespace detail

// From 1, growing, never used again; less than 2^48. Groups have theirs from the same sequence.
using JobId = std::uint64_t;

enum class JobState : std::uint8_t {
  delayed,    // waits for its time or for other jobs
  ready,      // waits for a worker, or for a place under its concurrency key
  running,    // handed to its pool
  succeeded,  // ended
  failed,     // an attempt failed, the next one waits for its time
  dead,       // ended: gave up, or was buried
  cancelled,  // ended
  held        // waits for its release
};
const char* to_string(JobState state);
constexpr bool has_ended(JobState s) {
  return s == JobState::succeeded || s == JobState::dead || s == JobState::cancelled;
}

// What an acknowledged submission survives.
enum class Durability : std::uint8_t {
  none,     // the death of all jobring processes, not a power cut
  batched,  // a power cut after the daemon's flush time (100 ms by default)
  synced    // a power cut
};

using WallTime = std::chrono::system_clock::time_point;

// After an attempt that failed, crashed, timed out or was lost: the pause before the next is
// base, then twice as long each time up to cap; give or take the jitter.
struct RetryPolicy {
  std::uint32_t max = 0;  // attempts after the first
  std::chrono::milliseconds base{1'000};
  std::chrono::milliseconds cap{3'600'000};
  unsigned jitter_percent = 20;
  std::vector<int> exits{};  // exit codes of commands after which it is tried again; empty: all
};

struct JobDependency {
  enum class After : std::uint8_t { success, any };
  JobId on = 0;  // a job, or a group: all that are in it
  After after = After::success;
  bool in_batch = false;  // `on` is a place in the same submit_all(), from 0, before this one
};

// At most one job of this user has the key at a time.
struct UniqueKey {
  enum class Until : std::uint8_t { started, ended, time };
  std::string key{};  // empty: none
  Until until = Until::ended;
  std::chrono::milliseconds for_time{0};  // with Until::time, from the submission
  bool replace = false;  // the one that waits is cancelled for this one; else this one is refused
};

// One job for each of first, first + step, ... up to last: $JOBRING_INDEX, job.index().
struct JobArray {
  std::int64_t first = 0, last = 0, step = 1;
  std::uint32_t at_once = 0;  // how many may run at a time; 0: all
};

struct DurableOptions {
  std::string pool = "default";
  std::string name{};
  std::vector<std::string> tags{};
  std::int32_t priority = 0;  // higher is sooner; a level is worth 10,000 places in the line
  Durability durability = Durability::synced;
  bool held = false;
  std::chrono::milliseconds delay{0};
  std::optional<WallTime> run_at{};
  std::optional<WallTime> deadline{};    // not begun later than this
  std::chrono::milliseconds timeout{0};  // of each attempt; 0: none
  RetryPolicy retry{};
  std::vector<JobDependency> after{};
  JobId group = 0;  // joins it
  UniqueKey unique{};
  std::string concurrency_key{};      // of this user's jobs that have it,
  std::uint32_t concurrency_max = 0;  // so many run at a time
  // Forgotten so long after its end; 0: at once if it succeeded; unset: as the daemon is
  // configured.
  std::optional<std::chrono::milliseconds> keep{};
  std::uint64_t output_max = 0;  // bytes of a command's stdout and of its stderr that are kept;
                                 // 0: as the daemon is configured
  std::optional<JobArray> array{};
};

// One of many that are submitted at once.
struct DurableJob {
  std::string handler;
  std::string payload;
  DurableOptions options{};
};
// A command as one.
DurableJob durable_command(const Command& command, DurableOptions options = {});

// What became of one that was submitted.
struct SubmitAnswer {
  enum class Status : std::uint8_t {
    stored,
    duplicate,       // its unique key is taken, by `id`
    no_such_job,     // it is after `id`, which is not there
    cannot_succeed,  // it is after the success of `id`, which has ended without
    no_such_group,   // or it is sealed
    bad              // makes no sense
  };
  Status status = Status::stored;
  JobId id = 0;             // of the group if it is an array
  std::uint32_t count = 1;  // of an array: id + 1 ... id + count
  JobId replaced = 0;       // cancelled for this one
};
const char* to_string(SubmitAnswer::Status status);

// One run of a job.
struct AttemptInfo {
  std::uint32_t number = 0;  // from 1
  std::int32_t worker = 0;   // pid of the command, or of the process whose handler it was
  WallTime started{}, ended{};
  Outcome outcome = Outcome::ok;
  std::int32_t exit_code = 0;
  std::int32_t signal = 0;
  std::chrono::microseconds user{0}, system{0};
  std::uint64_t max_rss_kib = 0;
  std::string tail;  // the last lines of a command's output, or why it ended
};

struct JobGroup {
  JobId id = 0;
  std::uint64_t size = 0, open = 0, bad = 0;  // members; not ended; ended without success
  bool sealed = false;
};

struct DurableInfo {
  JobId id = 0;
  JobState state = JobState::ready;
  std::string handler, payload;
  DurableOptions options;  // as submitted, pool and priority as they are now
  std::uint32_t uid = 0, gid = 0;
  WallTime submitted{};
  std::optional<std::int64_t> index{};  // in its array
  std::uint32_t attempts = 0;           // begun
  std::optional<WallTime> due{};        // delayed, failed: when it goes on
  std::uint32_t unmet = 0;              // jobs that it waits for
  bool stop_wanted = false;             // cancelled while it runs
  std::optional<AttemptInfo> last{};
  std::string result;
  bool payload_left_out = false, result_left_out = false;  // long ones, in lists
  // Of show() only.
  std::vector<AttemptInfo> history{};  // the last 20
  std::vector<JobId> waits_for{};
  std::optional<Progress> progress{};
  // Of DurableFuture::info() only, if the future is that of an array or a group: how it went. Of
  // the rest id and state are set: succeeded if all of its members did, else dead.
  std::optional<JobGroup> members{};

  // Of a command: its report (its output is in the logs). Throws Exception(bad_input) if the result
  // is not one.
  CommandReport report() const;
  // Of a command: what is run.
  std::optional<Command> command() const;
};

// Which jobs: those that fit all that is said. Of other users only if we are root, or whom the
// daemon runs as.
struct JobFilter {
  std::vector<std::pair<JobId, JobId>> ids{};  // ranges, both ends included; empty: all
  std::string pool{};
  std::vector<JobState> states{};  // any of them; empty: all
  std::string tag{}, name{};
  std::optional<std::uint32_t> uid{};
  std::optional<WallTime> ended_before{};
  JobId group = 0;  // in this group or array; 0: any
};

struct JobPage {
  std::vector<DurableInfo> jobs;  // newest first
  JobId next = 0;                 // go on below this one; 0: that was all
};

enum class JobVerb : std::uint8_t {
  hold,     // delayed, ready, failed → held
  release,  // held → where it was
  cancel,   // all that have not ended → cancelled; running ones are stopped
  bury,     // delayed, ready, failed, held → dead
  kick,     // dead, delayed, failed → ready, with all retries
  retry,    // succeeded, dead, cancelled → ready, with all retries
  edit,     // delayed, ready, failed, held: as JobEdit says
  remove    // succeeded, dead, cancelled: forgotten
};
struct JobEdit {
  std::optional<std::int32_t> priority{};
  std::optional<std::string> pool{};
  std::optional<std::chrono::milliseconds> delay{};  // from now
};
struct VerbResult {
  std::uint64_t changed = 0;
  std::uint64_t unfit = 0;  // selected, but the verb means nothing in their state
};

struct PoolJobs {
  std::string pool;
  bool paused = false;
  std::array<std::uint64_t, 8> jobs{};  // by JobState
};

struct CronSpec {
  std::string name;
  std::string schedule;  // "*/5 * * * *", "@daily"
  std::string zone{};    // "Europe/Berlin"; empty: the daemon's
  enum class CatchUp : std::uint8_t { skip, once, all };
  CatchUp catch_up = CatchUp::once;  // for times that were missed while no daemon ran
  DurableJob job{};
  std::optional<WallTime> next{}, last{};  // in lists
  std::uint32_t uid = 0;                   // in lists
};

struct JobEvent {
  std::uint64_t sequence = 0;  // grows, over restarts too
  WallTime time{};
  JobId id = 0;
  JobState state = JobState::ready;
  std::uint32_t attempt = 0;
  std::uint32_t uid = 0;
  std::string pool, name;
  bool removed = false;
};
struct JobEvents {
  std::vector<JobEvent> events;
  std::uint64_t last = 0;  // ask for what comes after it
  bool gap = false;        // some were forgotten before they were read
};

struct LogPart {
  std::string bytes;
  std::uint64_t offset = 0;   // of the first of them
  bool end = false;           // nothing will come behind them
  bool cut = false;           // the command wrote more than is kept
  std::uint32_t attempt = 0;  // whose
};

// kind() is one word: "not_found", "permission", "bad_argument", "too_large", "full",
// "store_failed", "exists", "timed_out", "cancelled", "lost"; of refused submissions the name of
// SubmitAnswer::Status.
class DurableError : public Exception {
 public:
  using Exception::Exception;
  DurableError(int exit_status, const char* kind, const std::string& line, JobId job)
      : Exception(exit_status, kind, line), job_(job) {}
  // Of a refused submission: the job or group in its way, or 0.
  JobId job() const { return job_; }

 private:
  JobId job_ = 0;
};

// Thrown by submit_all() if one of its several requests failed, after others were answered: kind()
// and what() are those of what failed, and nothing of that request and those behind it was kept.
class PartlySubmitted : public DurableError {
 public:
  PartlySubmitted(const Exception& failed, std::vector<SubmitAnswer> answers)
      : DurableError(failed.exit_status(), failed.kind(), failed.what()),
        answers_(std::make_shared<const std::vector<SubmitAnswer>>(std::move(answers))) {}
  // Of the first jobs, as far as they were answered.
  const std::vector<SubmitAnswer>& answers() const { return *answers_; }

 private:
  std::shared_ptr<const std::vector<SubmitAnswer>> answers_;
};

// A job that outlives us. Copyable: copies share what is known of it. Dropping all copies does not
// touch the job. It keeps the connection open. One that was default-constructed has no job: every
// member but valid() throws Exception(bad_input).
//
// The daemon is asked once, when something first wants to know, and answers when the job has ended.
// Any number of them may be waited for: they do not need a slot each.
//
// It is over when the job has ended, and also when it cannot be known any more: the job was
// forgotten meanwhile, or the daemon went away. Then info() and get() throw. What it has said once
// it says for ever: attach() again for a job that was retried after its end, or after connecting to
// the daemon again.
class DurableFuture {
 public:
  DurableFuture() = default;
  bool valid() const { return state_ != nullptr; }
  JobId id() const;
  // Whether it is over. Asks the daemon in the background: never blocks.
  bool ready() const;
  void wait() const;
  bool wait_for(std::chrono::nanoseconds timeout) const;  // true if it is over
  // Waits, then all that is known of its end, valid while a copy of this lives. Its payload is left
  // out if it is long, and its result if it has more bytes than one answer (1 MiB by default).
  // Throws DurableError(not_found) if it was forgotten, Exception(no_daemon) if the daemon went
  // away.
  const DurableInfo& info() const;
  // Waits, then its result; of a command, what it wrote to stdout, as far as it was kept. Throws
  // JobFailed unless it succeeded. The result of an array or a group is empty.
  std::string get() const;
  // Once, when it is over; rules as for Future::on_ready(). If all copies of it and of DurableJobs
  // are destroyed before, it is called then, and info() throws Exception(no_daemon).
  void on_ready(std::function<void(const DurableFuture&)> callback) const;

 private:
  friend class detail::DurableCore;
  DurableFuture(std::shared_ptr<detail::DurableCore> core,
                std::shared_ptr<detail::DurableState> state)
      : core_(std::move(core)), state_(std::move(state)) {}
  detail::DurableState& state() const;
  std::shared_ptr<detail::DurableCore> connection() const;
  std::shared_ptr<detail::DurableCore> core_;  // null: closed
  std::shared_ptr<detail::DurableState> state_;
};

// The daemon's durable jobs. Copies, and all of one Client, share one channel. All functions block
// until the daemon has answered, which for changes is after they are safe; after a crash of the
// keeper they go on by themselves. Any thread.
//
// Errors of all functions: DurableError(bad_argument) for what makes no sense, too_large for more
// bytes than the daemon's limits, full (a limit of the daemon, or its disk), store_failed (the disk
// refused); Exception(no_daemon) if the daemon is gone.
class DurableJobs {
 public:
  // Throws Exception: the daemon keeps no jobs (a private one, or "keeper" is off).
  // `requests`: how many may be under way at a time, waits included, if this is the first of its
  // client, and at least 16; 0: as the daemon is configured (1,024). A program that lives for a
  // moment starts faster with few.
  explicit DurableJobs(Client& client, std::uint32_t requests = 0);

  // ---- submitting
  // Throws DurableError if it is refused. The future of an array is that of its group.
  DurableFuture submit(std::string_view handler, std::string_view payload,
                       const DurableOptions& options = {});
  DurableFuture run(const Command& command, const DurableOptions& options = {});
  // An answer for each, in their order: one that is refused does not stop the others. All in one
  // turn, kept whole or not at all, as far as one request has room for them (100,000 jobs, and 8
  // MiB by default), else in several requests, one after the other: PartlySubmitted. Throws before
  // anything is kept if one of them makes no sense.
  std::vector<SubmitAnswer> submit_all(std::span<const DurableJob> jobs);
  // The same in one request and without waiting for the answer: on_ready(), poll() of pool(), then
  // answers(). Blocks while the channel is full. Throws DurableError(too_large) if one request has
  // no room for them.
  Future start_submit(std::span<const DurableJob> jobs);
  static std::vector<SubmitAnswer> answers(const Future& submitted);  // waits for it

  // Of a job, or of a group. Asks nothing yet.
  DurableFuture attach(JobId id);
  JobId new_group();
  void seal(JobId group);  // nothing joins it any more
  JobGroup group(JobId id);
  // Waits for all of its members to have ended; false: the time is over.
  bool wait_group(JobId id, std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max());

  // ---- looking
  JobPage list(const JobFilter& filter = {}, std::size_t most = 50, JobId below = 0);
  std::optional<DurableInfo> show(JobId id);
  std::vector<std::string> explain(JobId id);  // why it does not run yet
  std::vector<PoolJobs> counts();
  // `attempt` 0: the last. `offset` below 0: so many bytes before the end. With `patience`, waits
  // so long for something behind `offset`.
  LogPart logs(JobId id, bool of_stderr = false, std::int64_t offset = 0,
               std::uint64_t size = 1 << 16, std::uint32_t attempt = 0,
               std::chrono::nanoseconds patience = std::chrono::nanoseconds(0));
  // After `after` (0: all that are remembered; events_now: what comes).
  static constexpr std::uint64_t events_now = ~std::uint64_t{0};
  JobEvents events(std::uint64_t after, std::size_t most = 1000,
                   std::chrono::nanoseconds patience = std::chrono::nanoseconds(0));

  // ---- changing
  VerbResult apply(JobVerb verb, const JobFilter& filter, const JobEdit& edit = {});
  // What apply() would change.
  VerbResult would_apply(JobVerb verb, const JobFilter& filter);
  bool cancel(JobId id) { return apply(JobVerb::cancel, {.ids = {{id, id}}}).changed != 0; }
  std::uint64_t kill(const JobFilter& filter, int signal = 15);
  void pause(std::string_view pool);
  void resume(std::string_view pool);
  // Pauses it and waits until nothing of it runs; how many still do when the time is over.
  std::uint64_t drain(std::string_view pool,
                      std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max());

  // ---- cron
  WallTime put_cron(const CronSpec& cron, bool replace = false);  // when it fires next; @reboot: 0
  bool remove_cron(std::string_view name);
  std::vector<CronSpec> cron();
  JobId run_cron(std::string_view name);

  // ---- export and import: opaque bytes, readable by this version and newer ones.
  std::optional<std::string> export_job(JobId id);
  bool import_job(std::string_view exported);  // false: its id is taken

  // The channel that carries all this: its fd() and poll() for event loops. Submit nothing to it.
  Pool pool() const;

 private:
  friend class detail::DurableCore;
  explicit DurableJobs(std::shared_ptr<detail::DurableCore> core) : core_(std::move(core)) {}
  std::shared_ptr<detail::DurableCore> core_;
};

}  // namespace jobring
