// List and Counter.
#include <jobring/registry/containers.hpp>

#include "client/registry/core.hpp"

namespace jobring {
namespace {

using namespace detail;

RegistryRequest request(const ObjectCore& object, RegistryOp op, std::int64_t a,
                        std::string_view value = {}) {
  RegistryRequest r = object.request(op);
  r.a = a;
  r.value = value;
  return r;
}

std::int64_t to_number(const Answer& answer, ObjectCore&) {
  require_ok(answer);
  return answer.number;
}

}  // namespace

List::List(const Registry& registry, std::string_view name, const ObjectOptions& options)
    : NamedObject(registry, name, ObjectKind::list, options) {}

Pending<std::int64_t> List::start_append(std::string_view value) {
  return start<std::int64_t>(core_, request(*core_, RegistryOp::list_append, 0, value), Repeat::yes,
                             to_number);
}
std::int64_t List::append(std::string_view value) {
  return start_append(value).get();
}

std::int64_t List::extend(const std::vector<std::string>& values) {
  std::string batch;
  for (const std::string& value : values) jobring::append(batch, {{}, value, 0, 0});
  Future future;
  return ask(core_, request(*core_, RegistryOp::list_extend, 0, batch), future).number;
}

void List::insert(std::int64_t index, std::string_view value) {
  Future future;
  ask(core_, request(*core_, RegistryOp::list_insert, index, value), future);
}

std::string List::pop(std::int64_t index) {
  Future future;
  return std::string(ask(core_, request(*core_, RegistryOp::list_pop, index), future).payload);
}

std::string List::get(std::int64_t index) {
  Future future;
  return std::string(ask(core_, request(*core_, RegistryOp::list_get, index), future).payload);
}

void List::set(std::int64_t index, std::string_view value) {
  Future future;
  ask(core_, request(*core_, RegistryOp::list_set, index, value), future);
}

std::int64_t List::size() {
  Future future;
  return ask(core_, core_->request(RegistryOp::list_length), future).number;
}

std::vector<std::string> List::slice(std::int64_t begin, std::int64_t end) {
  std::vector<std::string> all;
  RegistryRequest r = request(*core_, RegistryOp::list_slice, begin);
  r.b = end;
  for (;;) {
    Future future;
    const Answer answer = ask(core_, r, future);
    for (const RegistryEntry& entry : entries_of(answer)) all.emplace_back(entry.value);
    if ((answer.flags & kMore) == 0) return all;
    r.a = answer.number;
  }
}

std::vector<std::string> List::all() {
  return slice(0, kNoDeadline);
}

std::optional<std::int64_t> List::index(std::string_view value) {
  Future future;
  const Answer answer = ask_any(core_, request(*core_, RegistryOp::list_index, 0, value), future);
  if (status(answer) == RegistryStatus::no_key) return std::nullopt;
  require_ok(answer);
  return answer.number;
}

bool List::erase(std::string_view value) {
  Future future;
  const Answer answer = ask_any(core_, request(*core_, RegistryOp::list_remove, 0, value), future);
  if (status(answer) == RegistryStatus::no_key) return false;
  require_ok(answer);
  return true;
}

void List::clear() {
  Future future;
  ask(core_, core_->request(RegistryOp::list_clear), future);
}

// ---- Counter

Counter::Counter(const Registry& registry, std::string_view name, const ObjectOptions& options)
    : NamedObject(registry, name, ObjectKind::counter, options) {}

Pending<std::int64_t> Counter::start_add(std::int64_t by) {
  return start<std::int64_t>(core_, request(*core_, RegistryOp::counter_add, by), Repeat::yes,
                             to_number);
}
std::int64_t Counter::add(std::int64_t by) {
  return start_add(by).get();
}

void Counter::set(std::int64_t value) {
  Future future;
  ask(core_, request(*core_, RegistryOp::counter_set, value), future);
}

std::int64_t Counter::get() {
  Future future;
  return ask(core_, core_->request(RegistryOp::counter_get), future).number;
}

bool Counter::compare_and_set(std::int64_t expected, std::int64_t desired, std::int64_t* present) {
  RegistryRequest r = request(*core_, RegistryOp::counter_compare_and_set, expected);
  r.b = desired;
  Future future;
  const Answer answer = ask_any(core_, r, future);
  if (status(answer) == RegistryStatus::mismatch) {
    if (present != nullptr) *present = answer.number;
    return false;
  }
  require_ok(answer);
  if (present != nullptr) *present = expected;
  return true;
}

}  // namespace jobring
