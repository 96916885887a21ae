// Runs a small concurrent scenario in every order, and with every value that the memory model lets
// a load return (memory_model.hpp), within bounds; or in random ones.
//
//     const Report report = explore(options, [](Scenario& s) {
//       auto* flag = s.make<Atomic<int>>();
//       auto* data = s.make<Data<int>>();
//       s.thread("writer", [=] { data->set(1); flag->store(1, std::memory_order_release); });
//       s.thread("reader", [=] {
//         if (flag->load(std::memory_order_acquire)) require(data->get() == 1, "it sees the data");
//       });
//     });
//     CHECK_MESSAGE(report.ok(), report.failure);
//
// Threads are fibers of one real thread; they change only at accesses that can matter to another
// thread. An execution is a list of choices (who goes on, which store a load reads), so it can be
// repeated exactly: a failure is run once more to print its trace.
//
// The systematic search is bounded as CHESS and its successors are, by *deviations*: choices other
// than the plain one (this thread goes on; at a wait or an end, the first one that can; a load
// returns the newest store; nobody dies). It runs all executions with none, then all with at most
// one, two, three, then all within the other bounds. A depth that was searched to its end is a
// proof for these executions: it does not depend on a seed. Few bugs need more than three.
//
// The other bounds: `preemptions` (a switch away from a thread that could have gone on) and `stale`
// (loads of anything but the newest store, and stores placed before others).
//
// What counts as failure: require(false), a data race, a deadlock (every thread waits, and one of
// them is expected to end), a livelock (`steps` in one execution), an exception.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <string>
#include <utility>

namespace explore {

struct Options {
  std::uint64_t executions = 100'000;  // at most
  int preemptions = 2;                 // per execution
  int stale = 2;                       // per execution
  int kills = 0;                       // threads that may be killed, per execution
  std::uint64_t steps = 4000;          // per execution; more is a livelock
  // 0: systematic. Else executions are drawn at random from this seed, with any number
  // of preemptions and twice as many stale loads.
  std::uint64_t seed = 0;
  // Random only: odds of a preemption at a step, and of a stale load, one in so many. Every
  // execution draws its own: these, or up to 32 times less often. (With frequent switches no thread
  // comes far while another stands still; with rare ones that is all that happens.)
  std::uint32_t preempt_odds = 12;
  std::uint32_t stale_odds = 6;
};

struct Report {
  std::uint64_t executions = 0;
  std::uint64_t steps = 0;
  bool complete = false;  // all executions within the bounds were run
  int deviations = -1;    // all executions with at most so many were run; -1: not known
  std::string failure;    // empty: none
  bool ok() const { return failure.empty(); }
};

enum class Ends {
  itself,   // it must come to its end
  with_all  // it may wait or go round for ever; it is stopped when all others have ended
};

class Machine;

// What is set up anew for each execution. Its memory is zero, and at the same address each time.
class Scenario {
 public:
  explicit Scenario(Machine& machine) : machine_(machine) {}

  // Zeroed memory for a T, until the execution ends. Destructors are not run.
  template <class T>
  T* make(std::size_t count = 1) {
    return static_cast<T*>(allocate(sizeof(T) * count, alignof(T)));
  }
  void* allocate(std::size_t size, std::size_t align);
  // May also be called from a thread. A thread that may be killed stops for good at any step.
  int thread(std::string name, std::function<void()> body, Ends ends = Ends::itself,
             bool may_be_killed = false);
  // The fields in [at, at + size) have one owner at a time (owned_access()).
  void guard(const void* at, std::size_t size);
  // A name for [at, at + size) in traces.
  void label(const void* at, std::size_t size, std::string name);
  // Runs after all threads have ended, alone.
  void at_end(std::function<void()> check);

 private:
  Machine& machine_;
};

Report explore(const Options& options, const std::function<void(Scenario&)>& scenario);

// ---- for the code that runs in a scenario

// Fails the execution unless `condition` holds.
void require(bool condition, const char* what);
// The others' turn: this thread goes on when another one has made a step, or when none can.
void yield();
// Waits until a thread was killed; returns it. As the kernel does, orders all that it did before
// what the caller does next.
int await_death();
// A clock of the execution, which first goes on by `ns`.
std::uint64_t passing_time(std::uint64_t ns);
// The calling thread's number, or -1 outside of an execution.
int self();

// Something to sleep on, as an eventfd: rung and not waited for yet, or not. It orders nothing:
// what the code under test needs ordered it must order itself.
class Event {
 public:
  void ring() {
    step(true);
    rung_ = true;
  }
  void wait();
  bool rung() const { return rung_; }
  bool take() {
    step(true);
    return std::exchange(rung_, false);
  }

 private:
  void step(bool write) const;
  bool rung_ = false;
};

}  // namespace explore
