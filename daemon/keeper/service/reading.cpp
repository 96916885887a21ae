// What only looks: answered at once, or when there is something to see.
#include <algorithm>
#include <utility>

#include "common/exec_codec.hpp"
#include "daemon/keeper/service/keeper.hpp"

namespace jobring::keeper {
namespace {

constexpr std::uint64_t kListDefault = 50;
constexpr std::uint64_t kListMax = 10'000;
constexpr std::uint64_t kEventsMax = 10'000;
constexpr std::size_t kIdsMax = 4'096;            // in one answer
constexpr std::size_t kRangesOfUser = 1'000'000;  // in all waits of one
constexpr std::size_t kLong = 1'024;     // bytes of a payload or result that are always shown
constexpr std::size_t kReplyRoom = 256;  // bytes of an answer beside its payload

Reply refusal(Status status, std::string line) {
  Reply reply;
  reply.status = status;
  reply.payload = std::move(line);
  return reply;
}
Reply no_such_job(JobId id) {
  return refusal(Status::not_found, "no job " + std::to_string(id));
}

}  // namespace

void Keeper::read(const Caller& caller, Request& r, Now now) {
  switch (r.op) {
    case Op::list:
      return answer(caller.token, list(caller, r));
    case Op::show:
      return answer(caller.token, show(caller, r));
    case Op::bytes:
      return answer(caller.token, bytes(caller, r));
    case Op::counts:
      return answer(caller.token, counts());
    case Op::group:
      return answer(caller.token, group(caller, r));
    case Op::kill:
      return answer(caller.token, kill(caller, r));
    case Op::explain:
      return answer(caller.token, explain(caller, r, now));
    case Op::cron_list: {
      Reply reply;
      reply.payload = encode_cron(cron_.list(caller.privileged ? nullptr : &caller.uid));
      return answer(caller.token, reply);
    }
    case Op::wait:
      return wait(caller, r, now);
    case Op::wait_any:
      return wait_any(caller, r, now);
    case Op::logs:
      return wait_for_logs(caller, r, now);
    case Op::events:
      return wait_for_events(caller, r, now);
    default:
      return fail(caller.token, Status::bad_argument, "an unknown request");
  }
}

// ---- jobs as people see them

// What was handed to a pool and waits there for a worker is ready, seen from outside; and clients
// know the real clock only.
void Keeper::seen_from_outside(JobView& job) const {
  if (job.state == JobState::running && !feed_.begun(job.id)) {
    job.state = JobState::ready;
    if (job.attempts > 0) --job.attempts;
  }
  if (job.due_ms != 0 && !job.due_is_real) {
    job.due_ms += clock_.real_ms - clock_.steady_ms;
    job.due_is_real = true;
  }
}

// Long payloads and results that were not asked for, or for which there is no room.
void Keeper::leave_out(JobView& job, std::uint16_t flags, std::size_t room) const {
  const bool payload = (flags & kComplete) != 0;
  const bool result = (flags & (kComplete | kResult)) != 0;
  std::size_t used = 0;
  const auto fit = [&](std::string_view& text, bool& left_out, bool wanted) {
    if (text.size() > kLong && (!wanted || used + text.size() > room)) {
      text = {};
      left_out = true;
    }
    used += text.size();
  };
  fit(job.result, job.result_big, result);
  fit(job.spec.payload, job.payload_big, payload);
}

std::optional<JobRecord> Keeper::record_of(const Caller& caller, JobId id, Reply& reply) {
  auto record = store_->show(id);
  if (!record) {
    reply = refusal(Status::store_failed, record.error().line());
    return std::nullopt;
  }
  if (!*record || (!caller.privileged && (*record)->job.spec.uid != caller.uid)) {
    reply = no_such_job(id);
    return std::nullopt;
  }
  JobView& job = (*record)->job;
  // show() has both.
  job.payload_big = job.result_big = false;
  seen_from_outside(job);
  return std::move(**record);
}

Reply Keeper::view_reply(JobRecord& record, std::uint16_t flags) {
  leave_out(record.job, flags,
            options_.reply_max - std::min(options_.reply_max, std::uint64_t(8'192)));
  Reply reply;
  encode_view(reply.payload, record.job);
  return reply;
}

Reply Keeper::list(const Caller&, Request& r) {
  const std::uint64_t most =
      std::clamp<std::uint64_t>(r.number == 0 ? kListDefault : r.number, 1, kListMax);
  // Some of those that are running for the store are ready for everybody else.
  Selector which = r.which;
  const std::uint32_t ready = 1u << unsigned(JobState::ready);
  const std::uint32_t running = 1u << unsigned(JobState::running);
  if (which.states & ready) which.states |= running;
  auto page = store_->list(which, r.id, std::uint32_t(most));
  if (!page) return refusal(Status::store_failed, page.error().line());
  std::vector<JobView> fit;
  std::size_t room = options_.reply_max - std::min<std::uint64_t>(options_.reply_max, kReplyRoom);
  Reply reply;
  reply.id = page->next;
  std::string bytes;
  for (JobView& job : page->jobs) {
    seen_from_outside(job);
    if (r.which.states != 0 && (r.which.states >> unsigned(job.state) & 1) == 0) continue;
    bytes.clear();
    encode_view(bytes, job);
    if (bytes.size() > room) {
      reply.id = job.id + 1;
      break;
    }
    room -= bytes.size();
    fit.push_back(std::move(job));
  }
  reply.payload = encode_views(fit);
  return reply;
}

Reply Keeper::show(const Caller& caller, const Request& r) {
  Reply reply;
  auto record = record_of(caller, r.id, reply);
  if (!record) return reply;
  std::string text;
  if (auto progress = feed_.progress(r.id, text)) record->progress = progress;
  const std::uint64_t rest = 64 << 10;  // attempts have tails
  leave_out(record->job, r.flags, options_.reply_max - std::min(options_.reply_max, rest));
  reply.payload = encode_record(*record);
  if (reply.payload.size() + kReplyRoom > options_.reply_max) {
    leave_out(record->job, 0, 0);
    reply.payload = encode_record(*record);
  }
  return reply;
}

Reply Keeper::bytes(const Caller& caller, const Request& r) {
  Reply reply;
  const auto record = record_of(caller, r.id, reply);
  if (!record) return reply;
  const std::string_view all = r.flags & kResult ? record->job.result : record->job.spec.payload;
  const std::size_t from =
      std::min<std::size_t>(r.offset < 0 ? 0 : std::size_t(r.offset), all.size());
  const std::size_t room =
      options_.reply_max - std::min<std::uint64_t>(options_.reply_max, kReplyRoom);
  reply.payload = all.substr(from, std::min<std::uint64_t>(r.size, room));
  reply.number = std::int64_t(all.size());
  return reply;
}

Reply Keeper::counts() {
  auto pools = store_->counts();
  for (Counts& pool : pools) {
    const std::uint64_t queued =
        std::min<std::uint64_t>(feed_.queued(pool.pool), pool.jobs[std::size_t(JobState::running)]);
    pool.jobs[std::size_t(JobState::running)] -= queued;
    pool.jobs[std::size_t(JobState::ready)] += queued;
  }
  // Those of the configuration that have had no job yet.
  for (const std::string& name : feed_.pool_names()) {
    const bool there =
        std::any_of(pools.begin(), pools.end(), [&](const Counts& c) { return c.pool == name; });
    if (!there) pools.push_back({name, false, {}});
  }
  Reply reply;
  reply.payload = encode_counts(pools);
  return reply;
}

Reply Keeper::group(const Caller& caller, const Request& r) {
  const auto view = store_->group(r.id);
  if (!view) return refusal(Status::store_failed, view.error().line());
  if (!*view || (!caller.privileged && (*view)->uid != caller.uid))
    return refusal(Status::not_found, "no group " + std::to_string(r.id));
  Reply reply;
  reply.flags = kIsGroup;
  reply.payload = encode_group(**view);
  return reply;
}

Reply Keeper::kill(const Caller&, Request& r) {
  Reply reply;
  if (r.signal < 0 || r.signal > 64) return refusal(Status::bad_argument, "no such signal");
  reply.number = feed_.kill(r.which, r.signal == 0 ? 15 : r.signal, [&](JobId id) {
    const auto record = store_->show(id);
    if (!record || !*record) return false;
    const auto& tags = (*record)->job.spec.tags;
    return std::find(tags.begin(), tags.end(), r.which.tag) != tags.end();
  });
  return reply;
}

// ---- waiting

void Keeper::wait(const Caller& caller, const Request& r, Now now) {
  Wait wait;
  wait.caller = caller;
  wait.id = r.id;
  wait.flags = r.flags;
  wait.deadline_ns = r.deadline_ns;
  Reply reply;
  if (auto record = record_of(caller, r.id, reply)) {
    const JobState state = record->job.state;
    const bool begun = (r.flags & kStarted) != 0 && state == JobState::running;
    if (is_ended(state) || begun) return answer(caller.token, view_reply(*record, r.flags));
    wait.kind = r.flags & kStarted ? Wait::Kind::started : Wait::Kind::job;
  } else if (reply.status == Status::not_found) {
    Reply of_group = group(caller, r);
    GroupView view;
    if (of_group.status != Status::ok) return answer(caller.token, reply);
    if (decode_group(of_group.payload, view) && view.sealed && view.open == 0)
      return answer(caller.token, of_group);
    wait.kind = Wait::Kind::group;
  } else {
    return answer(caller.token, reply);
  }
  if (r.deadline_ns <= now.mono_ns) return answer(caller.token, refusal(Status::timed_out, ""));
  waits_.add(std::move(wait));
}

void Keeper::wait_any(const Caller& caller, const Request& r, Now now) {
  Wait wait;
  wait.kind = Wait::Kind::any;
  wait.caller = caller;
  wait.deadline_ns = r.deadline_ns;
  wait.ids = r.which.ids;
  if (wait.ids.empty()) return fail(caller.token, Status::bad_argument, "a wait for no job");
  if (waits_.ranges(caller.uid) + wait.ids.size() > kRangesOfUser)
    return fail(caller.token, Status::full, "you wait for as many jobs as may be");
  // In order, each id in one range.
  std::sort(wait.ids.begin(), wait.ids.end());
  std::size_t last = 0;
  for (std::size_t i = 1; i < wait.ids.size(); ++i) {
    const auto& range = wait.ids[i];
    if (range.first <= wait.ids[last].second || range.first == wait.ids[last].second + 1)
      wait.ids[last].second = std::max(wait.ids[last].second, range.second);
    else
      wait.ids[++last] = range;
  }
  wait.ids.resize(last + 1);
  std::erase_if(wait.ids, [](const auto& range) { return range.first > range.second; });
  const auto over = store_->over(wait.ids, only(caller), kIdsMax);
  if (!over) return fail(caller.token, Status::store_failed, over.error().line());
  Reply reply;
  reply.payload = encode_ids(*over);
  if (!over->empty()) return answer(caller.token, reply);
  if (r.deadline_ns <= now.mono_ns) {
    reply.status = Status::timed_out;
    return answer(caller.token, reply);
  }
  waits_.add(std::move(wait));
}

// ---- outputs and events

void Keeper::wait_for_logs(const Caller& caller, const Request& r, Now now) {
  Wait wait;
  wait.kind = Wait::Kind::log;
  wait.caller = caller;
  wait.id = r.id;
  wait.flags = r.flags;
  wait.number = r.number;
  wait.offset = r.offset;
  wait.size = r.size;
  wait.deadline_ns = r.deadline_ns;
  bool nothing_yet = false;
  const Reply reply = logs(wait, nothing_yet);
  if (!nothing_yet || !(r.flags & kFollow) || r.deadline_ns <= now.mono_ns)
    return answer(caller.token, reply);
  waits_.add(std::move(wait));
}

Reply Keeper::logs(const Wait& wait, bool& nothing_yet) {
  nothing_yet = false;
  Reply reply;
  const auto record = record_of(wait.caller, wait.id, reply);
  if (!record) return reply;
  const JobView& job = record->job;
  const std::uint64_t number = wait.number == 0 ? job.attempts : wait.number;
  if (number > job.attempts)
    return refusal(Status::not_found, "job " + std::to_string(wait.id) + " has had " +
                                          std::to_string(job.attempts) + " attempts");
  // It may write on as long as it runs; and one that has not ended may be tried again, but that is
  // another attempt.
  const bool runs = job.state == JobState::running && number == job.attempts;
  const bool none = number == 0;
  if (!runs && !(none && !is_ended(job.state))) reply.flags |= kEnd;
  reply.id = number;
  const auto stream = wait.flags & kStderr ? Outputs::Stream::err : Outputs::Stream::out;
  const std::uint64_t room =
      options_.reply_max - std::min<std::uint64_t>(options_.reply_max, kReplyRoom);
  if (!none) {
    Outputs::Part part = outputs_.read(wait.id, std::uint32_t(number), stream, wait.offset,
                                       std::min<std::uint64_t>(wait.size, room));
    reply.number = std::int64_t(part.offset);
    // There is more behind it: that comes with the next request.
    if (part.offset + part.bytes.size() < part.size)
      reply.flags = std::uint16_t(reply.flags & ~unsigned(kEnd));
    reply.payload = std::move(part.bytes);
    if (!runs && job.last && job.last->number == number && job.spec.handler == kExecHandler) {
      const auto result = decode_command_result(
          {reinterpret_cast<const unsigned char*>(job.result.data()), job.result.size()});
      const bool err = stream == Outputs::Stream::err;
      if (result) {
        const CommandReport& report = result->report;
        const std::uint64_t total = err ? report.stderr_total : report.stdout_total;
        if (total > part.size || (err ? report.stderr_truncated : report.stdout_truncated))
          reply.flags |= kCut;
      }
    }
  }
  nothing_yet = reply.payload.empty() && !(reply.flags & kEnd);
  return reply;
}

void Keeper::wait_for_events(const Caller& caller, const Request& r, Now now) {
  Wait wait;
  wait.kind = Wait::Kind::event;
  wait.caller = caller;
  wait.deadline_ns = r.deadline_ns;
  wait.number = std::clamp<std::uint64_t>(r.number == 0 ? 1'000 : r.number, 1, kEventsMax);
  wait.after = r.id == ~std::uint64_t{0} ? events_.last() : r.id;
  bool nothing_yet = false;
  const Reply reply = events(wait, nothing_yet);
  if (!nothing_yet || r.deadline_ns <= now.mono_ns) return answer(caller.token, reply);
  waits_.add(std::move(wait));
}

Reply Keeper::events(const Wait& wait, bool& nothing_yet) {
  Reply reply;
  std::uint64_t most = wait.number;
  Events::Page page = events_.after(wait.after, only(wait.caller), most);
  nothing_yet = page.events.empty() && !page.gap;
  reply.payload = encode_events(page.events);
  // Half as many until they fit.
  while (reply.payload.size() + kReplyRoom > options_.reply_max && most > 1) {
    most /= 2;
    page = events_.after(wait.after, only(wait.caller), most);
    reply.payload = encode_events(page.events);
  }
  reply.id = page.last;
  if (page.gap) reply.flags |= kGap;
  return reply;
}

}  // namespace jobring::keeper
