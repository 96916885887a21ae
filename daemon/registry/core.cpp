#include "daemon/registry/core.hpp"

#include <utility>

#include "daemon/registry/operations.hpp"

namespace jobring::registry {
namespace {

// Tokens are reserved in the journal this many at once, so that a lock costs no record.
constexpr std::uint64_t kTokensAtOnce = 1u << 20;

}  // namespace

std::string describe(const Object& object, std::string_view why) {
  std::string line = to_string(object.def.type);
  line += " \"" + object.def.name + "\": ";
  line += why;
  return line;
}

void Core::remember(Session& session, const Caller& caller, const RegistryReply& reply) {
  if (caller.generation == 0) return;
  store.answer(session, caller.slot, caller.generation, reply);
}

void Core::reply(const Call& call, RegistryReply reply, Changed changed) {
  if (changed == Changed::yes) remember(call.session, call.caller, reply);
  replies.push_back({call.caller.request_id, std::move(reply)});
}

void Core::refuse(const Call& call, RegistryStatus status, std::string_view why) {
  RegistryReply refusal;
  refusal.status = status;
  if (call.object != nullptr) {
    refusal.payload = describe(*call.object, why);
  } else {
    refusal.payload = why;
  }
  replies.push_back({call.caller.request_id, std::move(refusal)});
}

void Core::reply(Waiter& waiter, RegistryReply reply, Changed changed) {
  if (changed == Changed::yes) remember(*waiter.session, waiter.caller, reply);
  replies.push_back({waiter.caller.request_id, std::move(reply)});
  end(waiter);
}

void Core::refuse(Waiter& waiter, RegistryStatus status, std::string_view why) {
  RegistryReply refusal;
  refusal.status = status;
  refusal.payload = describe(*waiter.object, why);
  reply(waiter, std::move(refusal));
}

Waiter* Core::wait(const Call& call, WaitLine& line) {
  const RegistryRequest& r = call.request;
  if (r.deadline_ns <= now_ns) {
    refuse(call, RegistryStatus::timed_out, "the time is over");
    return nullptr;
  }
  const bool putting = r.op == RegistryOp::queue_put;
  if (waiters_.size() >= config.waiters_max ||
      store.usage(call.caller.uid).waiters >= config.waiters_per_uid_max) {
    refuse(call, RegistryStatus::too_many,
           "too many requests wait, of all users " + std::to_string(waiters_.size()) +
               ", of this one " + std::to_string(store.usage(call.caller.uid).waiters));
    return nullptr;
  }
  if (putting && waiting_bytes_ + r.value.size() > config.waiting_bytes_max) {
    refuse(call, RegistryStatus::full, "too many bytes wait for room in queues");
    return nullptr;
  }
  auto owned = std::make_unique<Waiter>();
  Waiter& waiter = *owned;
  waiter.caller = call.caller;
  waiter.caller.groups = nullptr;  // the service's, for the time of the call only
  waiter.session = &call.session;
  waiter.object = call.object;
  waiter.op = r.op;
  waiter.flags = r.flags;
  waiter.owner = r.owner;
  waiter.deadline_ns = r.deadline_ns;
  waiter.a = r.a;
  if (putting) waiter.text = r.value;
  if (r.op == RegistryOp::dict_watch) waiter.text = r.key;
  if (!waiters_.try_emplace(call.caller.request_id, std::move(owned)).second) {
    refuse(call, RegistryStatus::bad_argument, "a request of this id waits already");
    return nullptr;
  }
  if (putting) waiting_bytes_ += waiter.text.size();
  ++store.usage(call.caller.uid).waiters;
  line.push_back(waiter);
  call.session.waiters.push_back(waiter);
  if (waiter.deadline_ns != kNoDeadline) deadlines.insert(waiter);
  return &waiter;
}

void Core::end(Waiter& waiter) {
  --store.usage(waiter.caller.uid).waiters;
  if (waiter.op == RegistryOp::queue_put) waiting_bytes_ -= waiter.text.size();
  waiters_.erase(waiter.caller.request_id);  // its hooks unlink themselves
}

Waiter* Core::find_waiter(std::uint64_t request_id) {
  const auto found = waiters_.find(request_id);
  return found == waiters_.end() ? nullptr : found->second.get();
}

Object* Core::depart(Waiter& waiter, Leaving why) {
  Object& object = *waiter.object;
  if (waiter.op == RegistryOp::condition_wait && condition_left(*this, waiter, why)) return nullptr;
  const bool breaks = waiter.op == RegistryOp::barrier_wait;
  switch (why) {
    case Leaving::timed_out:
      refuse(waiter, RegistryStatus::timed_out, "the time is over");
      break;
    case Leaving::cancelled:
      refuse(waiter, RegistryStatus::cancelled, "cancelled while it waited");
      break;
    case Leaving::died:
      end(waiter);
      break;
  }
  if (breaks) break_barrier(*this, object, "a party left");
  return &object;
}

void Core::leave(Waiter& waiter, Leaving why) {
  if (Object* object = depart(waiter, why)) pump(*this, *object);
}

void Core::time_out() {
  std::vector<Object*> left;
  while (!deadlines.empty() && deadlines.begin()->deadline_ns <= now_ns) {
    if (Object* object = depart(*deadlines.begin(), Leaving::timed_out)) left.push_back(object);
  }
  for (Object* object : left) pump(*this, *object);
}

void Core::abandon(Session& session) {
  std::vector<Object*> left;
  while (!session.waiters.empty()) {
    if (Object* object = depart(session.waiters.front(), Leaving::died)) left.push_back(object);
  }
  for (Object* object : left) pump(*this, *object);
}

RegistryStatus Core::room(const Usage& usage, std::int64_t content, const Session& session,
                          const Caller& caller, std::size_t answer) const {
  std::int64_t growth = content;
  if (caller.generation != 0) {
    const auto old = session.answers.find(caller.slot);
    growth += std::int64_t(answer) + std::int64_t(session.durable ? 0 : kSessionCost);
    growth += old == session.answers.end() ? std::int64_t(kAnswerCost)
                                           : -std::int64_t(old->second.reply.payload.size());
  }
  if (growth <= 0) return RegistryStatus::ok;
  const std::uint64_t after = store.bytes() + std::uint64_t(growth);
  if (content <= 0)
    return after <= live_max_ + reserve_ ? RegistryStatus::ok : RegistryStatus::full;
  if (after > live_max_ || usage.bytes + std::uint64_t(content) > config.bytes_per_uid_max)
    return RegistryStatus::full;
  return RegistryStatus::ok;
}

bool Core::make_room(const Call& call, std::int64_t content, std::size_t answer) {
  const Usage& usage = call.object != nullptr ? *call.object->usage : *call.session.usage;
  if (room(usage, content, call.session, call.caller, answer) == RegistryStatus::ok) return true;
  const std::uint32_t uid = call.object != nullptr ? call.object->def.uid : call.caller.uid;
  refuse(call, RegistryStatus::full,
         "no memory left: user " + std::to_string(uid) + " has " + std::to_string(usage.bytes) +
             " of " + std::to_string(config.bytes_per_uid_max) + " bytes, all users have " +
             std::to_string(store.bytes()) + " of " + std::to_string(live_max_));
  return false;
}

void Core::start_tokens(std::uint64_t first) {
  token_ = tokens_at_start_ = std::max(first, store.tokens());
}

std::uint64_t Core::next_token() {
  if (token_ >= store.tokens()) store.reserve_tokens(token_ + kTokensAtOnce);
  return ++token_;
}

void Core::remove(Object& object) {
  for (WaitLine* line : {&object.line, &object.putters, &object.joiners}) {
    while (!line->empty())
      refuse(line->front(), RegistryStatus::removed, "removed while the request waited");
  }
  store.remove(object);
}

}  // namespace jobring::registry
