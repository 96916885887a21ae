#include "client/registry/core.hpp"

#include <utility>

#include "client/client_core.hpp"
#include "client/pool_core.hpp"
#include "common/clock.hpp"
#include "common/registry_pool.hpp"

namespace jobring {

static_assert(int(ObjectKind::counter) == int(ObjectType::counter));

const char* to_string(ObjectKind kind) {
  return to_string(ObjectType(kind));
}

namespace detail {
namespace {

// The handler that requests name. The registry has no other.
constexpr const char* kHandler = "registry";
constexpr std::uint8_t kEveryTime = 255;

Pool open_pool(Client& client) {
  try {
    return client.pool(kRegistryPool);
  } catch (const Exception& e) {
    if (std::string_view(e.kind()) != "unknown_pool") throw;
    throw_error({Errc::unknown_pool,
                 "the daemon has no registry, or it cannot be started",
                 {},
                 "see \"registry\" in its config, and its log"});
  }
}

template <class T>
[[noreturn]] void raise(Errc code, const char* kind, const std::string& line) {
  throw T(exit_status(code), kind, line);
}

}  // namespace

RegistryCore::RegistryCore(Client& client) : pool_(open_pool(client)) {}

Future RegistryCore::submit(const RegistryRequest& request, bool again) {
  JobOptions options;
  options.crash_retries = again ? kEveryTime : 0;
  Future future = pool_.submit(kHandler, encode(request), options);
  std::call_once(known_, [&] { core_ = PoolCore::of(future); });
  return future;
}

bool RegistryCore::holds(std::uint64_t token) const {
  // Without a request there was no grant.
  return token != 0 && core_->connected() && token > core_->lost_tokens();
}

Answer ask_any(const std::shared_ptr<ObjectCore>& object, const RegistryRequest& request,
               Future& future) {
  future = object->registry->submit(request, true);
  return answer_of(future);
}

Answer ask(const std::shared_ptr<ObjectCore>& object, const RegistryRequest& request,
           Future& future) {
  const Answer answer = ask_any(object, request, future);
  require_ok(answer);
  return answer;
}

RegistryRequest ObjectCore::request(RegistryOp op) const {
  RegistryRequest r;
  r.op = op;
  r.type = ObjectType(kind);
  r.order = order;
  if (options.create) r.flags |= kCreateIfMissing;
  if (options.ephemeral) r.flags |= kEphemeral;
  r.mode = std::uint16_t(options.mode);
  r.size = size;
  r.name = name;
  if (!lock.empty()) r.key = lock;
  return r;
}

std::shared_ptr<ObjectCore> nobodys_object() {
  auto object = std::make_shared<ObjectCore>();
  object->lock_core = std::make_shared<ObjectCore>();  // a condition's
  return object;
}

Answer answer_of(const Future& future) {
  const JobResult& result = future.result();
  switch (result.outcome) {
    case Outcome::ok:
      break;
    case Outcome::lost:
    case Outcome::crashed:
      raise<ObjectLost>(Errc::no_daemon, "lost", result.bytes);
    case Outcome::cancelled:
    case Outcome::killed:
      raise<ObjectCancelled>(Errc::bad_input, "cancelled", result.bytes);
    default:
      throw_error({Errc::protocol, result.bytes, "registry", {}});
  }
  const auto reply = decode_registry_reply(
      {reinterpret_cast<const unsigned char*>(result.bytes.data()), result.bytes.size()});
  if (!reply) throw_error(reply.error());
  return {std::uint8_t(reply->status), reply->flags, reply->token, reply->number, reply->payload};
}

void throw_status(const Answer& answer) {
  const RegistryStatus s = status(answer);
  const char* kind = to_string(s);
  std::string line(answer.payload);
  if (line.empty()) line = kind;
  switch (s) {
    case RegistryStatus::not_holder:
    case RegistryStatus::over_release:
      raise<NotHolder>(Errc::bad_input, kind, line);
    case RegistryStatus::lost:
      raise<ObjectLost>(Errc::no_daemon, kind, line);
    case RegistryStatus::bad_timeout:
      raise<BadTimeout>(Errc::bad_input, kind, line);
    case RegistryStatus::cancelled:
      raise<ObjectCancelled>(Errc::bad_input, kind, line);
    case RegistryStatus::removed:
      raise<ObjectRemoved>(Errc::bad_input, kind, line);
    case RegistryStatus::broken:
      raise<BrokenBarrier>(Errc::bad_input, kind, line);
    case RegistryStatus::out_of_range:
      raise<ObjectRange>(Errc::bad_input, kind, line);
    case RegistryStatus::permission:
      raise<ObjectError>(Errc::permission, kind, line);
    case RegistryStatus::full:
    case RegistryStatus::too_many:
    case RegistryStatus::timed_out:
      raise<ObjectError>(Errc::full, kind, line);
    default:
      raise<ObjectError>(Errc::bad_input, kind, line);
  }
}

std::int64_t deadline(std::chrono::nanoseconds timeout) {
  if (timeout.count() < 0) {
    raise<BadTimeout>(Errc::bad_input, "bad_timeout",
                      "the time-out is negative: " + std::to_string(timeout.count()) + " ns");
  }
  if (timeout == kForever) return kNoDeadline;
  if (timeout.count() == 0) return 0;
  const auto now = std::int64_t(now_ns());
  return timeout.count() >= kNoDeadline - now ? kNoDeadline : now + timeout.count();
}

std::int64_t time_to_live(std::chrono::nanoseconds ttl) {
  if (ttl.count() < 0) {
    raise<BadTimeout>(Errc::bad_input, "bad_timeout",
                      "the time to live is negative: " + std::to_string(ttl.count()) + " ns");
  }
  return ttl == kForever ? 0 : ttl.count();
}

std::int64_t count_of(std::int64_t n) {
  if (n == 0) raise<ObjectError>(Errc::bad_input, "bad_argument", "a number of 0 makes no sense");
  return n;
}

std::vector<RegistryEntry> entries_of(const Answer& answer) {
  auto entries = decode_registry_entries(answer.payload);
  if (!entries) throw_error({Errc::protocol, "an answer that makes no sense", "registry", {}});
  return std::move(*entries);
}

ObjectInfo to_info(const RegistryEntry& entry) {
  const auto s = decode_object_status(entry.value);
  if (!s) throw_error({Errc::protocol, "an answer that makes no sense", "registry", {}});
  ObjectInfo info;
  info.name = entry.key;
  info.kind = ObjectKind(s->type);
  info.size = s->size;
  info.length = s->length;
  info.token = s->token;
  info.holders = s->holders;
  info.waiters = s->waiters;
  info.bytes = s->bytes;
  info.uid = s->uid;
  info.gid = s->gid;
  info.mode = s->mode;
  info.ephemeral = s->ephemeral;
  info.broken = s->broken;
  return info;
}

}  // namespace detail

using namespace detail;

// ---- Registry

Registry::Registry(Client& client) : core_(std::make_shared<RegistryCore>(client)) {}

Pool Registry::pool() const {
  return core_->pool();
}

std::vector<ObjectInfo> Registry::objects(std::string_view prefix, ObjectKind kind) {
  std::vector<ObjectInfo> all;
  RegistryRequest r;
  r.op = RegistryOp::enumerate;
  r.type = ObjectType(kind);
  r.name = prefix;
  for (;;) {
    const Future future = core_->submit(r, true);
    const Answer answer = answer_of(future);
    require_ok(answer);
    for (const RegistryEntry& entry : entries_of(answer)) all.push_back(to_info(entry));
    if ((answer.flags & kMore) == 0) return all;
    r.a = answer.number;
  }
}

namespace {

bool remove_object(RegistryCore& core, std::string_view name) {
  RegistryRequest r;
  r.op = RegistryOp::remove;
  r.name = name;
  const Future future = core.submit(r, true);
  const Answer answer = answer_of(future);
  if (status(answer) == RegistryStatus::not_found) return false;
  require_ok(answer);
  return true;
}

std::optional<ObjectInfo> object_info(RegistryCore& core, std::string_view name) {
  RegistryRequest r;
  r.op = RegistryOp::info;
  r.name = name;
  const Future future = core.submit(r, true);
  const Answer answer = answer_of(future);
  if (status(answer) == RegistryStatus::not_found) return std::nullopt;
  require_ok(answer);
  return to_info(entries_of(answer).at(0));
}

}  // namespace

bool Registry::remove(std::string_view name) {
  return remove_object(*core_, name);
}

std::optional<ObjectInfo> Registry::info(std::string_view name) {
  return object_info(*core_, name);
}

// ---- NamedObject

NamedObject::NamedObject(const Registry& registry, std::string_view name, ObjectKind kind,
                         const ObjectOptions& options, std::int64_t size, std::uint8_t order,
                         std::string_view lock)
    : core_(std::make_shared<ObjectCore>()) {
  core_->registry = registry.core();
  core_->name = name;
  core_->kind = kind;
  core_->options = options;
  core_->size = size;
  core_->order = QueueOrder(order);
  core_->lock = lock;
}

const std::string& NamedObject::name() const {
  return core_->name;
}

bool NamedObject::create() {
  const Future future = core_->registry->submit(core_->request(RegistryOp::create), true);
  const Answer answer = answer_of(future);
  require_ok(answer);
  return (answer.flags & kExisted) == 0;
}

bool NamedObject::remove() {
  return remove_object(*core_->registry, core_->name);
}

std::optional<ObjectInfo> NamedObject::info() const {
  return object_info(*core_->registry, core_->name);
}

void NamedObject::set_access(unsigned mode, std::int64_t uid, std::int64_t gid) {
  RegistryRequest r;
  r.op = RegistryOp::set_access;
  r.name = core_->name;
  r.mode = std::uint16_t(mode);
  r.a = uid;
  r.b = gid;
  const Future future = core_->registry->submit(r, true);
  require_ok(answer_of(future));
}

}  // namespace jobring
