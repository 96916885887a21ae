// What changes something: done in a turn, answered when it was kept.
#include <sys/types.h>

#include <algorithm>
#include <utility>

#include "common/exec_codec.hpp"
#include "daemon/keeper/service/keeper.hpp"

namespace jobring::keeper {
namespace {

constexpr std::uint32_t kStep = 2'000;          // jobs that a verb looks at in one turn
constexpr std::uint64_t kArrayMax = 1'000'000;  // members
constexpr std::size_t kCronMax = 10'000;        // entries
constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};
constexpr std::size_t kDecodedLater = 64u << 10;  // bytes of a request
constexpr std::size_t kVerbBytesMax = 16u << 20;  // of one user
constexpr JobId kNobodys = kJobIdMax;             // never given to a job

Reply refusal(Status status, std::string line) {
  Reply reply;
  reply.status = status;
  reply.payload = std::move(line);
  return reply;
}

std::uint64_t members(const JobSpec& spec) {
  if (!spec.array || spec.array->step <= 0 || spec.array->last < spec.array->first) return 1;
  return (std::uint64_t(spec.array->last) - std::uint64_t(spec.array->first)) /
             std::uint64_t(spec.array->step) +
         1;
}

bool fits_state(Verb verb, JobState state) {
  const bool queued =
      state == JobState::delayed || state == JobState::ready || state == JobState::failed;
  switch (verb) {
    case Verb::hold:
      return queued;
    case Verb::release:
      return state == JobState::held;
    case Verb::cancel:
      return !is_ended(state);
    case Verb::bury:
    case Verb::edit:
      return queued || state == JobState::held;
    case Verb::kick:
      return state == JobState::dead || state == JobState::delayed || state == JobState::failed;
    case Verb::retry:
    case Verb::remove:
      return is_ended(state);
  }
  return false;
}

}  // namespace

bool Keeper::reads(const Request& r) const {
  switch (r.op) {
    case Op::submit:
    case Op::apply:
    case Op::pool:
    case Op::cron_put:
    case Op::cron_remove:
    case Op::cron_run:
    case Op::new_group:
    case Op::seal_group:
    case Op::import_job:
      return false;
    default:
      return true;
  }
}

Durability Keeper::level_of(const Asked& asked) const {
  const Request& r = asked.request;
  if (r.op != Op::submit || asked.later) return Durability::synced;
  Durability level = Durability::none;
  for (const JobSpec& job : r.jobs) level = std::max(level, job.durability);
  return level;
}

void Keeper::ask(Caller caller, std::string_view bytes, Now now) {
  // A long batch is many times as long when it is decoded: one at a time, when its turn comes.
  const bool later = bytes.size() > kDecodedLater && op_of(bytes) == Op::submit;
  Request request;
  request.op = Op::submit;
  if (!later) {
    auto decoded = decode_request(bytes);
    if (!decoded) return fail(caller.token, Status::bad_argument, decoded.error().line());
    request = std::move(*decoded);
  }
  if (!caller.privileged) {
    // To take it for the caller's own would cancel what nobody asked for.
    if (request.which.uid && *request.which.uid != caller.uid)
      return fail(caller.token, Status::permission,
                  "only root and the daemon's user see the jobs of others");
    request.which.uid = caller.uid;
  }
  if (reads(request)) {
    clock_ = keeper_clock_.at(now.system);
    return read(caller, request, now);
  }
  if (request.op == Op::submit && request.number != 0) {
    caller.key = request.number;
    caller.again |= (request.flags & kAskedBefore) != 0;
  }
  if (caller.again) {
    if (const std::string* answered = answered_.find(caller)) {
      answers_.answer(caller.token, *answered);
      return answered_.forget(caller);
    }
  }
  if (request.op == Op::apply && verb_bytes(caller.uid) + bytes.size() > kVerbBytesMax)
    return fail(caller.token, Status::full, "too many verbs of yours are under way");
  asked_.push_back({caller, std::move(request), bytes, later});
}

// Of the verbs of a user that are under way: they hold on to their selectors.
std::size_t Keeper::verb_bytes(std::uint32_t uid) const {
  std::size_t sum = 0;
  for (const Long& work : longs_) sum += work.caller.uid == uid ? work.bytes.size() : 0;
  for (const Asked& asked : asked_)
    sum += asked.caller.uid == uid && asked.request.op == Op::apply ? asked.bytes.size() : 0;
  return sum;
}

void Keeper::perform(Asked& asked, Now now) {
  Request& r = asked.request;
  if (asked.later) {
    auto decoded = decode_request(asked.bytes);
    if (!decoded)
      return answer_later(asked.caller, refusal(Status::bad_argument, decoded.error().line()));
    r = std::move(*decoded);
    answer_later(asked.caller, perform_op(asked));
    r = {};
    return;
  }
  if (r.op == Op::apply) {
    Long work;
    work.caller = asked.caller;
    work.bytes.assign(asked.bytes.begin(), asked.bytes.end());
    auto request = decode_request({work.bytes.data(), work.bytes.size()});
    if (!request) return;
    work.request = std::move(*request);
    work.request.which.uid = r.which.uid;
    longs_.push_back(std::move(work));
    return;
  }
  if (r.op == Op::pool && r.number == std::uint64_t(PoolVerb::drain) && asked.caller.privileged) {
    const Reply reply = pool_verb(r);
    if (reply.status != Status::ok) return answer_later(asked.caller, reply);
    // Answered when it is empty. If it is asked again after our death, it is done again.
    Wait wait;
    wait.kind = Wait::Kind::drain;
    wait.caller = asked.caller;
    wait.deadline_ns = std::max(r.deadline_ns, now.mono_ns);
    wait.pool = r.text;
    after_.push_back(std::move(wait));
    return;
  }
  answer_later(asked.caller, perform_op(asked));
}

Reply Keeper::perform_op(Asked& asked) {
  Request& r = asked.request;
  const Caller& caller = asked.caller;
  Reply reply;
  switch (r.op) {
    case Op::submit:
      return submit(asked);
    case Op::pool:
      if (!caller.privileged)
        return refusal(Status::permission,
                       "only root and the daemon's user pause and resume pools");
      return pool_verb(r);
    case Op::cron_put:
      return put_cron(asked);
    case Op::cron_remove:
      if (!cron_.remove(*store_, cron_.owner(caller.uid, caller.privileged, r.text), r.text))
        return refusal(Status::not_found, "no cron entry \"" + std::string(r.text) + "\"");
      return reply;
    case Op::cron_run: {
      const CronTable::Entry* entry =
          cron_.find(cron_.owner(caller.uid, caller.privileged, r.text), r.text);
      if (entry == nullptr)
        return refusal(Status::not_found, "no cron entry \"" + std::string(r.text) + "\"");
      const auto answers = store_->submit({&entry->job, 1});
      if (answers.empty()) return reply;  // the turn has failed
      if (answers[0].status != Submitted::Status::stored)
        return refusal(Status::exists, "its unique key is taken, or what it is after is not there");
      reply.id = answers[0].id;
      return reply;
    }
    case Op::new_group:
      reply.id = store_->new_group(caller.uid);
      return reply;
    case Op::seal_group: {
      const auto view = store_->group(r.id);
      if (!view || !*view || (!caller.privileged && (*view)->uid != caller.uid))
        return refusal(Status::not_found, "no group " + std::to_string(r.id));
      store_->seal_group(r.id);
      return reply;
    }
    case Op::import_job:
      return import_job(asked);
    default:
      return refusal(Status::bad_argument, "an unknown request");
  }
}

// ---- submitting

// Why it is not accepted; empty: it is.
std::string Keeper::why_not(const JobSpec& spec, const Caller&) const {
  std::string why = check_spec(spec);
  if (!why.empty()) return why;
  if (members(spec) > kArrayMax)
    return "an array has at most " + std::to_string(kArrayMax) + " members";
  const auto most = feed_.max_payload(spec.pool);
  if (most && spec.payload.size() > *most)
    return "a payload of " + std::to_string(spec.payload.size()) +
           " bytes is more than the pool's max_payload, " + std::to_string(*most) + " bytes";
  if (spec.handler != kExecHandler) return {};
  const auto command = decode_command(
      {reinterpret_cast<const unsigned char*>(spec.payload.data()), spec.payload.size()});
  return command ? std::string() : command.error().line();
}

// Jobs and groups of others are not there, for who is neither root nor the daemon's user.
void Keeper::hide_others(JobSpec& spec, const Caller& caller) {
  if (caller.privileged) return;
  const auto group_is_ours = [&](JobId id) {
    const auto view = store_->group(id);
    return view && *view && (*view)->uid == caller.uid;
  };
  for (Dependency& d : spec.dependencies) {
    if (d.in_batch) continue;
    const auto record = store_->show(d.on);
    const bool ours =
        record && *record ? (*record)->job.spec.uid == caller.uid : group_is_ours(d.on);
    if (!ours) d.on = kNobodys;
  }
  if (spec.group != 0 && !group_is_ours(spec.group)) spec.group = kNobodys;
}

Reply Keeper::submit(Asked& asked) {
  std::uint64_t count = 0;
  bool refers = false;
  for (std::size_t i = 0; i < asked.request.jobs.size(); ++i) {
    JobSpec& spec = asked.request.jobs[i];
    spec.uid = asked.caller.uid;
    spec.gid = asked.caller.gid;
    spec.index.reset();
    const std::string why = why_not(spec, asked.caller);
    if (!why.empty()) {
      const bool one = asked.request.jobs.size() == 1;
      return refusal(Status::bad_argument, one ? why : "job " + std::to_string(i) + ": " + why);
    }
    count += members(spec);
    refers |= !spec.dependencies.empty() || spec.group != 0;
  }
  if (count > room()) return refusal(Status::full, "as many jobs wait as may: keeper.jobs_max");
  if (count > room_of(asked.caller.uid))
    return refusal(Status::full, "as many jobs of yours wait as may: keeper.jobs_per_user");
  std::vector<JobSpec> before;
  if (refers && !asked.caller.privileged) {
    before = asked.request.jobs;
    for (JobSpec& spec : asked.request.jobs) hide_others(spec, asked.caller);
  }
  const auto answers = store_->submit(asked.request.jobs);
  if (open_jobs_) *open_jobs_ += count;
  std::vector<Submitted> told;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Submitted& a = answers[i];
    const JobSpec& spec = asked.request.jobs[i];
    if (a.status != Submitted::Status::stored) {
      if (a.id != kNobodys || before.empty()) continue;
      // By the number that they know.
      if (told.empty()) told.assign(answers.begin(), answers.end());
      told[i].id = before[i].group;
      if (a.status == Submitted::Status::no_such_job)
        for (std::size_t d = 0; d < spec.dependencies.size(); ++d)
          if (spec.dependencies[d].on == kNobodys) told[i].id = before[i].dependencies[d].on;
      continue;
    }
    fresh_.push_back({a.id, a.id + (spec.array ? a.count : 0), asked.caller.uid, spec.name});
  }
  if (const auto used = usage_.find(asked.caller.uid); used != usage_.end())
    used->second.most += count;
  Reply reply;
  reply.payload = encode_submitted(told.empty() ? answers : std::span<const Submitted>(told));
  for (const JobSpec& spec : asked.request.jobs)
    if (spec.priority > 0)
      feed_.make_way(*store_, spec.pool, spec.priority, std::uint32_t(members(spec)));
  return reply;
}

// How many more may wait, of all.
std::uint64_t Keeper::room() {
  if (options_.jobs_max == 0) return kNoLimit;
  if (!open_jobs_) {
    open_jobs_ = 0;
    for (const Counts& pool : store_->counts())
      for (std::size_t s = 0; s < kJobStates; ++s)
        if (!is_ended(JobState(s))) *open_jobs_ += pool.jobs[s];
  }
  return options_.jobs_max - std::min(options_.jobs_max, *open_jobs_);
}

// The same of one user. What is known is how many there are at most; they are counted when that
// would be too many, but not over and over.
std::uint64_t Keeper::room_of(std::uint32_t uid) {
  const std::uint64_t limit = options_.jobs_per_user;
  if (limit == 0) return kNoLimit;
  auto [found, fresh] = usage_.try_emplace(uid);
  Usage& usage = found->second;
  if (fresh || (usage.most >= limit && clock_.steady_ms - usage.counted_ms > 1'000)) {
    usage.counted_ms = clock_.steady_ms;
    usage.most = 0;
    Selector mine;
    mine.uid = uid;
    for (std::size_t s = 0; s < kJobStates; ++s)
      if (!is_ended(JobState(s))) mine.states |= 1u << s;
    JobId below = 0;
    do {
      const auto page = store_->list(mine, below, 10'000);
      if (!page) break;
      usage.most += page->jobs.size();
      below = page->next;
    } while (below != 0 && usage.most < limit);
  }
  return limit - std::min(limit, usage.most);
}

// ---- verbs

// One step of it; true: that was all.
bool Keeper::step(Long& work, Reply& reply) {
  Request& r = work.request;
  if (work.from == 0) std::sort(r.which.ids.begin(), r.which.ids.end());
  if (r.flags & kDryRun) return dry_step(work, reply);
  if (r.verb == Verb::edit && r.edit.pool && r.edit.pool->empty()) {
    reply = refusal(Status::bad_argument, "a pool without a name");
    return true;
  }
  // What is in a channel and not begun is for people as if it waited still.
  if (work.from == 0 && r.verb != Verb::remove && r.verb != Verb::retry && r.verb != Verb::release)
    feed_.withdraw(*store_, r.which);
  const Applied applied = store_->apply(r.verb, r.which, r.edit, work.from, kStep);
  work.changed += applied.changed;
  work.unfit += applied.unfit;
  work.from = applied.next;
  for (const JobId id : applied.stop) stops_.push_back({id, r.signal == 0 ? 15 : r.signal});
  if (applied.changed > 0) feed_.wanted_everywhere();
  const bool urgent = r.verb == Verb::kick || r.verb == Verb::retry || r.verb == Verb::release ||
                      (r.verb == Verb::edit && r.edit.priority);
  if (urgent && applied.changed > 0) {
    // They may be more urgent than what is in the channels.
    Selector all;
    feed_.withdraw(*store_, all);
  }
  if (applied.next != 0) return false;
  reply.number = std::int64_t(work.changed);
  reply.id = work.unfit;
  return true;
}

bool Keeper::dry_step(Long& work, Reply& reply) {
  const auto page = store_->list(work.request.which, work.from, kStep);
  if (!page) {
    reply = refusal(Status::store_failed, page.error().line());
    return true;
  }
  for (const JobView& job : page->jobs)
    ++(fits_state(work.request.verb, job.state) ? work.changed : work.unfit);
  work.from = page->next;
  if (work.from != 0) return false;
  reply.number = std::int64_t(work.changed);
  reply.id = work.unfit;
  return true;
}

Reply Keeper::pool_verb(const Request& r) {
  if (r.text.empty() || r.text.size() > kNameMax)
    return refusal(Status::bad_argument, "a pool's name has 1 to 255 bytes");
  if (r.number > std::uint64_t(PoolVerb::drain))
    return refusal(Status::bad_argument, "an unknown verb");
  const bool paused = r.number != std::uint64_t(PoolVerb::resume);
  if (!paused && !feed_.knows(r.text)) {
    // Paused before its pool was taken out of the configuration, perhaps.
    const auto counts = store_->counts();
    if (std::none_of(counts.begin(), counts.end(),
                     [&](const Counts& c) { return c.pool == r.text; }))
      return refusal(Status::not_found, "no pool \"" + std::string(r.text) + "\"");
  }
  store_->pause(r.text, paused);
  if (paused) {
    Selector all;
    all.pool = r.text;
    feed_.withdraw(*store_, all);
  } else {
    feed_.wanted(r.text);
  }
  return {};
}

// ---- cron and import

Reply Keeper::put_cron(Asked& asked) {
  Request& r = asked.request;
  if (r.cron.name.empty() || r.cron.name.size() > kNameMax)
    return refusal(Status::bad_argument, "a cron entry's name has 1 to 255 bytes");
  if (r.jobs.size() != 1) return refusal(Status::bad_argument, "a cron entry has one job");
  JobSpec& spec = r.jobs[0];
  spec.uid = asked.caller.uid;
  spec.gid = asked.caller.gid;
  spec.index.reset();
  const std::string why = why_not(spec, asked.caller);
  if (!why.empty()) return refusal(Status::bad_argument, why);
  if (!spec.dependencies.empty() || spec.group != 0)
    return refusal(Status::bad_argument, "a job of a cron entry is in no group and after no job");
  const bool there = cron_.find(asked.caller.uid, r.cron.name) != nullptr;
  if (there && !(r.flags & kReplace))
    return refusal(Status::exists,
                   "there is a cron entry \"" + std::string(r.cron.name) + "\" already");
  if (!there && cron_.size() >= kCronMax)
    return refusal(Status::full, "there are as many cron entries as may be");
  auto entry = CronTable::make(encode(r), asked.caller.uid, clock_.real_ms);
  if (!entry) return refusal(Status::bad_argument, entry.error().line());
  Reply reply;
  reply.number = (*entry)->times.next_ms;
  cron_.put(*store_, std::move(*entry));
  return reply;
}

Reply Keeper::import_job(Asked& asked) {
  JobRecord record;
  if (!decode_record(asked.request.text, record))
    return refusal(Status::bad_argument, "this is no exported job");
  if (!asked.caller.privileged) {
    record.job.spec.uid = asked.caller.uid;
    record.job.spec.gid = asked.caller.gid;
    record.waits_for.clear();
  }
  const std::string why = why_not(record.job.spec, asked.caller);
  if (!why.empty()) return refusal(Status::bad_argument, why);
  if (room() == 0) return refusal(Status::full, "as many jobs wait as may: keeper.jobs_max");
  Reply reply;
  reply.number = store_->import_job(record) ? 1 : 0;
  if (reply.number == 1) outputs_.comes_back(record.job.id);
  return reply;
}

}  // namespace jobring::keeper
