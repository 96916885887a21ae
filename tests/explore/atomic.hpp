// What stands for std::atomic and for plain memory in an explored scenario.
//
// Of the size and layout of what they stand for, so shared-memory layouts hold: the history of a
// location is kept beside, under its address. Outside of an execution, and for memory that is not
// the scenario's, they are plain values.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

namespace explore {

// Type-erased halves; values are raw bits. `visible`: other threads may be given a turn first.
std::uint64_t atomic_load(const void* at, std::size_t size, std::memory_order order, bool visible);
void atomic_store(void* at, std::size_t size, std::uint64_t value, std::memory_order order,
                  bool visible);
// operation(old, argument) is the new value. Returns the old one.
using Operation = std::uint64_t (*)(std::uint64_t, std::uint64_t);
std::uint64_t atomic_rmw(void* at, std::size_t size, Operation operation, std::uint64_t argument,
                         std::memory_order order);
bool atomic_compare_exchange(void* at, std::size_t size, std::uint64_t& expected,
                             std::uint64_t desired, std::memory_order success,
                             std::memory_order failure, bool weak);
// A plain access to [at, at + size): fails the execution if it races with another one.
void data_access(const void* at, std::size_t size, bool write);
// The same if [at, at + size) is in memory that Scenario::guard() declared to have one owner at a
// time; else nothing.
void owned_access(const void* at, std::size_t size, bool write);

// The order of an access as written at `site`, or the weaker one that this run is to try there
// (sites.cpp). `which`: 1 for the order of a compare_exchange that fails, else 0.
using Site = std::source_location;
std::memory_order order_at(const Site& site, int which, std::memory_order written);

constexpr std::memory_order failure_order(std::memory_order order) {
  if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
  if (order == std::memory_order_release) return std::memory_order_relaxed;
  return order;
}

template <class T>
class Atomic {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  static constexpr auto kSeqCst = std::memory_order_seq_cst;

 public:
  static constexpr bool is_always_lock_free = true;

  Atomic() = default;
  constexpr Atomic(T value) : value_(value) {}
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(std::memory_order order = kSeqCst, Site site = Site::current()) const {
    return from(atomic_load(&value_, sizeof(T), order_at(site, 0, order), true));
  }
  void store(T value, std::memory_order order = kSeqCst, Site site = Site::current()) {
    atomic_store(&value_, sizeof(T), raw(value), order_at(site, 0, order), true);
  }
  T exchange(T value, std::memory_order order = kSeqCst, Site site = Site::current()) {
    return rmw([](std::uint64_t, std::uint64_t b) { return b; }, value, order_at(site, 0, order));
  }
  T fetch_add(T value, std::memory_order order = kSeqCst, Site site = Site::current()) {
    return rmw([](std::uint64_t a, std::uint64_t b) { return a + b; }, value,
               order_at(site, 0, order));
  }
  T fetch_sub(T value, std::memory_order order = kSeqCst, Site site = Site::current()) {
    return rmw([](std::uint64_t a, std::uint64_t b) { return a - b; }, value,
               order_at(site, 0, order));
  }
  T fetch_or(T value, std::memory_order order = kSeqCst, Site site = Site::current()) {
    return rmw([](std::uint64_t a, std::uint64_t b) { return a | b; }, value,
               order_at(site, 0, order));
  }
  T fetch_and(T value, std::memory_order order = kSeqCst, Site site = Site::current()) {
    return rmw([](std::uint64_t a, std::uint64_t b) { return a & b; }, value,
               order_at(site, 0, order));
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                               std::memory_order failure, Site site = Site::current()) {
    return exchange_if(expected, desired, order_at(site, 0, success), order_at(site, 1, failure),
                       false);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order order = kSeqCst,
                               Site site = Site::current()) {
    return exchange_if(expected, desired, order_at(site, 0, order), failure_order(order), false);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                             std::memory_order failure, Site site = Site::current()) {
    return exchange_if(expected, desired, order_at(site, 0, success), order_at(site, 1, failure),
                       true);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order order = kSeqCst,
                             Site site = Site::current()) {
    return exchange_if(expected, desired, order_at(site, 0, order), failure_order(order), true);
  }

 private:
  static std::uint64_t raw(T value) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    return bits;
  }
  static T from(std::uint64_t bits) {
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
  }
  T rmw(Operation operation, T argument, std::memory_order order) {
    return from(atomic_rmw(&value_, sizeof(T), operation, raw(argument), order));
  }
  bool exchange_if(T& expected, T desired, std::memory_order success, std::memory_order failure,
                   bool weak) {
    std::uint64_t bits = raw(expected);
    const bool done =
        atomic_compare_exchange(&value_, sizeof(T), bits, raw(desired), success, failure, weak);
    expected = from(bits);
    return done;
  }

  T value_;
};

// Plain memory: any unordered pair of accesses, one of them a write, fails the execution.
template <class T>
class Data {
 public:
  T get() const {
    data_access(&value_, sizeof(T), false);
    return value_;
  }
  void set(T value) {
    data_access(&value_, sizeof(T), true);
    value_ = value;
  }

 private:
  T value_;
};

}  // namespace explore
