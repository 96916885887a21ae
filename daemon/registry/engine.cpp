#include "daemon/registry/engine.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "daemon/registry/operations.hpp"

namespace jobring::registry {

Engine::Engine(Journal journal, const RegistryConfig& config)
    : journal_(journal), core_(config, journal_.live_max(), journal_.half_size() / 16) {}

Result<std::unique_ptr<Engine>> Engine::open(std::span<std::byte> segment,
                                             const RegistryConfig& config, std::int64_t now_ns,
                                             std::uint64_t first_token) {
  // The journal first says whether it is whole, then fills a store of a core that knows its size.
  auto whole = Journal::open(segment, [](std::string_view) { return true; });
  if (!whole) return whole.error();
  std::unique_ptr<Engine> engine(new Engine(*whole, config));
  Store& store = engine->core_.store;
  auto journal = Journal::open(segment, [&](std::string_view body) { return store.apply(body); });
  if (!journal) return journal.error();
  store.applied();
  engine->core_.start_tokens(first_token);
  engine->at(now_ns);
  return engine;
}

void Engine::at(std::int64_t now_ns) {
  core_.now_ns = std::max(core_.now_ns, now_ns);
  if (!core_.store.expiries().empty()) expire();
  if (!core_.deadlines.empty()) core_.time_out();
}

void Engine::expire() {
  Store& store = core_.store;
  while (!store.expiries().empty()) {
    const auto [when, object, key] = *store.expiries().begin();
    if (when > core_.now_ns) return;
    store.dict_erase(*object, key);
    pump(core_, *object);
  }
}

Session* Engine::admit(const Caller& caller) {
  if (Session* known = core_.store.find_session(caller.session)) return known;
  if (core_.store.sessions().size() >= core_.config.sessions_max) return nullptr;
  return &core_.store.session(caller.session, caller.uid);
}

// What can be said of a request without its object. Answers if it is not well.
bool Engine::check(const Call& call) {
  const RegistryRequest& r = call.request;
  const auto refuse = [&](RegistryStatus status, const std::string& why) {
    core_.refuse(call, status, why);
    return false;
  };
  const Operation& op = operation(r.op);
  if (op.run == nullptr) {
    return refuse(RegistryStatus::bad_argument,
                  "no operation has number " + std::to_string(int(r.op)));
  }
  const bool named = op.needs_object || r.op == RegistryOp::create;
  if (named && r.name.empty()) return refuse(RegistryStatus::bad_name, "the name is empty");
  if (r.name.size() > kRegistryNameMax) {
    return refuse(RegistryStatus::bad_name, "the name has " + std::to_string(r.name.size()) +
                                                " bytes, it may have " +
                                                std::to_string(kRegistryNameMax));
  }
  const auto control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  if (std::any_of(r.name.begin(), r.name.end(), control))
    return refuse(RegistryStatus::bad_name, "the name contains a control character");
  if (r.deadline_ns < 0) return refuse(RegistryStatus::bad_timeout, "the time-out is negative");
  if (r.key.size() > kRegistryKeyMax) {
    return refuse(RegistryStatus::too_large, "the key has " + std::to_string(r.key.size()) +
                                                 " bytes, it may have " +
                                                 std::to_string(kRegistryKeyMax));
  }
  if (r.value.size() > core_.config.value_max) {
    return refuse(RegistryStatus::too_large, "the value has " + std::to_string(r.value.size()) +
                                                 " bytes, it may have " +
                                                 std::to_string(core_.config.value_max));
  }
  if (r.mode > 0777) return refuse(RegistryStatus::bad_argument, "the mode is above 0777");
  return true;
}

void Engine::handle(const Caller& caller, const RegistryRequest& r, std::int64_t now_ns) {
  at(now_ns);
  Session* session = admit(caller);
  if (session == nullptr) {
    RegistryReply refusal;
    refusal.status = RegistryStatus::too_many;
    refusal.payload = "too many clients: " + std::to_string(core_.store.sessions().size());
    core_.replies.push_back({caller.request_id, std::move(refusal)});
    return;
  }
  Call call{caller, r, *session};
  if (!check(call)) return;
  const Operation& op = operation(r.op);

  if (op.changes && caller.generation != 0) {
    const auto answered = session->answers.find(caller.slot);
    if (answered != session->answers.end() && answered->second.generation >= caller.generation) {
      if (answered->second.generation > caller.generation)
        return core_.refuse(call, RegistryStatus::stale_request, "a later request was answered");
      RegistryReply again = answered->second.reply;
      again.flags |= kReplayed;
      return core_.reply(call, std::move(again));
    }
  }

  if (op.needs_object) {
    Object* object = core_.store.find(r.name);
    const auto fits = [&](ObjectType type) {
      return op.type == ObjectType::none || type == op.type ||
             (op.other != ObjectType::none && type == op.other);
    };
    if (object == nullptr) {
      if ((r.flags & kCreateIfMissing) == 0 || op.type == ObjectType::none) {
        return core_.refuse(call, RegistryStatus::not_found,
                            "there is no object \"" + std::string(r.name) + "\"");
      }
      const ObjectType type = r.type == ObjectType::none ? op.type : r.type;
      if (!fits(type)) {
        return core_.refuse(call, RegistryStatus::wrong_type,
                            std::string(op.name) + " is no operation of a " + to_string(type));
      }
      object = create_object(core_, call, type);
      if (object == nullptr) return;
    }
    call.object = object;
    if (!fits(object->def.type)) {
      return core_.refuse(call, RegistryStatus::wrong_type,
                          std::string(op.name) + " is no operation of it");
    }
    if (!may(caller, *object, op.permit)) {
      return core_.refuse(call, RegistryStatus::permission,
                          "user " + std::to_string(caller.uid) + " may not do " + op.name);
    }
    if (r.type != ObjectType::none && r.type != object->def.type) {
      return core_.refuse(
          call, RegistryStatus::wrong_type,
          std::string("it is a ") + to_string(object->def.type) + ", not a " + to_string(r.type));
    }
    if ((r.flags & kCreateIfMissing) != 0 && !same_params(*object, r)) {
      return core_.refuse(call, RegistryStatus::wrong_params,
                          "it exists with other parameters than those asked for");
    }
    // Who looks at an object of any type, or changes its permissions, does not use it.
    if (op.type != ObjectType::none && object->def.ephemeral &&
        object->users.count(session->id) == 0) {
      if (!core_.make_room(call, kUseCost)) return;
      core_.store.use(*object, *session);
    }
  }
  op.run(core_, call);
}

void Engine::session_ended(std::uint64_t id, std::int64_t now_ns) {
  at(now_ns);
  Session* session = core_.store.find_session(id);
  if (session == nullptr) return;
  // Its waiters first, so that nothing is granted to it on the way.
  core_.abandon(*session);
  while (!session->holds.empty()) free_lock(core_, *session->holds.front().object, true);
  for (const std::uint64_t semaphore : session->semaphores) {
    if (Object* object = core_.store.find_id(semaphore)) semaphore_holder_died(core_, *object, id);
  }
  for (const std::uint64_t queue : session->queues) {
    if (Object* object = core_.store.find_id(queue)) queue_getter_died(core_, *object, *session);
  }
  const std::vector<Object*> used(session->uses.begin(), session->uses.end());
  core_.store.end_session(*session);
  for (Object* object : used) {
    if (object->users.empty()) core_.remove(*object);
  }
}

bool Engine::cancel(std::uint64_t request_id, std::int64_t now_ns) {
  at(now_ns);
  Waiter* waiter = core_.find_waiter(request_id);
  if (waiter == nullptr) return false;
  core_.leave(*waiter, Leaving::cancelled);
  return true;
}

void Engine::tick(std::int64_t now_ns) {
  at(now_ns);
}

std::span<const Reply> Engine::commit() {
  std::string& log = core_.store.log();
  if (!log.empty()) {
    if (journal_.fits(log.size())) {
      journal_.append(log);
    } else {
      // The snapshot has what the log says.
      journal_.begin_snapshot();
      if (!core_.store.snapshot([&](std::string_view body) { return journal_.add(body); }))
        throw std::logic_error("registry: a snapshot does not fit into its half");
      journal_.commit_snapshot();
    }
    log.clear();
  }
  told_.clear();
  told_.swap(core_.replies);
  return told_;
}

std::int64_t Engine::next_deadline() const {
  std::int64_t next = kNoDeadline;
  if (!core_.deadlines.empty()) next = core_.deadlines.begin()->deadline_ns;
  if (!core_.store.expiries().empty())
    next = std::min(next, std::get<0>(*core_.store.expiries().begin()));
  return next;
}

std::vector<std::uint64_t> Engine::sessions() const {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, session] : core_.store.sessions()) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace jobring::registry
