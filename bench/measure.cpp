#include "bench/measure.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace bench {

double seconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}

double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  const auto at = values.begin() + std::ptrdiff_t(double(values.size() - 1) * p);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}
double median(std::vector<double> values) {
  return percentile(std::move(values), 0.5);
}

pid_t in_child(const std::function<void()>& body) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  body();
  _exit(0);
}
void wait_child(pid_t pid) {
  waitpid(pid, nullptr, 0);
}
void end_child(pid_t pid) {
  kill(pid, SIGKILL);
  wait_child(pid);
}

void pin(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
}

void* shared_memory(std::size_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) abort();
  return memory;
}

double Row::ratio() const {
  return theirs.empty() ? 0 : median(ours) / median(theirs);
}
bool Row::reached() const {
  if (aim == 0) return true;
  const double value = theirs.empty() ? median(ours) : ratio();
  return more_is_better ? value >= aim : value <= aim;
}

Row row(std::string subject, std::string unit, std::string peer, double aim, bool more_is_better) {
  Row r;
  r.subject = std::move(subject);
  r.unit = std::move(unit);
  r.peer = std::move(peer);
  r.aim = aim;
  r.more_is_better = more_is_better;
  return r;
}

Row compare(const Settings& settings, Row row, const std::function<double()>& ours,
            const std::function<double()>& theirs) {
  for (int i = 0; i < settings.rounds; ++i) {
    row.ours.push_back(ours());
    row.theirs.push_back(theirs());
  }
  return row;
}

}  // namespace bench
