// Kills a process after n instructions of one operation, for every n that differs from its
// neighbours for anybody else.
//
// One pass steps the whole operation and notes each instruction, and whether others can see what it
// did: it was a system call, or a byte of shared memory changed. Two kill points between which
// nothing can be seen leave the same world behind: only the dead process's own registers and memory
// differ. So by default the victim is killed directly after each visible instruction, and at some
// other points at random; JOBRING_EXHAUSTIVE=1 kills at every point.
//
// A point is named by what others saw before it: so many system calls, then so many changes, then
// so many instructions. The victim runs through its system calls at full speed and is stepped from
// the last one. So a point is found again even where formatting a pid or the time of day takes an
// instruction more or less than in the first pass. Where there have been more or fewer changes, as
// a word was given the value that it had, the instructions since the system call decide.
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
  std::uint32_t calls = 0;       // system calls that have returned
  std::uint32_t changes = 0;     // of shared memory since the last of them
  std::uint32_t steps = 0;       // instructions since the last of all these
  std::uint32_t since_call = 0;  // instructions since the last system call, changes or not
  long call = -1;                // number of the last system call
  bool asleep = false;           // in the system call that this point stands at
};

std::string to_string(const KillPoint& point);

class Operation {
 public:
  virtual ~Operation() = default;
  // Brings a victim to the operation's first instruction. `variant` is below variants(): the same
  // operation under another policy; every point is killed in each.
  virtual std::unique_ptr<Tracee> begin(unsigned variant) = 0;
  virtual unsigned variants() const { return 1; }
  // For operations whose way depends on how much time passes: the victim rests after each system
  // call on its way to a point. A worker looks for orders, and tidies up, when a millisecond has
  // passed: one that is stepped finds that at every look, one that runs freely only now and then.
  virtual bool unhurried() const { return false; }
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
// Brings the victim to the point. False if its way was another one; then it stands where it got to.
bool go_to(Operation& operation, Tracee& victim, const KillPoint& point);
// The points to kill at.
std::vector<KillPoint> choose_points(const Course& course, std::uint64_t seed,
                                     std::size_t random_ones);

// The whole of it; prints one line of figures. A point that is missed is sought again, and 19 of 20
// must be reached.
void sweep(const std::string& name, Operation& operation, std::size_t random_ones = 10);

}  // namespace jobring::test
