// Making, removing, listing objects.
#include <algorithm>

#include "daemon/registry/operations.hpp"

namespace jobring::registry {
namespace {

ObjectStatus status_of(const Object& object) {
  ObjectStatus s;
  const Definition& d = object.def;
  s.id = d.id;
  s.bytes = object.bytes;
  s.size = d.size;
  s.length = std::int64_t(object.length());
  s.token = object.hold.session != nullptr ? object.hold.token : 0;
  s.holders = std::uint32_t(object.hold.level + object.permits_out);
  for (const WaitLine* line : {&object.line, &object.putters, &object.joiners})
    s.waiters += std::uint32_t(line->size());
  if (d.type == ObjectType::barrier) s.length = s.waiters;
  if (const auto* dict = std::get_if<DictData>(&object.contents)) s.token = dict->version;
  if (const auto* queue = std::get_if<QueueData>(&object.contents))
    s.holders = std::uint32_t(queue->leases.size());
  s.uid = d.uid;
  s.gid = d.gid;
  s.mode = d.mode;
  s.type = d.type;
  s.order = d.order;
  s.ephemeral = d.ephemeral;
  s.broken = object.broken;
  return s;
}

bool sized(ObjectType type) {
  return type == ObjectType::semaphore || type == ObjectType::bounded_semaphore ||
         type == ObjectType::barrier || type == ObjectType::queue;
}

}  // namespace

bool same_params(const Object& object, const RegistryRequest& r) {
  const Definition& d = object.def;
  if (sized(d.type) && d.size != r.size) return false;
  if (d.type == ObjectType::queue && d.order != r.order) return false;
  if (d.type == ObjectType::condition && d.lock != r.key) return false;
  return true;
}

Object* create_object(Core& core, const Call& call, ObjectType type) {
  const RegistryRequest& r = call.request;
  const auto refuse = [&](RegistryStatus status, const std::string& why) {
    core.refuse(call, status, to_string(type) + (" \"" + std::string(r.name) + "\": ") + why);
    return nullptr;
  };
  if (type == ObjectType::none)
    return refuse(RegistryStatus::bad_argument, "which type it shall have is not said");
  if (sized(type) && r.size < (type == ObjectType::barrier ? 1 : 0)) {
    return refuse(RegistryStatus::bad_argument, "its size may not be " + std::to_string(r.size));
  }
  if (type == ObjectType::condition && (r.key.empty() || r.key.size() > kRegistryNameMax))
    return refuse(RegistryStatus::bad_argument, "a condition needs the name of its lock as key");
  const Usage& usage = core.store.usage(call.caller.uid);
  if (core.store.objects().size() >= core.config.objects_max ||
      usage.objects >= core.config.objects_per_uid_max) {
    return refuse(RegistryStatus::too_many,
                  "too many objects: user " + std::to_string(call.caller.uid) + " has " +
                      std::to_string(usage.objects) + " of " +
                      std::to_string(core.config.objects_per_uid_max) + ", all users have " +
                      std::to_string(core.store.objects().size()) + " of " +
                      std::to_string(core.config.objects_max));
  }
  Definition def;
  def.type = type;
  def.order = type == ObjectType::queue ? r.order : QueueOrder::fifo;
  def.ephemeral = (r.flags & kEphemeral) != 0;
  def.uid = call.caller.uid;
  def.gid = call.caller.gid;
  def.mode = r.mode != 0 ? r.mode : core.config.default_mode;
  def.size = sized(type) ? r.size : 0;
  def.name = r.name;
  if (type == ObjectType::condition) def.lock = r.key;
  if (!core.make_room(call, std::int64_t(kObjectCost + def.name.size() + def.lock.size() +
                                         (def.ephemeral ? kUseCost : 0))))
    return nullptr;
  return &core.store.create(std::move(def));
}

// number: its id. kExisted if it was there already.
void create(Core& core, Call& call) {
  const RegistryRequest& r = call.request;
  if (Object* object = core.store.find(r.name)) {
    call.object = object;
    if ((r.flags & kExclusive) != 0)
      return core.refuse(call, RegistryStatus::exists, "it exists already");
    if (object->def.type != r.type) {
      return core.refuse(call, RegistryStatus::wrong_type,
                         std::string("it exists and is no ") + to_string(r.type));
    }
    if (!same_params(*object, r)) {
      return core.refuse(call, RegistryStatus::wrong_params,
                         "it exists with other parameters than those asked for");
    }
    if (object->def.ephemeral) core.store.use(*object, call.session);
    return core.reply(call, {RegistryStatus::ok, kExisted, 0, std::int64_t(object->def.id), {}});
  }
  Object* object = create_object(core, call, r.type);
  if (object == nullptr) return;
  if (object->def.ephemeral) core.store.use(*object, call.session);
  core.reply(call, {RegistryStatus::ok, 0, 0, std::int64_t(object->def.id), {}}, Changed::yes);
}

void remove(Core& core, Call& call) {
  if (!core.make_room(call, -std::int64_t(call.object->bytes))) return;
  core.remove(*call.object);
  call.object = nullptr;
  core.reply(call, {}, Changed::yes);
}

// payload: one entry of its name and status.
void info(Core& core, Call& call) {
  RegistryReply reply;
  append(reply.payload, {call.object->def.name, encode(status_of(*call.object)), 0, 0});
  core.reply(call, std::move(reply));
}

// The objects whose names begin with `name`, of `type` (none: any), that the caller may read, with
// ids above a. payload: an entry each; number: the last id. kMore: ask again from there.
void enumerate(Core& core, Call& call) {
  const RegistryRequest& r = call.request;
  RegistryReply reply;
  reply.number = r.a;
  const auto& objects = core.store.objects();
  for (auto at = objects.upper_bound(std::uint64_t(std::max<std::int64_t>(r.a, 0)));
       at != objects.end(); ++at) {
    const Object& object = *at->second;
    if (!object.def.name.starts_with(r.name)) continue;
    if (r.type != ObjectType::none && r.type != object.def.type) continue;
    if (!may(call.caller, object, Permit::read)) continue;
    const std::string value = encode(status_of(object));
    if (reply.payload.size() + kRegistryEntryHead + object.def.name.size() + value.size() >
        core.config.reply_max) {
      reply.flags |= kMore;
      break;
    }
    append(reply.payload, {object.def.name, value, 0, 0});
    reply.number = std::int64_t(at->first);
  }
  core.reply(call, std::move(reply));
}

// a: uid, b: gid (below 0: unchanged); mode. The owner may change mode and group, root all.
void set_access(Core& core, Call& call) {
  const RegistryRequest& r = call.request;
  const Definition& d = call.object->def;
  const std::uint32_t uid = r.a < 0 ? d.uid : std::uint32_t(r.a);
  const std::uint32_t gid = r.b < 0 ? d.gid : std::uint32_t(r.b);
  if (r.a > UINT32_MAX || r.b > UINT32_MAX)
    return core.refuse(call, RegistryStatus::bad_argument, "no such user or group can be");
  const Caller& caller = call.caller;
  if (caller.uid != 0) {
    const bool member =
        gid == d.gid || gid == caller.gid ||
        (caller.groups != nullptr &&
         std::find(caller.groups->begin(), caller.groups->end(), gid) != caller.groups->end());
    if (caller.uid != d.uid || uid != d.uid || !member) {
      return core.refuse(call, RegistryStatus::permission,
                         "only its owner may change mode and group, only root its owner");
    }
  }
  if (!core.make_room(call, 0)) return;
  core.store.set_access(*call.object, uid, gid, r.mode != 0 ? r.mode : d.mode);
  core.reply(call, {}, Changed::yes);
}

}  // namespace jobring::registry
