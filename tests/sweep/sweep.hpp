// Kills a process after n instructions of one operation, for every n that differs from its
// neighbours for anybody else.
//
// One pass steps the whole operation and notes each instruction, and whether others can see what it
// did: it was a system call, or a byte of shared memory changed. Two kill points between which
// nothing can be seen leave the same world behind: only the dead process's own registers and memory
// differ. So by default the victim is killed once between any two visible instructions, directly
// after the one or directly before the other, and at some others at random; JOBRING_EXHAUSTIVE=1 kills at every one.
//
// A point is named by the system calls before it and the instructions after the last of those: the
// victim runs to its last system call at full speed and is stepped from there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/sweep/shared_view.hpp"
#include "tests/sweep/tracee.hpp"

namespace jobring::test {

struct KillPoint {
  std::size_t instructions = 0;  // before it, from the operation's first
  std::uint32_t calls = 0;  // system calls that have returned
  std::uint32_t steps = 0;  // instructions since
  std::uint64_t pc = 0;     // of the next instruction
  bool asleep = false;      // in the system call that this point stands at
};

std::string to_string(const KillPoint& point);

class Operation {
 public:
  virtual ~Operation() = default;
  // Brings a victim to the operation's first instruction. `variant` is below variants(): the same
  // operation under another policy; every point is killed in each.
  virtual std::unique_ptr<Tracee> begin(unsigned variant) = 0;
  virtual unsigned variants() const { return 1; }
  // The victim waits for events: is this its end? If not, whatever wakes it has to be done here.
  virtual bool over() { return false; }
  // The victim stands at the kill point.
  virtual void before_kill() {}
  // It is dead: checks all that must hold, and leaves things as begin() wants them.
  virtual void audit() = 0;
  virtual SharedView& view() = 0;
};

// Steps the operation to its end, where the victim is left. Every point of it, in order.
struct Course {
  std::vector<KillPoint> points;
  std::vector<bool> visible;  // what the instruction at this point did could be seen
  std::uint32_t calls = 0, changes = 0;
};
Course step_through(Operation& operation, Tracee& victim);
enum class Way { by_calls, by_steps };
// Brings the victim to the point. False if its way was another one; then it stands where it got to.
// Stepping all the way takes as long as the first pass did, and so gives code that looks at the
// clock the same answers.
bool go_to(Operation& operation, Tracee& victim, const KillPoint& point, Way way);
// The points to kill at.
std::vector<KillPoint> choose_points(const Course& course, std::uint64_t seed,
                                     std::size_t random_ones);

// The whole of it; prints one line of figures.
void sweep(const std::string& name, Operation& operation, std::size_t random_ones = 10);

}  // namespace jobring::test
