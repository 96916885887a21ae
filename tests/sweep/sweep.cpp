#include "tests/sweep/sweep.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <tuple>

#include "tests/support/seed.hpp"

namespace jobring::test {
namespace {

using At = Tracee::At;

// More than any operation takes: what gets here loops.
constexpr std::size_t kStepsMax = 5'000'000;
constexpr auto kPatience = std::chrono::seconds(20);
// Operation::unhurried(). Longer than any time that a worker waits before it does something again.
constexpr auto kRest = std::chrono::microseconds(1200);

// So often a point is sought: the way there may differ by what other processes do meanwhile.
constexpr int kTries = 8;
// One point in so many may be missed all the same.
constexpr std::size_t kMissedMax = 20;

// After a step: true if the operation goes on.
bool goes_on(Operation& operation, Tracee& victim, At at) {
  while (at == At::asleep) {
    if (victim.idle() && operation.over()) return false;
    at = victim.wait_awake(kPatience);
    if (at == At::asleep)
      throw std::runtime_error(
          "the victim sleeps, and nothing wakes it, before its operation is over");
  }
  return at == At::instruction;
}

bool exhaustive() {
  const char* asked = std::getenv("JOBRING_EXHAUSTIVE");
  return asked != nullptr && *asked == '1';
}

}  // namespace

std::string to_string(const KillPoint& point) {
  return std::to_string(point.calls) + " system calls (the last was number " +
         std::to_string(point.call) + "), " + std::to_string(point.changes) + " changes and " +
         std::to_string(point.steps) + " instructions" + (point.asleep ? ", asleep" : "");
}

namespace {

// What a step did, as points are named: the place after it.
void count_step(KillPoint& point, const Tracee& victim, bool call, bool change) {
  if (call) {
    point = {point.calls + 1, 0, 0, 0, victim.last_call(), false};
    return;
  }
  ++point.since_call;
  if (change) {
    ++point.changes;
    point.steps = 0;
  } else {
    ++point.steps;
  }
}

bool is_past(const KillPoint& here, const KillPoint& point) {
  if (here.calls != point.calls) return here.calls > point.calls;
  return here.since_call > point.since_call &&
         std::tie(here.changes, here.steps) > std::tie(point.changes, point.steps);
}

bool same_place(const KillPoint& here, const KillPoint& point) {
  if (here.calls != point.calls || here.call != point.call) return false;
  return here.changes == point.changes ? here.steps == point.steps
                                       : here.since_call == point.since_call;
}

// For those who want to know why points are missed.
bool missed(const KillPoint& point, const KillPoint& here, const char* what) {
  if (std::getenv("JOBRING_SWEEP_WHY") != nullptr)
    std::printf("  missed %s: %s after %s\n", to_string(point).c_str(), what,
                to_string(here).c_str());
  return false;
}

}  // namespace

Course step_through(Operation& operation, Tracee& victim) {
  Course course;
  SharedView& view = operation.view();
  view.refresh();
  view.changed();
  KillPoint point;
  for (;;) {
    if (course.points.size() > kStepsMax) throw std::runtime_error("the operation does not end");
    const At at = victim.step();
    if (at == At::marker) break;
    course.points.push_back(point);
    course.visible.push_back(false);
    const bool more = goes_on(operation, victim, at);
    const bool call = victim.called();
    if (call) view.refresh();
    const bool change = view.changed();
    course.visible.back() = call || change;
    course.calls += call;
    course.changes += change;
    if (!more) {
      if (at == At::asleep) {
        point.asleep = true;
        course.points.push_back(point);
        course.visible.push_back(true);
      }
      break;
    }
    count_step(point, victim, call, change);
  }
  return course;
}

bool go_to(Operation& operation, Tracee& victim, const KillPoint& point) {
  KillPoint here;
  const auto rest = operation.unhurried() ? kRest : std::chrono::microseconds(0);
  for (; here.calls < point.calls; ++here.calls) {
    if (!goes_on(operation, victim, victim.next_syscall(rest)))
      return missed(point, here, "it is over");
  }
  here.call = point.calls != 0 ? victim.last_call() : -1;
  if (here.call != point.call) return missed(point, here, "another call");
  SharedView& view = operation.view();
  view.refresh();
  view.changed();
  while (!same_place(here, point)) {
    if (is_past(here, point)) return missed(point, here, "it is past");
    if (!goes_on(operation, victim, victim.step())) return missed(point, here, "it is over");
    const bool call = victim.called();
    if (call) view.refresh();
    count_step(here, victim, call, view.changed());
  }
  return !point.asleep || !goes_on(operation, victim, victim.step());
}

std::vector<KillPoint> choose_points(const Course& course, std::uint64_t seed,
                                     std::size_t random_ones) {
  if (exhaustive()) return course.points;
  const std::size_t count = course.points.size();
  std::vector<bool> chosen(count);
  for (std::size_t i = 0; i < count; ++i)
    chosen[i] = i == 0 || i + 1 == count || course.visible[i - 1];
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < random_ones; ++i) chosen[random() % count] = true;
  std::vector<KillPoint> points;
  for (std::size_t i = 0; i < count; ++i) {
    if (chosen[i]) points.push_back(course.points[i]);
  }
  return points;
}

// The way that the operation takes most often. The first round begins in a young world, all others
// after a death: it is not looked at. When the next two go alike, that is the way.
Course usual_course(Operation& operation) {
  std::vector<Course> courses;
  const auto alike = [](const Course& a, const Course& b) {
    return a.calls == b.calls && a.changes == b.changes;
  };
  const auto times = [&](const Course& course) {
    return std::count_if(courses.begin(), courses.end(),
                         [&](const Course& c) { return alike(c, course); });
  };
  for (int round = 0; round < 7; ++round) {
    const auto victim = operation.begin(0);
    Course course;
    if (round != 0) {
      course = step_through(operation, *victim);
      REQUIRE(course.points.size() > 1);
    }
    operation.before_kill();
    victim->kill();
    operation.audit();
    if (round == 0) continue;
    courses.push_back(std::move(course));
    if (round == 2 && alike(courses[0], courses[1])) break;
  }
  return *std::max_element(courses.begin(), courses.end(),
                           [&](const Course& a, const Course& b) { return times(a) < times(b); });
}

void sweep(const std::string& name, Operation& operation, std::size_t random_ones) {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  const Course course = usual_course(operation);
  const auto points = choose_points(course, seed, random_ones);
  std::printf("sweep: %s: %zu instructions, %u system calls, %u changes of shared memory\n",
              name.c_str(), course.points.size(), course.calls, course.changes);
  std::fflush(stdout);
  const auto start = std::chrono::steady_clock::now();
  std::size_t kills = 0, elsewhere = 0;
  for (const KillPoint& point : points) {
    for (unsigned variant = 0; variant < operation.variants(); ++variant) {
      const std::string where = to_string(point);
      CAPTURE(where);
      CAPTURE(variant);
      for (int tries = 0;; ++tries) {
        const auto victim = operation.begin(variant);
        const bool there = go_to(operation, *victim, point);
        operation.before_kill();
        victim->kill();
        operation.audit();
        ++kills;
        if (there) break;
        if (tries == kTries) {
          ++elsewhere;
          break;
        }
      }
    }
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("sweep: %s: %zu points, %zu kills, %.0f per second; %zu not reached; seed %llu\n",
              name.c_str(), points.size(), kills, double(kills) / seconds, elsewhere,
              static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  // Somewhere else the victim was killed as well, but then this sweep is not what it claims.
  const std::size_t aimed = points.size() * operation.variants();
  CHECK(elsewhere <= (aimed + kMissedMax - 1) / kMissedMax);
}

}  // namespace jobring::test
