// Numbers as packer.hpp has them. A request starts with its format and operation, then the numbers
// that all have, then only what its operation uses; a reply with format, status, flags, id and
// number, then the payload up to the end. Specifications and attempts are the stored records of
// job_codec.hpp behind their length.
//
// If you change anything here or there, increment kFormat.
#include "common/keeper/messages.hpp"

#include <algorithm>

#include "common/keeper/job_codec.hpp"
#include "common/keeper/packer.hpp"
#include "common/limits.hpp"

namespace jobring::keeper {
namespace {

constexpr std::uint64_t kFormat = 2;
constexpr std::uint64_t kSubmittedMax = 1u << 24;  // in one answer
constexpr const char* kStatusNames[kStatuses] = {
    "ok",           "timed_out", "cancelled", "not_found",    "permission",
    "bad_argument", "too_large", "full",      "store_failed", "exists"};

Error bad(const char* what) {
  return {Errc::protocol, what, "keeper", "install client and daemon from one release"};
}

bool uses_selector(Op op) {
  return op == Op::apply || op == Op::kill || op == Op::list || op == Op::wait_any;
}
bool uses_jobs(Op op) {
  return op == Op::submit || op == Op::cron_put;
}

// ---- specifications

enum WireBit : std::uint64_t { kArray = 1, kPriority = 2, kWireBits = 4 };

void pack(Packer& p, const JobSpec& s) {
  const bool array = s.array.has_value(), priority = s.priority != 0;
  p.number((array ? std::uint64_t(kArray) : 0u) | (priority ? std::uint64_t(kPriority) : 0u));
  p.text(s.pool);
  if (priority) p.signed_number(s.priority);
  if (array) {
    p.signed_number(s.array->first);
    p.signed_number(s.array->last);
    p.signed_number(s.array->step);
    p.number(s.array->at_once);
  }
  std::string record;
  encode_spec(record, s, {s.submitted_ms, s.dependencies, false});
  p.text(record);
}

bool unpack(Unpacker& u, JobSpec& s) {
  const std::uint64_t bits = u.number();
  if (bits >= kWireBits) return false;
  s.pool = u.text();
  if (bits & kPriority) s.priority = std::int32_t(u.signed_number());
  if (bits & kArray) {
    Array array;
    array.first = u.signed_number();
    array.last = u.signed_number();
    array.step = u.signed_number();
    array.at_once = std::uint32_t(u.number());
    s.array = array;
  }
  bool elsewhere = false;
  return decode_spec(u.text(), s, &elsewhere) && !elsewhere && u.ok();
}

// ---- selectors

void pack(Packer& p, const Selector& which) {
  p.number(which.ids.size());
  for (const auto& [first, last] : which.ids) {
    p.number(first);
    p.number(last);
  }
  p.text(which.pool);
  p.number(which.states);
  p.text(which.tag);
  p.text(which.name);
  p.number(which.uid ? std::uint64_t(*which.uid) + 1 : 0);
  p.signed_number(which.ended_before_ms);
  p.number(which.group);
}

bool unpack(Unpacker& u, Selector& which) {
  const std::uint64_t ids = u.count();
  if (ids > kRangesMax) return false;
  which.ids.reserve(ids);
  for (std::uint64_t i = 0; i < ids && u.ok(); ++i) {
    const JobId first = u.number();
    which.ids.emplace_back(first, u.number());
  }
  which.pool = u.text();
  which.states = std::uint32_t(u.number());
  which.tag = u.text();
  which.name = u.text();
  if (const std::uint64_t uid = u.number(); uid != 0) which.uid = std::uint32_t(uid - 1);
  which.ended_before_ms = u.signed_number();
  which.group = u.number();
  return u.ok() && which.states < 1u << kJobStates;
}

enum EditBit : std::uint64_t { kEditPriority = 1, kEditPool = 2, kEditDelay = 4, kEditBits = 8 };

void pack(Packer& p, Verb verb, const Edit& edit) {
  p.number(std::uint64_t(verb));
  p.number((edit.priority ? std::uint64_t(kEditPriority) : 0u) |
           (edit.pool ? std::uint64_t(kEditPool) : 0u) |
           (edit.delay_ms ? std::uint64_t(kEditDelay) : 0u));
  if (edit.priority) p.signed_number(*edit.priority);
  if (edit.pool) p.text(*edit.pool);
  if (edit.delay_ms) p.number(*edit.delay_ms);
}

bool unpack(Unpacker& u, Verb& verb, Edit& edit) {
  const std::uint64_t v = u.number(), bits = u.number();
  if (v > std::uint64_t(Verb::remove) || bits >= kEditBits) return false;
  verb = Verb(v);
  if (bits & kEditPriority) edit.priority = std::int32_t(u.signed_number());
  if (bits & kEditPool) edit.pool = u.text();
  if (bits & kEditDelay) edit.delay_ms = u.number();
  return u.ok();
}

// ---- cron

void pack(Packer& p, const CronTimes& c) {
  p.text(c.name);
  p.text(c.schedule);
  p.text(c.zone);
  p.number(std::uint64_t(c.catch_up));
  p.signed_number(c.next_ms);
  p.signed_number(c.last_ms);
  p.number(c.uid);
}

bool unpack(Unpacker& u, CronTimes& c) {
  c.name = u.text();
  c.schedule = u.text();
  c.zone = u.text();
  const std::uint64_t catch_up = u.number();
  if (catch_up > std::uint64_t(CatchUp::all)) return false;
  c.catch_up = CatchUp(catch_up);
  c.next_ms = u.signed_number();
  c.last_ms = u.signed_number();
  c.uid = std::uint32_t(u.number());
  return u.ok();
}

// ---- jobs

enum ViewBit : std::uint64_t {
  kDueIsReal = 1,
  kStopWanted = 2,
  kResultBig = 4,
  kPayloadBig = 8,
  kLast = 16,
  kIsHeld = 32,
  kViewBits = 64
};

void pack(Packer& p, const Attempt& attempt) {
  std::string record;
  encode_attempt(record, attempt);
  p.text(record);
}

bool unpack(Unpacker& u, Attempt& attempt) {
  Unpacker record(u.text());
  return decode_attempt(record, attempt) && record.at_end();
}

void pack(Packer& p, const JobView& job) {
  p.number(job.id);
  p.number(std::uint64_t(job.state));
  p.number((job.due_is_real ? std::uint64_t(kDueIsReal) : 0u) |
           (job.stop_wanted ? std::uint64_t(kStopWanted) : 0u) |
           (job.result_big ? std::uint64_t(kResultBig) : 0u) |
           (job.payload_big ? std::uint64_t(kPayloadBig) : 0u) |
           (job.last ? std::uint64_t(kLast) : 0u) | (job.spec.held ? std::uint64_t(kIsHeld) : 0u));
  p.number(job.attempts);
  p.signed_number(job.due_ms);
  p.number(job.unmet);
  pack(p, job.spec);
  if (job.last) pack(p, *job.last);
  p.text(job.result);
}

bool unpack(Unpacker& u, JobView& job) {
  job.id = u.number();
  const std::uint64_t state = u.number(), bits = u.number();
  if (state >= kJobStates || bits >= kViewBits) return false;
  job.state = JobState(state);
  job.due_is_real = (bits & kDueIsReal) != 0;
  job.stop_wanted = (bits & kStopWanted) != 0;
  job.result_big = (bits & kResultBig) != 0;
  job.payload_big = (bits & kPayloadBig) != 0;
  job.attempts = std::uint32_t(u.number());
  job.due_ms = u.signed_number();
  job.unmet = std::uint32_t(u.number());
  if (!unpack(u, job.spec)) return false;
  job.spec.held = (bits & kIsHeld) != 0;
  if (bits & kLast) {
    job.last.emplace();
    if (!unpack(u, *job.last)) return false;
  }
  job.result = u.text();
  return u.ok();
}

void pack(Packer& p, const Counts& counts) {
  p.text(counts.pool);
  p.number(counts.paused);
  for (const std::uint64_t n : counts.jobs) p.number(n);
}

bool unpack(Unpacker& u, Counts& counts) {
  counts.pool = std::string(u.text());
  counts.paused = u.number() != 0;
  for (std::uint64_t& n : counts.jobs) n = u.number();
  return u.ok();
}

void pack(Packer& p, const CronJob& entry) {
  pack(p, entry.times);
  pack(p, entry.job);
}

bool unpack(Unpacker& u, CronJob& entry) {
  return unpack(u, entry.times) && unpack(u, entry.job);
}

void pack(Packer& p, const Event& e) {
  p.number(e.sequence);
  p.signed_number(e.time_ms);
  p.number(e.id);
  p.number(std::uint64_t(e.state) << 1 | (e.removed ? 1u : 0u));
  p.number(e.attempt);
  p.number(e.uid);
  p.text(e.pool);
  p.text(e.name);
}

bool unpack(Unpacker& u, Event& e) {
  e.sequence = u.number();
  e.time_ms = u.signed_number();
  e.id = u.number();
  const std::uint64_t state = u.number();
  if (state >> 1 >= kJobStates) return false;
  e.state = JobState(state >> 1);
  e.removed = (state & 1) != 0;
  e.attempt = std::uint32_t(u.number());
  e.uid = std::uint32_t(u.number());
  e.pool = u.text();
  e.name = u.text();
  return u.ok();
}

template <class T>
std::string pack_list(std::span<const T> all) {
  std::string bytes;
  Packer p(bytes);
  p.number(all.size());
  for (const T& one : all) pack(p, one);
  return bytes;
}

template <class T>
bool unpack_list(std::string_view bytes, std::vector<T>& all) {
  Unpacker u(bytes);
  const std::uint64_t count = u.count();
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!unpack(u, all.emplace_back())) return false;
  }
  return u.ok() && u.at_end();
}

}  // namespace

const char* to_string(Status status) {
  return std::size_t(status) < kStatuses ? kStatusNames[std::size_t(status)] : "unknown";
}

std::string encode(const Request& r) {
  std::string bytes;
  Packer p(bytes);
  p.number(kFormat);
  p.number(std::uint64_t(r.op));
  p.number(r.flags);
  p.number(r.id);
  p.number(r.number);
  p.signed_number(r.offset);
  p.number(r.size);
  p.signed_number(r.deadline_ns);
  p.signed_number(r.signal);
  p.text(r.text);
  if (uses_selector(r.op)) pack(p, r.which);
  if (r.op == Op::apply) pack(p, r.verb, r.edit);
  if (r.op == Op::cron_put) pack(p, r.cron);
  if (uses_jobs(r.op)) {
    p.number(r.jobs.size());
    for (const JobSpec& job : r.jobs) pack(p, job);
  }
  return bytes;
}

Result<Request> decode_request(std::string_view bytes) {
  Unpacker u(bytes);
  if (u.number() != kFormat) return bad("a request of another format");
  const std::uint64_t op = u.number();
  if (op == 0 || op > kOpLast) return bad("an unknown request");
  Request r;
  r.op = Op(op);
  r.flags = std::uint16_t(u.number());
  r.id = u.number();
  r.number = u.number();
  r.offset = u.signed_number();
  r.size = u.number();
  r.deadline_ns = u.signed_number();
  r.signal = std::int32_t(u.signed_number());
  r.text = u.text();
  bool fine = true;
  if (uses_selector(r.op)) fine = unpack(u, r.which);
  if (fine && r.op == Op::apply) fine = unpack(u, r.verb, r.edit);
  if (fine && r.op == Op::cron_put) fine = unpack(u, r.cron);
  if (fine && uses_jobs(r.op)) {
    const std::uint64_t count = u.count();
    if (count > kJobsMax)
      return Error{Errc::bad_input,
                   "more than " + std::to_string(kJobsMax) + " jobs in one request", "keeper",
                   "send several"};
    // A specification has more bytes than this, and a count is not to make us reserve memory.
    r.jobs.reserve(std::min<std::uint64_t>(count, bytes.size() / 8));
    for (std::uint64_t i = 0; i < count && fine; ++i) fine = unpack(u, r.jobs.emplace_back());
  }
  if (!fine || !u.ok() || !u.at_end()) return bad("a request that makes no sense");
  return r;
}

std::optional<Op> op_of(std::string_view request) {
  Unpacker u(request);
  const std::uint64_t format = u.number(), op = u.number();
  if (format != kFormat || op == 0 || op > kOpLast) return std::nullopt;
  return Op(op);
}

std::string encode(const Reply& r) {
  std::string bytes;
  Packer p(bytes);
  p.number(kFormat);
  p.number(std::uint64_t(r.status));
  p.number(r.flags);
  p.number(r.id);
  p.signed_number(r.number);
  bytes.append(r.payload);
  return bytes;
}

Result<ReplyView> decode_reply(std::string_view bytes) {
  Unpacker u(bytes);
  if (u.number() != kFormat) return bad("an answer of another format");
  const std::uint64_t status = u.number();
  ReplyView r;
  r.status = Status(status);
  r.flags = std::uint16_t(u.number());
  r.id = u.number();
  r.number = u.signed_number();
  r.payload = u.rest();
  if (status >= kStatuses || !u.ok()) return bad("an answer that makes no sense");
  return r;
}

std::string check_spec(const JobSpec& s) {
  const auto too_long = [](const char* what, std::size_t most) {
    return std::string(what) + " has more than " + std::to_string(most) + " bytes";
  };
  if (s.handler.empty()) return "the handler's name is empty";
  if (s.handler.size() > kHandlerNameMax) return too_long("the handler's name", kHandlerNameMax);
  if (s.pool.empty()) return "the pool's name is empty";
  if (s.pool.size() > kNameMax) return too_long("the pool's name", kNameMax);
  if (s.pool.front() == '@') return "a pool of that name takes no jobs";
  if (s.name.size() > kNameMax) return too_long("the job's name", kNameMax);
  if (s.tags.size() > kTagsMax) return "it has more than " + std::to_string(kTagsMax) + " tags";
  for (const std::string_view tag : s.tags) {
    if (tag.empty()) return "a tag is empty";
    if (tag.size() > kNameMax) return too_long("a tag", kNameMax);
  }
  if (s.unique.key.size() > kNameMax) return too_long("the unique key", kNameMax);
  if (s.unique.until == UniqueUntil::time && s.unique.for_ms == 0)
    return "a unique key that holds for no time";
  if (s.concurrency_key.size() > kNameMax) return too_long("the concurrency key", kNameMax);
  if (!s.concurrency_key.empty() && s.concurrency_max == 0)
    return "a concurrency key of which none may run";
  if (s.timeout_ms > UINT32_MAX) return "the time-out is longer than 49 days";
  constexpr std::uint64_t century_ms = 100ull * 366 * 86'400'000;
  if (s.delay_ms > century_ms) return "the delay is longer than a century";
  if (s.retry.base_ms > century_ms || s.retry.cap_ms > century_ms)
    return "a pause between retries is longer than a century";
  if (s.run_at_ms < 0 || s.deadline_ms < 0) return "a time before 1970";
  if (s.retry.jitter_percent > 100) return "the jitter is above 100 %";
  if (s.array) {
    if (s.array->step <= 0) return "the array's step is below 1";
    if (s.array->last < s.array->first) return "the array ends before it starts";
    if (s.group != 0) return "an array is a group of its own";
    if (!s.unique.key.empty()) return "an array cannot have a unique key";
    if (s.array->at_once != 0 && !s.concurrency_key.empty())
      return "an array with a limit of its own cannot have a concurrency key";
  }
  return {};
}

// Runs of stored jobs whose ids follow each other take one entry.
std::string encode_submitted(std::span<const Submitted> answers) {
  std::string bytes;
  Packer p(bytes);
  p.number(answers.size());
  for (std::size_t i = 0; i < answers.size();) {
    const Submitted& first = answers[i];
    std::size_t n = 1;
    const auto plain = [](const Submitted& a) {
      return a.status == Submitted::Status::stored && a.count == 1 && a.replaced == 0;
    };
    while (plain(first) && i + n < answers.size() && plain(answers[i + n]) &&
           answers[i + n].id == first.id + n)
      ++n;
    p.number(n);
    p.number(std::uint64_t(first.status));
    p.number(first.id);
    p.number(first.count);
    p.number(first.replaced);
    i += n;
  }
  return bytes;
}

bool decode_submitted(std::string_view bytes, std::vector<Submitted>& answers) {
  Unpacker u(bytes);
  const std::uint64_t count = u.number();
  if (count > kSubmittedMax) return false;
  while (u.ok() && answers.size() < count) {
    const std::uint64_t n = u.number(), status = u.number();
    Submitted answer;
    answer.status = Submitted::Status(status);
    answer.id = u.number();
    answer.count = std::uint32_t(u.number());
    answer.replaced = u.number();
    if (!u.ok() || status > std::uint64_t(Submitted::Status::bad) || n == 0 ||
        n > count - answers.size())
      return false;
    for (std::uint64_t i = 0; i < n; ++i, ++answer.id) answers.push_back(answer);
  }
  return u.ok() && u.at_end() && answers.size() == count;
}

std::string encode_ids(std::span<const JobId> ids) {
  std::string bytes;
  Packer p(bytes);
  p.number(ids.size());
  for (const JobId id : ids) p.number(id);
  return bytes;
}

bool decode_ids(std::string_view bytes, std::vector<JobId>& ids) {
  Unpacker u(bytes);
  const std::uint64_t count = u.count();
  for (std::uint64_t i = 0; i < count; ++i) ids.push_back(u.number());
  return u.ok() && u.at_end();
}

void encode_view(std::string& to, const JobView& job) {
  Packer p(to);
  pack(p, job);
}

bool decode_view(std::string_view bytes, JobView& job) {
  Unpacker u(bytes);
  return unpack(u, job) && u.at_end();
}

std::string encode_views(std::span<const JobView> jobs) {
  return pack_list(jobs);
}
bool decode_views(std::string_view bytes, std::vector<JobView>& jobs) {
  return unpack_list(bytes, jobs);
}

std::string encode_record(const JobRecord& record) {
  std::string bytes;
  Packer p(bytes);
  pack(p, record.job);
  p.number(record.attempts.size());
  for (const Attempt& attempt : record.attempts) pack(p, attempt);
  p.number(record.waits_for.size());
  for (const JobId id : record.waits_for) p.number(id);
  p.number(record.progress.has_value());
  if (record.progress) encode_progress(bytes, *record.progress);
  return bytes;
}

bool decode_record(std::string_view bytes, JobRecord& record) {
  Unpacker u(bytes);
  if (!unpack(u, record.job)) return false;
  const std::uint64_t attempts = u.count();
  for (std::uint64_t i = 0; i < attempts; ++i) {
    if (!unpack(u, record.attempts.emplace_back())) return false;
  }
  const std::uint64_t waits_for = u.count();
  for (std::uint64_t i = 0; i < waits_for; ++i) record.waits_for.push_back(u.number());
  if (u.number() != 0) {
    record.progress.emplace();
    record.progress->id = record.job.id;
    if (!decode_progress(u.rest(), *record.progress)) return false;
  }
  return u.ok() && u.at_end();
}

std::string encode_counts(std::span<const Counts> pools) {
  return pack_list(pools);
}
bool decode_counts(std::string_view bytes, std::vector<Counts>& pools) {
  return unpack_list(bytes, pools);
}

std::string encode_group(const GroupView& group) {
  std::string bytes;
  Packer p(bytes);
  p.number(group.id);
  p.number(group.size);
  p.number(group.open);
  p.number(group.bad);
  p.number(group.sealed);
  return bytes;
}

bool decode_group(std::string_view bytes, GroupView& group) {
  Unpacker u(bytes);
  group.id = u.number();
  group.size = u.number();
  group.open = u.number();
  group.bad = u.number();
  group.sealed = u.number() != 0;
  return u.ok() && u.at_end();
}

std::string encode_cron(std::span<const CronJob> entries) {
  return pack_list(entries);
}
bool decode_cron(std::string_view bytes, std::vector<CronJob>& entries) {
  return unpack_list(bytes, entries);
}

std::string encode_events(std::span<const Event> events) {
  return pack_list(events);
}
bool decode_events(std::string_view bytes, std::vector<Event>& events) {
  return unpack_list(bytes, events);
}

}  // namespace jobring::keeper
