// What a client asks the keeper, and what it answers: the payload and the result of a job for the
// internal pool @keeper, handler "keeper". Layouts: see messages.cpp. Both sides check what they
// decode; decoded texts are views of the bytes that were decoded, so they live as long as those do.
//
// Who asks is what the supervisor says of the channel, never what a request says: uid and gid of
// specifications and selectors are set by the keeper. A user sees and touches jobs, groups and cron
// entries of his own; root and the daemon's own user all.
//
// A request may be seen twice, after the keeper's death: it is done once and answered twice alike.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/keeper/query.hpp"
#include "common/result.hpp"

namespace jobring::keeper {

inline constexpr const char* kKeeperHandler = "keeper";

// Below each: the fields of the request that it uses, and of the reply.
enum class Op : std::uint8_t {
  // jobs: in one turn, all of them or none; each with an answer of its own (a unique key that is
  // taken does not stop the others). number: if not 0, of at most 64 KiB, a random number of the
  // sender's that names the request wherever it comes from; flags: kAskedBefore: it may have come
  // before, and then its answer is what was said to it by the keeper that has died since.
  //   → payload: encode_submitted(), acknowledged as the strongest durability among them asks
  submit = 1,
  // which, verb, edit; signal: what running jobs get that are cancelled, 0: TERM. flags: kDryRun.
  //   → number: changed; id: selected but unfit
  apply = 2,
  // which, signal: to those that run; they end as killed, and are not tried again.
  //   → number: how many
  kill = 3,
  // which, id: below this one (0: the newest), number: at most so many (0: 50).
  //   → payload: encode_views(); id: go on below it; 0: that was all
  list = 4,
  // id. flags: kComplete.  → payload: encode_record()
  show = 5,
  // id, of a job or a group; deadline. flags: kStarted: until it runs or has ended; kComplete or
  // kResult.  → payload: encode_view() of a job, encode_group() of a group (flags: kIsGroup)
  wait = 6,
  // id, number: attempt (0: the last), flags: kStderr, kFollow; offset (below 0: so many bytes
  // before the end), size: at most; deadline with kFollow: until there is something to read.
  //   → payload: bytes; number: their offset; flags: kEnd: nothing will come behind them, kCut:
  //     the command wrote more than was kept; id: the attempt
  logs = 7,
  // → payload: encode_counts()
  counts = 8,
  // text: the pool; number: PoolVerb; deadline of a drain.  → number: of a drain, jobs still there
  pool = 9,
  // cron, jobs: the one that is submitted each time. flags: kReplace  → number: next_ms
  cron_put = 10,
  cron_remove = 11,  // text: its name
  cron_list = 12,    // → payload: encode_cron(); each with its job
  cron_run = 13,     // text: submits its job now  → id
  new_group = 14,    // → id
  seal_group = 15,   // id
  group = 16,        // id → payload: encode_group()
  // id → payload: why it does not run yet, a line each
  explain = 17,
  // id: after this event (0: from the oldest that is remembered; ~0: from now on), number: at most,
  // deadline: until there is one.  → payload: encode_events(); id: the last; flags: kGap: some
  // after `id` are forgotten
  events = 18,
  // text: one encode_record(), as show with kComplete gave it. Root and the daemon's user keep the
  // owner it names, others become it.  → number: 1, or 0 if the id is taken
  import_job = 19,
  // which: its ids only, of jobs; deadline: until at least one of them has ended or is not there.
  //   → payload: encode_ids() of those, as many as there is room for
  wait_any = 20,
  // id; flags: kResult: of its result, else of its payload; offset, size: at most.
  //   → payload: bytes; number: how many there are in all
  bytes = 21,
};
inline constexpr std::uint8_t kOpLast = 21;

enum class PoolVerb : std::uint8_t { pause = 0, resume = 1, drain = 2 };

// Long payloads and results (more than about 1 KiB) are left out of answers unless they are asked
// for, and then too if the answer would have more bytes than the limit: payload_big and result_big
// say so, and Op::bytes has them.
enum RequestFlags : std::uint16_t {
  kDryRun = 1,
  kComplete = 2,  // with both
  kStarted = 4,
  kStderr = 8,
  kFollow = 16,
  kReplace = 32,
  kResult = 64,  // with a long result
  kAskedBefore = 128,
};
enum ReplyFlags : std::uint16_t {
  kEnd = 1,
  kCut = 2,
  kGap = 4,
  kIsGroup = 8,
};

enum class Status : std::uint8_t {
  ok = 0,
  timed_out = 1,
  cancelled = 2,     // the request was withdrawn while it waited
  not_found = 3,     // no such job, group, entry or attempt; or somebody else's
  permission = 4,    // only root and the daemon's user may
  bad_argument = 5,  // its line says which
  too_large = 6,     // the answer, or the request, has more bytes than the limit
  full = 7,          // jobs_max, jobs_per_user, or the disk: nothing was kept; try again later
  store_failed = 8,  // the disk refused: nothing was kept
  exists = 9,        // a cron entry of that name
};
inline constexpr std::size_t kStatuses = 10;
const char* to_string(Status status);

// deadlines are CLOCK_MONOTONIC, nanoseconds; 0: do not wait.
inline constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

// What is done about times that were missed while no keeper ran.
enum class CatchUp : std::uint8_t { skip = 0, once = 1, all = 2 };
// When a cron entry fires.
struct CronTimes {
  std::string_view name{};      // 1 to kNameMax bytes; of one uid
  std::string_view schedule{};  // five fields, or "@hourly" and its like: docs/keeper.md
  std::string_view zone{};      // a name of the time-zone database; empty: the daemon's
  CatchUp catch_up = CatchUp::once;
  std::int64_t next_ms = 0, last_ms = 0;  // real; in replies
  std::uint32_t uid = 0;                  // in replies
  bool operator==(const CronTimes&) const = default;
};

// Bytes.
inline constexpr std::size_t kNameMax = 255;  // of jobs and cron entries, keys, tags
inline constexpr std::size_t kTagsMax = 32;
// Of one request: a client with more sends several.
inline constexpr std::size_t kJobsMax = 100'000;
inline constexpr std::size_t kRangesMax = 100'000;  // of ids

struct Request {
  Op op = Op::show;
  std::uint16_t flags = 0;
  JobId id = 0;
  std::uint64_t number = 0;
  std::int64_t offset = 0;
  std::uint64_t size = 0;
  std::int64_t deadline_ns = 0;
  std::int32_t signal = 0;
  Verb verb = Verb::hold;
  Selector which{};
  Edit edit{};
  std::string_view text{};
  CronTimes cron{};
  std::vector<JobSpec> jobs{};
};

struct Reply {
  Status status = Status::ok;
  std::uint16_t flags = 0;
  std::uint64_t id = 0;
  std::int64_t number = 0;
  std::string payload;  // for an error its one line
};
struct ReplyView {
  Status status = Status::ok;
  std::uint16_t flags = 0;
  std::uint64_t id = 0;
  std::int64_t number = 0;
  std::string_view payload;
};

std::string encode(const Request& request);
// Errc::protocol if it is no request; what a request says may still make no sense (check_spec()).
Result<Request> decode_request(std::string_view bytes);
// What it asks for, without decoding the rest; none: it is no request.
std::optional<Op> op_of(std::string_view request);
inline constexpr std::size_t kReplyHead = 32;  // bytes before the payload, at most
std::string encode(const Reply& reply);
Result<ReplyView> decode_reply(std::string_view bytes);

// What of a specification no store would see: texts that are too long, numbers out of range. Empty:
// it is fine; else a line for its submitter.
std::string check_spec(const JobSpec& spec);

// ---- payloads of replies. Decoding returns false for bytes that make no sense; the views are of
// `bytes`.

std::string encode_submitted(std::span<const Submitted> answers);
bool decode_submitted(std::string_view bytes, std::vector<Submitted>& answers);

std::string encode_ids(std::span<const JobId> ids);
bool decode_ids(std::string_view bytes, std::vector<JobId>& ids);

// In answers, due_ms of a job is always real: the keeper knows its other clock, clients do not.
void encode_view(std::string& to, const JobView& job);
bool decode_view(std::string_view bytes, JobView& job);
std::string encode_views(std::span<const JobView> jobs);
bool decode_views(std::string_view bytes, std::vector<JobView>& jobs);
std::string encode_record(const JobRecord& record);
bool decode_record(std::string_view bytes, JobRecord& record);

std::string encode_counts(std::span<const Counts> pools);
bool decode_counts(std::string_view bytes, std::vector<Counts>& pools);
std::string encode_group(const GroupView& group);
bool decode_group(std::string_view bytes, GroupView& group);

struct CronJob {
  CronTimes times;
  JobSpec job;
};
std::string encode_cron(std::span<const CronJob> entries);
bool decode_cron(std::string_view bytes, std::vector<CronJob>& entries);

// Something that happened to a job. Kept in memory only: `sequence` grows over restarts, too.
struct Event {
  std::uint64_t sequence = 0;
  std::int64_t time_ms = 0;  // real
  JobId id = 0;
  JobState state = JobState::ready;  // that it has now
  std::uint32_t attempt = 0;
  std::uint32_t uid = 0;
  std::string_view pool{};
  std::string_view name{};
  bool removed = false;  // it is forgotten
};
std::string encode_events(std::span<const Event> events);
bool decode_events(std::string_view bytes, std::vector<Event>& events);

}  // namespace jobring::keeper
