#include <jobring/registry/containers.hpp>

#include "client/registry/core.hpp"

namespace jobring {
namespace {

using namespace detail;

RegistryRequest keyed(const ObjectCore& object, RegistryOp op, std::string_view key) {
  RegistryRequest r = object.request(op);
  r.key = key;
  return r;
}

std::optional<std::string> to_value(const Answer& answer, ObjectCore&) {
  if (status(answer) == RegistryStatus::no_key) return std::nullopt;
  require_ok(answer);
  return std::string(answer.payload);
}

std::int64_t to_number(const Answer& answer, ObjectCore&) {
  require_ok(answer);
  return answer.number;
}

void to_nothing(const Answer& answer, ObjectCore&) {
  require_ok(answer);
}

std::optional<DictChanges> to_changes(const Answer& answer, ObjectCore&) {
  if (!in_time(answer)) return std::nullopt;
  DictChanges changes;
  changes.version = std::uint64_t(answer.number);
  changes.compacted = (answer.flags & kCompacted) != 0;
  for (const RegistryEntry& entry : entries_of(answer)) {
    DictChange change{std::string(entry.key), std::nullopt, entry.version};
    if ((entry.flags & kErased) == 0) change.value = entry.value;
    changes.changed.push_back(std::move(change));
  }
  return changes;
}

std::string encode_batch(const std::vector<DictUpdate>& batch) {
  std::string text;
  for (const DictUpdate& step : batch) {
    append(text, {step.key, step.value ? std::string_view(*step.value) : std::string_view(), 0,
                  std::uint16_t(step.value ? 0 : kErased)});
  }
  return text;
}

// All pages of a listing.
template <class Each>
void list(const std::shared_ptr<ObjectCore>& object, RegistryOp op, Each each) {
  RegistryRequest r = object->request(op);
  for (;;) {
    Future future;
    const Answer answer = ask(object, r, future);
    for (const RegistryEntry& entry : entries_of(answer)) each(entry);
    if ((answer.flags & kMore) == 0) return;
    r.a = answer.number;
  }
}

}  // namespace

Dict::Dict(const Registry& registry, std::string_view name, const ObjectOptions& options)
    : NamedObject(registry, name, ObjectKind::dict, options) {}

Pending<std::optional<std::string>> Dict::start_get(std::string_view key) {
  return start<std::optional<std::string>>(core_, keyed(*core_, RegistryOp::dict_get, key),
                                           Repeat::yes, to_value);
}
std::optional<std::string> Dict::get(std::string_view key) {
  return start_get(key).get();
}

Pending<void> Dict::start_set(std::string_view key, std::string_view value, Ttl ttl) {
  RegistryRequest r = keyed(*core_, RegistryOp::dict_set, key);
  r.value = value;
  r.b = time_to_live(ttl);
  return start<void>(core_, r, Repeat::yes, to_nothing);
}
void Dict::set(std::string_view key, std::string_view value, Ttl ttl) {
  start_set(key, value, ttl).get();
}

bool Dict::set_if_absent(std::string_view key, std::string_view value, Ttl ttl,
                         std::string* present) {
  RegistryRequest r = keyed(*core_, RegistryOp::dict_set, key);
  r.value = value;
  r.flags |= kIfAbsent;
  r.b = time_to_live(ttl);
  Future future;
  const Answer answer = ask(core_, r, future);
  if ((answer.flags & kExisted) == 0) return true;
  if (present != nullptr) *present = answer.payload;
  return false;
}

bool Dict::erase(std::string_view key) {
  Future future;
  const Answer answer = ask_any(core_, keyed(*core_, RegistryOp::dict_remove, key), future);
  if (status(answer) == RegistryStatus::no_key) return false;
  require_ok(answer);
  return true;
}

std::optional<std::string> Dict::pop(std::string_view key) {
  return start<std::optional<std::string>>(core_, keyed(*core_, RegistryOp::dict_pop, key),
                                           Repeat::yes, to_value)
      .get();
}

Pending<std::int64_t> Dict::start_increment(std::string_view key, std::int64_t by, Ttl ttl) {
  RegistryRequest r = keyed(*core_, RegistryOp::dict_increment, key);
  r.a = by;
  r.b = time_to_live(ttl);
  return start<std::int64_t>(core_, r, Repeat::yes, to_number);
}
std::int64_t Dict::increment(std::string_view key, std::int64_t by, Ttl ttl) {
  return start_increment(key, by, ttl).get();
}

bool Dict::compare_and_set(std::string_view key, std::optional<std::string_view> expected,
                           std::optional<std::string_view> desired, Ttl ttl) {
  RegistryRequest r = keyed(*core_, RegistryOp::dict_compare_and_set, key);
  std::string pair;
  for (const auto& value : {expected, desired})
    append(pair, {{}, value.value_or(""), 0, std::uint16_t(value ? 0 : kErased)});
  r.value = pair;
  r.b = time_to_live(ttl);
  Future future;
  const Answer answer = ask_any(core_, r, future);
  if (status(answer) == RegistryStatus::mismatch) return false;
  require_ok(answer);
  return true;
}

std::uint64_t Dict::update(const std::vector<DictUpdate>& batch, Ttl ttl) {
  RegistryRequest r = core_->request(RegistryOp::dict_update);
  const std::string text = encode_batch(batch);
  r.value = text;
  r.b = time_to_live(ttl);
  Future future;
  return ask(core_, r, future).token;
}

bool Dict::update_if(std::uint64_t version, const std::vector<DictUpdate>& batch, Ttl ttl) {
  RegistryRequest r = core_->request(RegistryOp::dict_update);
  const std::string text = encode_batch(batch);
  r.value = text;
  r.a = std::int64_t(version);
  r.b = time_to_live(ttl);
  r.flags |= kIfVersion;
  Future future;
  const Answer answer = ask_any(core_, r, future);
  if (status(answer) == RegistryStatus::mismatch) return false;
  require_ok(answer);
  return true;
}

void Dict::clear() {
  Future future;
  ask(core_, core_->request(RegistryOp::dict_clear), future);
}

bool Dict::expire(std::string_view key, Ttl ttl) {
  RegistryRequest r = keyed(*core_, RegistryOp::dict_expire, key);
  r.b = time_to_live(ttl);
  Future future;
  const Answer answer = ask_any(core_, r, future);
  if (status(answer) == RegistryStatus::no_key) return false;
  require_ok(answer);
  return true;
}

std::vector<std::string> Dict::keys() {
  std::vector<std::string> all;
  list(core_, RegistryOp::dict_keys,
       [&](const RegistryEntry& entry) { all.emplace_back(entry.key); });
  return all;
}

std::vector<std::pair<std::string, std::string>> Dict::items() {
  std::vector<std::pair<std::string, std::string>> all;
  list(core_, RegistryOp::dict_items,
       [&](const RegistryEntry& entry) { all.emplace_back(entry.key, entry.value); });
  return all;
}

std::int64_t Dict::size() {
  Future future;
  return ask(core_, core_->request(RegistryOp::dict_length), future).number;
}

std::uint64_t Dict::version() {
  Future future;
  return ask(core_, core_->request(RegistryOp::dict_length), future).token;
}

Pending<std::optional<DictChanges>> Dict::start_watch(std::uint64_t version,
                                                      std::chrono::nanoseconds timeout) {
  RegistryRequest r = core_->request(RegistryOp::dict_watch);
  r.flags |= kWholeDict;
  r.a = std::int64_t(version);
  r.deadline_ns = deadline(timeout);
  return start<std::optional<DictChanges>>(core_, r, Repeat::yes, to_changes);
}
Pending<std::optional<DictChanges>> Dict::start_watch_key(std::string_view key,
                                                          std::uint64_t version,
                                                          std::chrono::nanoseconds timeout) {
  RegistryRequest r = keyed(*core_, RegistryOp::dict_watch, key);
  r.a = std::int64_t(version);
  r.deadline_ns = deadline(timeout);
  return start<std::optional<DictChanges>>(core_, r, Repeat::yes, to_changes);
}
std::optional<DictChanges> Dict::watch(std::uint64_t version, std::chrono::nanoseconds timeout) {
  return start_watch(version, timeout).get();
}
std::optional<DictChanges> Dict::watch_key(std::string_view key, std::uint64_t version,
                                           std::chrono::nanoseconds timeout) {
  return start_watch_key(key, version, timeout).get();
}

}  // namespace jobring
