#include "explorer.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "atomic.hpp"
#include "machine.hpp"

namespace explore {

Report explore(const Options& options, const std::function<void(Scenario&)>& scenario) {
  return Machine(options, scenario).run();
}

void* Scenario::allocate(std::size_t size, std::size_t align) {
  return machine_.allocate(size, align);
}
int Scenario::thread(std::string name, std::function<void()> body, Ends ends, bool may_be_killed) {
  return machine_.add_thread(std::move(name), std::move(body), ends, may_be_killed);
}
void Scenario::at_end(std::function<void()> check) {
  machine_.at_end(std::move(check));
}
void Scenario::label(const void* at, std::size_t size, std::string name) {
  machine_.label(at, size, std::move(name));
}

void Scenario::guard(const void* at, std::size_t size) {
  machine_.guard(at, size);
}

void require(bool condition, const char* what) {
  if (!condition) Machine::current->fail(what);
}
void yield() {
  Machine::current->yield();
}
int await_death() {
  return Machine::current->await_death();
}
std::uint64_t passing_time(std::uint64_t ns) {
  return Machine::current == nullptr ? 0 : Machine::current->passing_time(ns);
}
int self() {
  return Machine::current == nullptr ? -1 : Machine::current->self();
}

void Event::step(bool write) const {
  Machine::current->step(this, write, true);
  std::uint32_t id;
  Location& mine = Machine::current->location(this, 1, id);
  (write ? mine.writers : mine.readers) |= std::uint8_t(1u << self());
}
void Event::wait() {
  step(true);
  Machine::current->wait([](const void* e) { return static_cast<const Event*>(e)->rung(); }, this);
  rung_ = false;
}

namespace {

std::vector<std::size_t> candidates;

std::uint64_t value_at(const void* at, std::size_t size) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, size);
  return value;
}

// Memory itself always has the last value in modification order, for who looks after the end.
void mirror(const Location& location, void* at, std::size_t size) {
  std::memcpy(at, &location.stores.back().value, size);
}

bool modelled(const void* at) {
  return Machine::current != nullptr && Machine::current->models(at);
}

// An unwinding thread is dead for the others: it may look, but what it writes is lost.
bool is_ghost() {
  return Machine::current != nullptr && Machine::current->self() >= 0;
}

std::uint64_t cut(std::uint64_t value, std::size_t size) {
  return size == 8 ? value : value & ((std::uint64_t{1} << size * 8) - 1);
}

}  // namespace

std::uint64_t atomic_load(const void* at, std::size_t size, std::memory_order order, bool visible) {
  if (!modelled(at)) return value_at(at, size);
  Machine& m = *Machine::current;
  m.step(at, false, visible);
  std::uint32_t id;
  Location& location = m.location(at, size, id);
  readable(location, id, m.knowledge(), order, candidates);
  const std::size_t chosen = m.choose_store(candidates.size());
  const std::uint64_t value =
      do_load(location, id, m.knowledge(), m.self(), order, candidates[chosen]);
  if (m.tracing()) m.trace("load", at, value, order, chosen != 0);
  return value;
}

void atomic_store(void* at, std::size_t size, std::uint64_t value, std::memory_order order,
                  bool visible) {
  if (!modelled(at)) {
    if (!is_ghost() || !Machine::current->owns(at)) std::memcpy(at, &value, size);
    return;
  }
  Machine& m = *Machine::current;
  m.step(at, true, visible);
  std::uint32_t id;
  Location& location = m.location(at, size, id);
  placeable(location, id, m.knowledge(), order, candidates);
  const std::size_t chosen = visible ? m.choose_store(candidates.size()) : 0;
  do_store(location, id, m.knowledge(), m.self(), order, candidates[chosen], value);
  mirror(location, at, size);
  if (m.tracing()) m.trace("store", at, value, order, chosen != 0);
}

std::uint64_t atomic_rmw(void* at, std::size_t size, Operation operation, std::uint64_t argument,
                         std::memory_order order) {
  if (!modelled(at)) {
    const std::uint64_t old = value_at(at, size);
    const std::uint64_t made = operation(old, argument);
    if (!is_ghost() || !Machine::current->owns(at)) std::memcpy(at, &made, size);
    return old;
  }
  Machine& m = *Machine::current;
  m.step(at, true, true);
  std::uint32_t id;
  Location& location = m.location(at, size, id);
  placeable(location, id, m.knowledge(), order, candidates);
  const std::size_t chosen = candidates[m.choose_store(candidates.size())];
  const std::uint64_t old = do_load(location, id, m.knowledge(), m.self(), order, chosen);
  const std::uint64_t made = cut(operation(old, argument), size);
  do_rmw_store(location, id, m.knowledge(), m.self(), order, chosen, made);
  mirror(location, at, size);
  if (m.tracing()) m.trace("change", at, made, order, chosen + 2 != location.stores.size());
  return old;
}

bool atomic_compare_exchange(void* at, std::size_t size, std::uint64_t& expected,
                             std::uint64_t desired, std::memory_order success,
                             std::memory_order failure, bool weak) {
  if (!modelled(at)) {
    const std::uint64_t old = value_at(at, size);
    const bool equal = old == expected;
    if (equal && (!is_ghost() || !Machine::current->owns(at))) std::memcpy(at, &desired, size);
    expected = old;
    return equal;
  }
  Machine& m = *Machine::current;
  m.step(at, true, true);
  std::uint32_t id;
  Location& location = m.location(at, size, id);
  // A store that holds the expected value can only be read if the exchange can stand behind it, or
  // if the exchange may fail without reason.
  struct Way {
    std::size_t index;
    bool exchanged;
  };
  static std::vector<Way> ways;
  ways.clear();
  readable(location, id, m.knowledge(), success, candidates);
  for (const std::size_t i : candidates) {
    if (location.stores[i].value == expected && may_follow(location, i)) ways.push_back({i, true});
  }
  readable(location, id, m.knowledge(), failure, candidates);
  for (const std::size_t i : candidates) {
    if (location.stores[i].value != expected || weak) ways.push_back({i, false});
  }
  // The newest first: that is what a plain interleaving does.
  std::stable_sort(ways.begin(), ways.end(), [](Way a, Way b) { return a.index > b.index; });
  const Way way = ways[m.choose_store(ways.size())];
  expected =
      do_load(location, id, m.knowledge(), m.self(), way.exchanged ? success : failure, way.index);
  if (way.exchanged) {
    do_rmw_store(location, id, m.knowledge(), m.self(), success, way.index, desired);
    mirror(location, at, size);
  }
  if (m.tracing())
    m.trace(way.exchanged ? "exchange" : "no exchange", at, way.exchanged ? desired : expected,
            way.exchanged ? success : failure);
  return way.exchanged;
}

void owned_access(const void* at, std::size_t size, bool write) {
  if (modelled(at) && Machine::current->guards(at)) data_access(at, size, write);
}

void data_access(const void* at, std::size_t size, bool write) {
  if (!modelled(at)) return;
  Machine& m = *Machine::current;
  const auto* bytes = static_cast<const std::byte*>(at);
  for (std::size_t i = 0; i < size; ++i) {
    DataState& data = m.data(bytes + i);
    const bool ordered = write ? data_write(data, m.knowledge(), m.self())
                               : data_read(data, m.knowledge(), m.self());
    if (!ordered) {
      if (m.tracing()) m.trace(write ? "write" : "read", at, 0, std::memory_order_relaxed);
      m.fail("data race");
    }
  }
}

}  // namespace explore
