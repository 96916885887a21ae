// A map under way: what stands behind Results.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <jobring/map.hpp>

#include "client/pool_core.hpp"

namespace jobring::detail {

// One thread at a time. Everything happens in next(): it feeds inputs, takes completions in, and
// gives the next result.
//
// Invariants
// 1. given_ <= submitted_ <= taken_ <= submitted_ + 1, and taken_ - given_ <= buffer_.
// 2. In order, the result of input i waits in ring_[i % ring_.size()] while given_ <= i <
// submitted_.
class MapRun {
 public:
  MapRun(const std::shared_ptr<PoolCore>& pool, std::string_view handler, Source source,
         const MapOptions& options, bool ordered);
  ~MapRun();
  MapRun(const MapRun&) = delete;
  MapRun& operator=(const MapRun&) = delete;

  std::optional<MapItem> next(std::chrono::nanoseconds timeout);
  bool exhausted() const { return ended_ && !pending_ && given_ == submitted_; }
  void cancel();
  int fd();

 private:
  struct Place {
    bool filled = false;
    JobResult result;
  };

  bool ready() const;
  MapItem give();
  bool may_feed() const { return pending_ || (!ended_ && taken_ - given_ < buffer_); }
  bool feed();
  bool take_input();
  void cancel_inputs();
  void grow();
  bool take_completions();

  std::weak_ptr<PoolCore> pool_;
  Channel channel_;
  HandlerId handler_;
  Source source_;
  JobOptions job_;
  std::size_t chunk_;
  std::uint64_t buffer_;
  bool ordered_;

  std::optional<std::string> pending_;  // taken, and not submitted for want of a slot
  bool ended_ = false;                  // nothing more is taken
  bool loop_ = false;                   // fd() was asked for: keep the descriptor armed
  bool quick_ = true;                   // the last inputs came without delay
  std::uint64_t taken_ = 0;
  std::uint64_t submitted_ = 0;
  std::uint64_t given_ = 0;
  std::vector<Place> ring_;      // in order
  std::deque<MapItem> waiting_;  // not in order: results in order of completion
};

// Pool::stream: the same without results that wait, for who takes them as they come.
void stream(PoolCore& pool, std::string_view handler,
            const std::function<std::optional<std::string>()>& next,
            const std::function<bool(std::uint64_t, const Completion&)>& sink,
            const JobOptions& options);

}  // namespace jobring::detail
