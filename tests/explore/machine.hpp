// One explored execution after the other: threads, their turns, their memory, and the choices made.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "explorer.hpp"
#include "fiber.hpp"
#include "memory_model.hpp"

namespace explore {

// Ends a thread wherever it is: it was killed, or the execution is over.
struct Stopped {};

class Machine {
 public:
  Machine(const Options& options, const std::function<void(Scenario&)>& scenario);
  ~Machine();
  Report run();

  // The one that runs now, on this real thread; null outside.
  static Machine* current;

  // For Scenario.
  void* allocate(std::size_t size, std::size_t align);
  int add_thread(std::string name, std::function<void()> body, Ends ends, bool may_be_killed);
  void at_end(std::function<void()> check) { checks_.push_back(std::move(check)); }
  void guard(const void* at, std::size_t size);
  void label(const void* at, std::size_t size, std::string name);

  // For the threads.
  int self() const { return running_; }
  // True if `at` is memory of the scenario and a thread that may touch it runs.
  bool models(const void* at) const;
  bool owns(const void* at) const;
  bool guards(const void* at) const;
  std::uint64_t passing_time(std::uint64_t ns) { return time_ += ns; }
  // A step is about to be made on `at`: others may get their turn, or this thread its end.
  void step(const void* at, bool write, bool visible);
  void wait(bool (*ready)(const void*), const void* argument);
  void yield();
  int await_death();
  [[noreturn]] void fail(const std::string& what);

  Location& location(const void* at, std::size_t size, std::uint32_t& id);
  DataState& data(const void* at);
  Knowledge& knowledge() { return threads_[std::size_t(running_)]->knowledge; }
  // One of `count` loads or stores; 0 is the newest.
  std::size_t choose_store(std::size_t count);
  bool tracing() const { return tracing_; }
  void trace(const char* what, const void* at, std::uint64_t value, std::memory_order order,
             bool stale = false);

 private:
  struct Thread {
    std::string name;
    std::function<void()> body;
    Ends ends = Ends::itself;
    bool may_be_killed = false;
    bool started = false, done = false, yielded = false;
    bool dies = false;       // it was killed, and unwinds
    bool unwinding = false;  // its destructors run: nothing that they do is shared any more
    bool (*ready)(const void*) = nullptr;
    const void* argument = nullptr;
    Knowledge knowledge;
    Fiber fiber;
  };
  struct Choice {
    std::uint16_t chosen, count;
  };
  enum class Kind { turn, preemption, store, kill };

  void run_once();
  void run_thread(int index);
  void finished();
  void stop_all();
  void leave();
  void change_to(int index);
  bool can_go_on(const Thread& thread) const;
  bool all_ended() const;
  [[noreturn]] void stop();
  std::size_t choose(std::size_t count, Kind kind);
  bool next_trail();
  bool learn();
  void reset();
  std::string describe_failure();
  std::string where(const void* at) const;
  bool is_shared(std::size_t offset) const;

  Options options_;
  const std::function<void(Scenario&)>& scenario_;
  Report report_;

  // choices
  std::vector<Choice> trail_;
  std::size_t made_ = 0;
  bool random_ = false, replaying_ = false;
  std::mt19937_64 dice_;
  std::uint32_t preempt_odds_ = 1, stale_odds_ = 1;  // of this execution
  int preemptions_ = 0, stale_ = 0, kills_ = 0, deviations_ = 0;
  int depth_ = 0;     // deviations allowed now
  bool cut_ = false;  // somewhere at this depth one more could have been made

  // threads
  std::vector<std::unique_ptr<Thread>> threads_;
  std::vector<std::unique_ptr<Thread>> spare_;  // their stacks are used again
  std::vector<std::function<void()>> checks_;
  std::vector<int> deaths_;
  std::size_t buried_ = 0;
  int running_ = -1;
  bool over_ = false, stopping_ = false;
  std::string failure_;
  ucontext_t home_{};

  // memory
  std::size_t used_ = 0;
  std::vector<Location> locations_;
  std::size_t locations_used_ = 0;
  std::vector<std::uint32_t> offsets_;  // of each location
  std::vector<DataState> data_;
  std::vector<std::uint32_t> data_offsets_;
  std::uint64_t steps_ = 0;
  std::uint64_t time_ = 0;  // nanoseconds
  std::size_t guard_begin_ = 0, guard_end_ = 0;

  // What any execution so far has shown: only accesses to what several threads use, one of them
  // writing, are worth a change of threads.
  std::vector<std::uint8_t> ever_read_, ever_written_;
  bool learnt_ = false;

  struct Label {
    std::size_t begin, end;
    std::string name;
  };
  std::vector<Label> labels_;
  std::vector<std::string> lines_;
  bool tracing_ = false;
};

}  // namespace explore
