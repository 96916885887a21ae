// The C++20 memory model as a machine that can be stepped: what a load may return, and what it then
// tells the thread about everything else.
//
// Every location keeps all stores of one execution in modification order (mo). A *view* says, per
// location, the earliest store that a thread may still read: what it has read or written itself,
// and what it has acquired from others. A load may return any store that is not older than that.
//
// - relaxed: only this rule, which is coherence (CoRR, CoWR, CoRW, CoWW).
// - release: the store carries the storing thread's view and clock; an acquire load that reads it,
//   or an RMW of its release sequence, joins them. Only RMWs continue a release sequence (C++20).
// - seq_cst: the order of execution is the total order S; per location, a seq_cst access may not
// read
//   or write anything older in mo than what an earlier seq_cst access read or wrote there
//   ([atomics.order]/4: "coherence-ordered before" agrees with S).
// - stores may also be placed in mo before existing ones where coherence and S allow it, so that
//   2+2W is found as well; an RMW is always placed right behind the store that it reads.
//
// Plain data has no history: accesses to it that are not ordered by happens-before are races, found
// by vector clocks.
//
// Not modelled: loads that return stores of the future (load buffering, LB), stand-alone fences and
// consume. The product has neither of the latter; for LB see docs/reliability.md.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

namespace explore {

inline constexpr int kThreadsMax = 8;

// How far each thread had come: a vector clock.
struct Clock {
  std::array<std::uint32_t, kThreadsMax> at{};
  void join(const Clock& other);
};

// The earliest store of each location that may still be read: its place in mo.
struct View {
  std::vector<std::uint32_t> place;
  std::uint32_t of(std::uint32_t location) const {
    return location < place.size() ? place[location] : 0;
  }
  void raise(std::uint32_t location, std::uint32_t to);
  void join(const View& other);
};

// All that one thread knows; also what a release hands on.
struct Knowledge {
  View view;
  Clock clock;
  void join(const Knowledge& other);
};

struct Store {
  std::uint64_t value = 0;
  std::uint32_t place = 0;         // grows along mo, with gaps
  bool behind_its_source = false;  // made by an RMW: nothing may come between it and the one before
  bool releases = false;
  Knowledge released;  // if it releases
};

struct Location {
  std::vector<Store> stores;    // in modification order
  std::uint32_t sequenced = 0;  // place of the last store that a seq_cst access read or wrote
  std::uint8_t readers = 0;     // threads, one bit each
  std::uint8_t writers = 0;
};

// Vector-clock race detection for one plain object.
struct DataState {
  int writer = -1;
  std::uint32_t written_at = 0;
  std::array<std::uint32_t, kThreadsMax> read_at{};
};

constexpr bool acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst || order == std::memory_order_consume;
}
constexpr bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

// Stores that a load by `thread` may return: indexes into location.stores, newest first.
void readable(const Location& location, std::uint32_t id, const Knowledge& thread,
              std::memory_order order, std::vector<std::size_t>& out);
// True if an RMW may read stores[index]: no other one stands right behind it.
bool may_follow(const Location& location, std::size_t index);
// Gaps that a store by `thread` may be placed in: each is the index of the store it would follow,
// newest first.
void placeable(const Location& location, std::uint32_t id, const Knowledge& thread,
               std::memory_order order, std::vector<std::size_t>& out);

// The effects, once index is chosen.
std::uint64_t do_load(Location& location, std::uint32_t id, Knowledge& thread, int self,
                      std::memory_order order, std::size_t index);
void do_store(Location& location, std::uint32_t id, Knowledge& thread, int self,
              std::memory_order order, std::size_t behind, std::uint64_t value);
// The write half of an RMW whose read half was do_load(..., index).
void do_rmw_store(Location& location, std::uint32_t id, Knowledge& thread, int self,
                  std::memory_order order, std::size_t index, std::uint64_t value);

// False: a race.
bool data_read(DataState& data, const Knowledge& thread, int self);
bool data_write(DataState& data, const Knowledge& thread, int self);

}  // namespace explore
