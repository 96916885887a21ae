#include "machine.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace explore {
namespace {

constexpr std::size_t kArena = 1u << 19;  // bytes of scenario memory
alignas(4096) std::byte arena[kArena];
std::uint16_t location_at[kArena];  // 0: none yet; else index + 1
std::uint16_t data_at[kArena];

constexpr int kDepthMax = 3;  // deviations, one more after each search; then all
constexpr int kUnbounded = 1 << 30;
constexpr std::size_t kLearning = 24;    // random executions before a systematic search
constexpr std::uint32_t kKillOdds = 40;  // random only: one step in so many is a thread's last
constexpr int kRandomStale = 2;          // times as many stale loads as in a systematic search

// Of a failure, the last ones; JOBRING_TRACE sets another number.
std::size_t trace_lines() {
  const char* given = std::getenv("JOBRING_TRACE");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 60;
}

std::size_t offset_of(const void* at) {
  return std::size_t(static_cast<const std::byte*>(at) - arena);
}

}  // namespace

Machine* Machine::current = nullptr;

Machine::Machine(const Options& options, const std::function<void(Scenario&)>& scenario)
    : options_(options),
      scenario_(scenario),
      dice_(options.seed),
      ever_read_(kArena),
      ever_written_(kArena) {
  current = this;
}

Machine::~Machine() {
  reset();  // what tells memory from locations is static, as the memory is
  current = nullptr;
}

// ---- executions

Report Machine::run() {
  if (options_.seed == 0) {
    random_ = true;
    for (std::size_t i = 0; i < kLearning && failure_.empty(); ++i) {
      dice_.seed(i + 1);
      trail_.clear();
      run_once();
      learn();
    }
    random_ = !failure_.empty();  // it is repeated as it was
    if (!random_) trail_.clear();
  } else {
    random_ = true;
  }
  while (failure_.empty() && report_.executions < options_.executions) {
    if (random_) trail_.clear();
    run_once();
    if (!failure_.empty()) break;
    // What was searched without these switches would have to be searched again with them.
    if (learn() && !random_) {
      trail_.clear();
      cut_ = false;
      continue;
    }
    if (!random_ && !next_trail()) {
      report_.deviations = depth_;
      report_.complete = !cut_;
      if (!cut_) break;
      depth_ = depth_ < kDepthMax ? depth_ + 1 : kUnbounded;
      cut_ = false;
    }
  }
  if (!failure_.empty()) report_.failure = describe_failure();
  return report_;
}

void Machine::run_once() {
  reset();
  if (random_ && !replaying_) {
    preempt_odds_ = options_.preempt_odds << dice_() % 6;
    stale_odds_ = options_.stale_odds << dice_() % 6;
  }
  Scenario scenario(*this);
  scenario_(scenario);
  leave();
  stop_all();
  ++report_.executions;
  report_.steps += steps_;
  if (failure_.empty()) {
    for (const auto& check : checks_) {
      try {
        check();
      } catch (const Stopped&) {
        break;
      }
    }
  }
}

void Machine::reset() {
  std::memset(arena, 0, used_);
  for (std::size_t i = 0; i < locations_used_; ++i) {
    location_at[offsets_[i]] = 0;
    locations_[i].stores.clear();
    locations_[i].sequenced = 0;
    locations_[i].readers = locations_[i].writers = 0;
  }
  for (const std::uint32_t offset : data_offsets_) data_at[offset] = 0;
  used_ = locations_used_ = 0;
  data_.clear();
  data_offsets_.clear();
  for (auto& thread : threads_) spare_.push_back(std::move(thread));
  threads_.clear();
  checks_.clear();
  deaths_.clear();
  labels_.clear();
  buried_ = made_ = 0;
  preemptions_ = stale_ = kills_ = deviations_ = 0;
  running_ = -1;
  over_ = stopping_ = false;
  steps_ = 0;
  time_ = 1'000'000'000;
  guard_begin_ = guard_end_ = 0;
}

// Takes over who touched what; true if that makes more accesses worth a switch.
bool Machine::learn() {
  bool more = false;
  for (std::size_t i = 0; i < locations_used_; ++i) {
    const std::size_t at = offsets_[i];
    const bool before = is_shared(at);
    ever_read_[at] |= locations_[i].readers;
    ever_written_[at] |= locations_[i].writers;
    more = more || before != is_shared(at);
  }
  learnt_ = true;
  return more;
}

bool Machine::is_shared(std::size_t offset) const {
  const unsigned all = ever_read_[offset] | ever_written_[offset];
  return ever_written_[offset] != 0 && (all & (all - 1)) != 0;
}

// ---- choices

std::size_t Machine::choose(std::size_t count, Kind kind) {
  if (count <= 1) return 0;
  if (!random_ && deviations_ == depth_) {
    cut_ = true;
    return 0;
  }
  if (made_ < trail_.size()) {
    const Choice& choice = trail_[made_++];
    if (choice.count != count)
      fail("the scenario is not deterministic: an execution could not be repeated");
    deviations_ += choice.chosen != 0;
    return choice.chosen;
  }
  std::size_t chosen = 0;
  if (random_) {
    const std::uint32_t odds = kind == Kind::preemption ? preempt_odds_
                               : kind == Kind::store    ? stale_odds_
                               : kind == Kind::kill     ? kKillOdds
                                                        : 1;
    if (odds == 1) {
      chosen = dice_() % count;
    } else if (dice_() % odds == 0) {
      chosen = 1 + dice_() % (count - 1);
    }
  }
  trail_.push_back({std::uint16_t(chosen), std::uint16_t(count)});
  ++made_;
  return chosen;
}

bool Machine::next_trail() {
  while (!trail_.empty() && trail_.back().chosen + 1 == trail_.back().count) trail_.pop_back();
  if (trail_.empty()) return false;
  ++trail_.back().chosen;
  return true;
}

std::size_t Machine::choose_store(std::size_t count) {
  if (count <= 1 || stale_ >= options_.stale * (random_ ? kRandomStale : 1)) return 0;
  const std::size_t chosen = choose(count, Kind::store);
  if (chosen != 0) ++stale_;
  return chosen;
}

// ---- threads

int Machine::add_thread(std::string name, std::function<void()> body, Ends ends,
                        bool may_be_killed) {
  if (threads_.size() == kThreadsMax) fail("too many threads");
  std::unique_ptr<Thread> thread;
  if (spare_.empty()) {
    thread = std::make_unique<Thread>();
  } else {
    thread = std::move(spare_.back());
    spare_.pop_back();
  }
  const int index = int(threads_.size());
  thread->name = std::move(name);
  thread->body = std::move(body);
  thread->ends = ends;
  thread->may_be_killed = may_be_killed;
  thread->started = thread->done = thread->yielded = thread->dies = thread->unwinding = false;
  thread->ready = nullptr;
  thread->knowledge = running_ >= 0 ? knowledge() : Knowledge{};
  thread->knowledge.clock.at[std::size_t(index)] = 1;
  if (running_ >= 0) ++knowledge().clock.at[std::size_t(running_)];
  thread->fiber.prepare([this, index] { run_thread(index); });
  threads_.push_back(std::move(thread));
  return index;
}

void Machine::run_thread(int index) {
  Thread& thread = *threads_[std::size_t(index)];
  try {
    thread.started = true;
    if (!stopping_) thread.body();
  } catch (const Stopped&) {
  } catch (const std::exception& error) {
    if (failure_.empty()) failure_ = std::string("exception: ") + error.what();
    over_ = true;
  }
  finished();
}

void Machine::finished() {
  Thread& thread = *threads_[std::size_t(running_)];
  thread.done = true;
  if (stopping_ || over_ || all_ended()) {
    over_ = true;
    Fiber::change(thread.fiber.context(), home_);
  }
  if (thread.dies) deaths_.push_back(running_);
  leave();
  Fiber::change(thread.fiber.context(), home_);
}

bool Machine::all_ended() const {
  return std::all_of(threads_.begin(), threads_.end(),
                     [](const auto& t) { return t->done || t->ends == Ends::with_all; });
}

void Machine::stop_all() {
  stopping_ = true;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (threads_[i]->done || !threads_[i]->started) continue;
    running_ = int(i);
    Fiber::change(home_, threads_[i]->fiber.context());
  }
  running_ = -1;
}

void Machine::stop() {
  threads_[std::size_t(running_)]->unwinding = true;
  throw Stopped{};
}

void Machine::fail(const std::string& what) {
  if (failure_.empty()) failure_ = what;
  over_ = true;
  if (running_ < 0) throw Stopped{};
  stop();
}

bool Machine::can_go_on(const Thread& thread) const {
  return !thread.done && (thread.ready == nullptr || thread.ready(thread.argument));
}

// The running thread cannot or need not go on now; returns when it can again.
void Machine::leave() {
  int candidates[kThreadsMax];
  std::size_t count = 0;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (can_go_on(*threads_[i]) && !threads_[i]->yielded) candidates[count++] = int(i);
  }
  // All that could go on look for news in vain. In turns, without a choice: that is fair, and
  // another order would show nothing else.
  for (std::size_t i = 1; count == 0 && i <= threads_.size(); ++i) {
    const int next = int((std::size_t(running_ + int(threads_.size())) + i) % threads_.size());
    if (can_go_on(*threads_[std::size_t(next)])) candidates[count++] = next;
  }
  if (count == 0) {
    if (!all_ended() && failure_.empty()) {
      failure_ = "deadlock: waiting for ever are";
      for (const auto& thread : threads_) {
        if (!thread->done) failure_ += " " + thread->name;
      }
    }
    over_ = true;
    if (running_ >= 0) Fiber::change(threads_[std::size_t(running_)]->fiber.context(), home_);
    return;
  }
  change_to(candidates[choose(count, Kind::turn)]);
}

void Machine::change_to(int index) {
  const int from = running_;
  threads_[std::size_t(index)]->yielded = false;
  if (from == index) return;
  running_ = index;
  ucontext_t& here = from < 0 ? home_ : threads_[std::size_t(from)]->fiber.context();
  Fiber::change(here, threads_[std::size_t(index)]->fiber.context());
}

void Machine::guard(const void* at, std::size_t size) {
  guard_begin_ = offset_of(at);
  guard_end_ = guard_begin_ + size;
}

bool Machine::guards(const void* at) const {
  return offset_of(at) >= guard_begin_ && offset_of(at) < guard_end_;
}

bool Machine::owns(const void* at) const {
  return offset_of(at) < used_;
}

bool Machine::models(const void* at) const {
  return running_ >= 0 && !threads_[std::size_t(running_)]->unwinding && owns(at);
}

void Machine::step(const void* at, bool write, bool visible) {
  if (stopping_ || over_) stop();
  if (++steps_ > options_.steps) fail("livelock: an execution of too many steps");
  if (!visible || (!random_ && learnt_ && !is_shared(offset_of(at)))) return;
  Thread& mine = *threads_[std::size_t(running_)];
  const bool may_die = mine.may_be_killed && kills_ < options_.kills;
  if (may_die && choose(2, Kind::kill) == 1) {
    ++kills_;
    mine.dies = true;
    stop();
  }
  if (random_ || preemptions_ < options_.preemptions) {
    int others[kThreadsMax];
    std::size_t count = 0;
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      if (int(i) != running_ && !threads_[i]->yielded && can_go_on(*threads_[i]))
        others[count++] = int(i);
    }
    const std::size_t chosen = choose(1 + count, Kind::preemption);
    if (chosen != 0) {
      ++preemptions_;
      change_to(others[chosen - 1]);
      if (stopping_ || over_) stop();
    }
  }
  if (write) {
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      if (int(i) != running_) threads_[i]->yielded = false;
    }
  }
}

void Machine::wait(bool (*ready)(const void*), const void* argument) {
  Thread& mine = *threads_[std::size_t(running_)];
  while (!ready(argument)) {
    if (tracing_) lines_.push_back(mine.name + "  waits");
    mine.ready = ready;
    mine.argument = argument;
    leave();
    mine.ready = nullptr;
    if (stopping_ || over_) stop();
  }
}

// Throws nothing: it may be called from a C function. The next step ends the thread if it is to
// end.
void Machine::yield() {
  if (stopping_ || over_) return;
  Thread& mine = *threads_[std::size_t(running_)];
  if (mine.unwinding) return;
  mine.yielded = true;
  leave();
}

int Machine::await_death() {
  wait(
      [](const void* machine) {
        const auto* m = static_cast<const Machine*>(machine);
        return m->buried_ < m->deaths_.size();
      },
      this);
  const int dead = deaths_[buried_++];
  knowledge().join(threads_[std::size_t(dead)]->knowledge);
  return dead;
}

// ---- memory

void* Machine::allocate(std::size_t size, std::size_t align) {
  used_ = (used_ + align - 1) / align * align;
  void* at = arena + used_;
  used_ += size;
  if (used_ > kArena) fail("the scenario needs more memory than there is");
  return at;
}

Location& Machine::location(const void* at, std::size_t size, std::uint32_t& id) {
  const std::size_t offset = offset_of(at);
  if (location_at[offset] == 0) {
    if (locations_used_ == locations_.size()) {
      locations_.emplace_back();
      offsets_.push_back(0);
    }
    offsets_[locations_used_] = std::uint32_t(offset);
    location_at[offset] = std::uint16_t(++locations_used_);
    Store first;
    std::memcpy(&first.value, at, size);
    locations_[locations_used_ - 1].stores.push_back(first);
  }
  id = location_at[offset] - 1u;
  return locations_[id];
}

DataState& Machine::data(const void* at) {
  const std::size_t offset = offset_of(at);
  if (data_at[offset] == 0) {
    data_.emplace_back();
    data_offsets_.push_back(std::uint32_t(offset));
    data_at[offset] = std::uint16_t(data_.size());
  }
  return data_[data_at[offset] - 1u];
}

// ---- telling

void Machine::label(const void* at, std::size_t size, std::string name) {
  labels_.push_back({offset_of(at), offset_of(at) + size, std::move(name)});
}

std::string Machine::where(const void* at) const {
  const std::size_t offset = offset_of(at);
  for (const Label& label : labels_) {
    if (offset < label.begin || offset >= label.end) continue;
    return offset == label.begin ? label.name
                                 : label.name + "+" + std::to_string(offset - label.begin);
  }
  return "@" + std::to_string(offset);
}

void Machine::trace(const char* what, const void* at, std::uint64_t value, std::memory_order order,
                    bool stale) {
  static const char* const kOrders[] = {"relaxed", "consume", "acquire",
                                        "release", "acq_rel", "seq_cst"};
  char text[64];
  std::snprintf(text, sizeof text, " %#llx ", static_cast<unsigned long long>(value));
  lines_.push_back(threads_[std::size_t(running_)]->name + "  " + what + " " + where(at) + text +
                   kOrders[int(order)] + (stale ? "  (not the newest)" : ""));
}

std::string Machine::describe_failure() {
  const std::string first = failure_;
  failure_.clear();
  tracing_ = replaying_ = true;
  run_once();
  tracing_ = false;
  std::string text = first + "\nafter " + std::to_string(report_.executions) + " executions";
  if (failure_ != first) return text + "; running it again ended otherwise: " + failure_;
  text += "; the last steps:\n";
  const std::size_t from = lines_.size() - std::min(lines_.size(), trace_lines());
  for (std::size_t i = from; i < lines_.size(); ++i) text += "  " + lines_[i] + "\n";
  return text;
}

}  // namespace explore
