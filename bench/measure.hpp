// Small tools for measuring: clocks, medians, children, rounds that alternate between us and what
// we compare with.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace bench {

double seconds();  // CLOCK_MONOTONIC
double median(std::vector<double> values);
double percentile(std::vector<double> values, double p);  // p in 0..1

// Runs `body` in a child process, which dies with us.
pid_t in_child(const std::function<void()>& body);
void end_child(pid_t pid);  // SIGKILL and wait
void wait_child(pid_t pid);
void pin(int cpu);  // -1: leave it to the scheduler
// Anonymous memory shared with children, zeroed.
void* shared_memory(std::size_t size);

// One line of the report: what jobring did, what the limit or the peer did in the same rounds.
struct Row {
  std::string subject;
  std::string unit;
  std::string peer;
  std::vector<double> ours, theirs;  // one value a round
  bool more_is_better = true;
  double aim = 0;        // ratio to reach (at least, or at most if less is better); 0: none
  double ratio() const;  // of medians, ours / theirs
  bool reached() const;
};

// One without measurements yet.
Row row(std::string subject, std::string unit, std::string peer, double aim,
        bool more_is_better = true);

struct Settings {
  int rounds = 5;
  double seconds = 0.5;  // per measurement
  std::string bin;       // directory of jobringd, jobring, ...
  std::string modules;   // directory of the bench module
};

// Runs ours and theirs in turn, `rounds` times each.
Row compare(const Settings& settings, Row row, const std::function<double()>& ours,
            const std::function<double()>& theirs);

using Subject = std::vector<Row> (*)(const Settings&);
std::vector<Row> throughput(const Settings&);
std::vector<Row> round_trip(const Settings&);
std::vector<Row> commands(const Settings&);
std::vector<Row> payloads(const Settings&);
std::vector<Row> clients(const Settings&);
std::vector<Row> idle(const Settings&);
std::vector<Row> command_line(const Settings&);
std::vector<Row> objects(const Settings&);

}  // namespace bench
