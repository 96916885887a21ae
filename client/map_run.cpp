#include "client/map_run.hpp"

#include <algorithm>

#include "client/time_left.hpp"

namespace jobring::detail {
namespace {

constexpr std::size_t kBatch = 32;        // items between two looks at results, as a rule
constexpr std::uint64_t kSoon = 50'000;   // ns between them, if the source is slow
constexpr std::size_t kRingAtFirst = 64;  // places; more as they are needed
constexpr std::chrono::nanoseconds kGather = std::chrono::milliseconds(1);

JobResult result_of(const Completion& done) {
  JobResult result;
  result.outcome = done.outcome;
  result.detail = done.detail;
  result.attempts = done.attempts;
  result.worker = done.worker;
  result.queued = std::chrono::nanoseconds(done.queue_ns);
  result.ran = std::chrono::microseconds(done.run_us);
  result.bytes.assign(done.text());
  result.type.assign(done.error_type());
  return result;
}

// Waits for one completion. With much under way, one wake-up for several; but none waits for long.
void await_completions(Channel& channel, std::chrono::nanoseconds timeout) {
  if (channel.wait(std::min(timeout, kGather), channel.outstanding() / 4)) return;
  if (timeout > kGather) channel.wait(timeout == kForEver ? kForEver : timeout - kGather);
}

}  // namespace

MapRun::MapRun(const std::shared_ptr<PoolCore>& pool, std::string_view handler, Source source,
               const MapOptions& options, bool ordered)
    : pool_(pool),
      channel_(pool->borrow_channel()),
      handler_(channel_.handler(handler)),
      source_(std::move(source)),
      job_(options.job),
      chunk_(options.chunk),
      buffer_(options.buffer != 0 ? options.buffer : channel_.slots()),
      ordered_(ordered) {
  check_options(job_);
}

MapRun::~MapRun() {
  cancel();
  while (!channel_.reap().empty()) {
  }
  if (const auto pool = pool_.lock()) pool->return_channel(std::move(channel_));
}

void MapRun::cancel() {
  cancel_inputs();
  source_ = nullptr;
  channel_.cancel_all();
}

bool MapRun::ready() const {
  return ordered_ ? given_ < submitted_ && ring_[given_ % ring_.size()].filled : !waiting_.empty();
}

MapItem MapRun::give() {
  if (!ordered_) {
    MapItem item = std::move(waiting_.front());
    waiting_.pop_front();
    ++given_;
    return item;
  }
  Place& place = ring_[given_ % ring_.size()];
  place.filled = false;
  return {given_++, std::move(place.result)};
}

bool MapRun::take_input() {
  if (const auto pool = pool_.lock(); pool && pool->shut_down()) ended_ = true;
  if (ended_) return false;
  // Ours for the time of the call: it may cancel() the map that it is the source of. At its end, or
  // if it throws, it goes, with what it holds.
  Source source = std::exchange(source_, nullptr);
  std::optional<std::string> input;
  try {
    input = source();
  } catch (...) {
    ended_ = true;
    throw;
  }
  if (ended_ || !input) {
    ended_ = true;
    return false;
  }
  source_ = std::move(source);
  pending_ = std::move(input);
  ++taken_;
  return true;
}

// Submits a chunk, as far as there are inputs and room. False: no room, or no inputs.
bool MapRun::feed() {
  const std::uint64_t start = now_ns();
  const std::size_t most = chunk_ != 0 ? chunk_ : kBatch;
  std::size_t prepared = 0;
  struct Publish {
    Channel& channel;
    ~Publish() noexcept(false) { channel.submit(); }
  } publish{channel_};
  while (prepared < most && may_feed()) {
    if (!pending_) {
      // However quick the source was, it may wait now, and for what we have.
      if (prepared != 0 && chunk_ == 0) channel_.submit();
      if (!take_input()) break;
    }
    if (ordered_ && submitted_ - given_ == ring_.size()) grow();
    bool accepted = false;
    try {
      accepted = channel_.prepare(handler_, *pending_, submitted_, job_);
    } catch (...) {
      cancel_inputs();
      throw;
    }
    if (!accepted) break;
    pending_.reset();
    ++submitted_;
    ++prepared;
    if (chunk_ == 0 && now_ns() - start > kSoon) break;
  }
  quick_ = prepared == 0 || now_ns() - start < kSoon * 4;
  return prepared != 0;
}

void MapRun::cancel_inputs() {
  ended_ = true;
  pending_.reset();
  taken_ = submitted_;
}

// In order: room for twice as many that wait for an earlier one.
void MapRun::grow() {
  std::vector<Place> more(std::max(kRingAtFirst, ring_.size() * 2));
  for (std::uint64_t i = given_; i < submitted_; ++i)
    more[i % more.size()] = std::move(ring_[i % ring_.size()]);
  ring_ = std::move(more);
}

bool MapRun::take_completions() {
  if (loop_) channel_.arm();
  const auto completions = channel_.reap();
  for (const Completion& done : completions) {
    if (ordered_) {
      Place& place = ring_[done.tag % ring_.size()];
      place.result = result_of(done);
      place.filled = true;
    } else {
      waiting_.push_back({done.tag, result_of(done)});
    }
  }
  return !completions.empty();
}

int MapRun::fd() {
  loop_ = true;
  return channel_.fd();
}

std::optional<MapItem> MapRun::next(std::chrono::nanoseconds timeout) {
  const std::uint64_t start = now_ns();
  // A source that has been slow must not hold up a result that is there.
  if (ready() && (!quick_ || !may_feed() || channel_.outstanding() * 2 > channel_.slots()))
    return give();
  for (;;) {
    const bool fed = may_feed() && feed();
    const bool took = take_completions();
    if (ready()) return give();
    if (exhausted()) return std::nullopt;
    // Until nothing is there: only what comes after that rings the descriptor.
    if (fed || took) continue;
    const auto left = time_left(timeout, start);
    if (left.count() <= 0) return std::nullopt;
    await_completions(channel_, left);
  }
}

void stream(PoolCore& pool, std::string_view handler,
            const std::function<std::optional<std::string>()>& next,
            const std::function<bool(std::uint64_t, const Completion&)>& sink,
            const JobOptions& options) {
  Channel channel = pool.borrow_channel();
  const HandlerId id = channel.handler(handler);
  std::optional<std::string> pending = next();
  std::uint64_t index = 0;
  bool more = true;
  while ((more && pending) || channel.outstanding() != 0) {
    std::size_t prepared = 0;
    while (more && pending && prepared < kBatch && channel.prepare(id, *pending, index, options)) {
      ++index;
      ++prepared;
      pending = next();
    }
    channel.submit();
    const auto done = channel.reap(kBatch);
    for (const Completion& completion : done) {
      if (!sink(completion.tag, completion)) more = false;
    }
    if (!more) channel.cancel_all();
    if (done.empty() && prepared == 0) await_completions(channel, kForEver);
  }
  pool.return_channel(std::move(channel));
}

}  // namespace jobring::detail

namespace jobring {

Results::Results(std::unique_ptr<detail::MapRun> run) : run_(std::move(run)) {}
Results::Results(Results&&) noexcept = default;
Results& Results::operator=(Results&&) noexcept = default;
Results::~Results() = default;

std::optional<MapItem> Results::next(std::chrono::nanoseconds timeout) {
  return run_ ? run_->next(timeout) : std::nullopt;
}
bool Results::exhausted() const {
  return !run_ || run_->exhausted();
}
void Results::cancel() {
  if (run_) run_->cancel();
}
int Results::fd() {
  return run_ ? run_->fd() : -1;
}

}  // namespace jobring
