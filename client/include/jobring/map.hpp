// Maps over inputs without end: lazily taken, in bounded memory.
//
//     for (std::string& line : pool.map_lazy("parse", lines)) ...      // in the inputs' order
//     for (std::string& line : pool.map_unordered("parse", lines)) ... // as they complete
//
// No element is taken from the inputs before there is room for it, and no more than `buffer` of
// them are between being taken and being given back: a slow consumer slows the inputs.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <jobring/channel.hpp>
#include <jobring/future.hpp>

namespace jobring {

// Gives the next payload, or nullopt at the end. Called on the consumer's thread, never again after
// it has given nullopt or thrown.
using Source = std::function<std::optional<std::string>()>;

struct MapOptions {
  JobOptions job{};
  // Items published to the workers at once. More cost less each, fewer start sooner. 0: up to 32,
  // and none waits for longer than 50 microseconds for its inputs. Each item remains a job of its
  // own: one that crashes or fails does so alone.
  std::size_t chunk = 0;
  // Items taken from the inputs and not given to the consumer, at most. 0: as many as the channel
  // has slots. In order, one slow item holds back this many.
  std::size_t buffer = 0;
};

struct MapItem {
  std::uint64_t index;  // of its input, from 0
  JobResult result;
};

namespace detail {
class MapRun;
}

// What comes out of a map. Movable; one thread at a time. It has a channel of its own, so that it
// takes no slots from the Pool's jobs. Destroying it withdraws what has not started and forgets the
// rest. It outlives its Pool, but not the pool's shutdown(): that ends its inputs.
class Results {
 public:
  Results(Results&&) noexcept;
  Results& operator=(Results&&) noexcept;
  ~Results();

  // The next result, whatever its outcome; blocks. nullopt at the end, or when the time is over;
  // exhausted() tells which. What the source throws passes through, once: it counts as the inputs'
  // end, and the results of what was submitted before can still be taken.
  std::optional<MapItem> next(std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max());
  bool exhausted() const;
  // Takes nothing more from the inputs and withdraws what has not started (it comes as cancelled).
  // The source may call it; it must not destroy its Results.
  void cancel();

  // A descriptor for event loops: call next(0ns) until it returns nullopt, first before the first
  // wait; then, unless exhausted(), wait until this is readable and do so again. It is the map's:
  // do not close it. -1 of one that was moved from. (Asio programs: asio_map.hpp.)
  int fd();

  // For range-for, once: the results' bytes. Incrementing throws JobFailed for one that is not ok;
  // another begin() then goes on after it.
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = std::string;
    using difference_type = std::ptrdiff_t;
    using pointer = std::string*;
    using reference = std::string&;
    explicit Iterator(Results* results) : results_(results) {
      if (results_ != nullptr) ++*this;
    }
    std::string& operator*() const { return item_->result.bytes; }
    std::string* operator->() const { return &item_->result.bytes; }
    Iterator& operator++() {
      item_ = results_->next();
      if (item_ && !item_->result.ok()) throw JobFailed(item_->result);
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) {
      return !it.item_.has_value();
    }

   private:
    Results* results_;
    mutable std::optional<MapItem> item_;
  };
  Iterator begin() { return Iterator(this); }
  std::default_sentinel_t end() const { return std::default_sentinel; }

 private:
  friend class Pool;
  explicit Results(std::unique_ptr<detail::MapRun> run);
  std::unique_ptr<detail::MapRun> run_;
};

// Anything with begin() and end() whose elements make a payload.
template <class Range>
concept Inputs = requires(std::remove_reference_t<Range>& range) {
  {std::string(*std::begin(range))};
  std::end(range);
};

// The elements of a range as a Source, each through `encode`. An lvalue is referred to, an rvalue
// is moved in.
template <class Range, class Encode>
Source source_through(Range&& range, Encode encode) {
  struct State {
    Range range;  // an lvalue reference, or the range itself
    Encode encode;
    decltype(std::begin(range)) at = std::begin(range);
    bool started = false;
  };
  // Behind a pointer: the range must not move once an iterator points into it.
  std::shared_ptr<State> state(new State{std::forward<Range>(range), std::move(encode)});
  return [state]() -> std::optional<std::string> {
    // Advanced when the next one is asked for: an input may block, or not be there yet.
    if (std::exchange(state->started, true)) ++state->at;
    if (state->at == std::end(state->range)) return std::nullopt;
    return state->encode(*state->at);
  };
}

template <Inputs Range>
Source source_of(Range&& range) {
  return source_through(std::forward<Range>(range),
                        [](auto&& element) { return std::string(element); });
}

}  // namespace jobring
