// jobring_bench: measures jobring against its limits and its peers in one run, and prints ratios.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "bench/measure.hpp"

namespace {

using namespace bench;

struct Entry {
  const char* name;
  Subject run;
};
constexpr Entry kSubjects[] = {{"throughput", throughput},     {"round_trip", round_trip},
                               {"commands", commands},         {"payloads", payloads},
                               {"clients", clients},           {"idle", idle},
                               {"command_line", command_line}, {"objects", objects}};

std::string human(double value, const std::string& unit) {
  char text[64];
  if (unit == "B/s") {
    std::snprintf(text, sizeof text, "%.0f MB/s", value / 1e6);
  } else if (value >= 1e6) {
    std::snprintf(text, sizeof text, "%.2f M %s", value / 1e6, unit.c_str());
  } else if (value >= 100) {
    std::snprintf(text, sizeof text, "%.0f %s", value, unit.c_str());
  } else {
    std::snprintf(text, sizeof text, "%.2f %s", value, unit.c_str());
  }
  return text;
}

void print(const Row& row) {
  const auto [low, high] = std::minmax_element(row.ours.begin(), row.ours.end());
  std::printf("%-50s %16s  (%s .. %s)", row.subject.c_str(),
              human(median(row.ours), row.unit).c_str(), human(*low, row.unit).c_str(),
              human(*high, row.unit).c_str());
  if (!row.theirs.empty())
    std::printf("  %s %s  ratio %.2f", row.peer.c_str(),
                human(median(row.theirs), row.unit).c_str(), row.ratio());
  if (row.aim != 0)
    std::printf("  %s %s %g", row.reached() ? "ok" : "MISSED",
                row.more_is_better ? ">=" : "<=", row.aim);
  std::printf("\n");
  std::fflush(stdout);
}

void print_json(const Row& row) {
  std::printf(
      "{\"subject\":\"%s\",\"unit\":\"%s\",\"median\":%g,\"peer\":\"%s\",\"peer_median\":%g,"
      "\"ratio\":%g,\"aim\":%g,\"reached\":%s}\n",
      row.subject.c_str(), row.unit.c_str(), median(row.ours), row.peer.c_str(),
      row.theirs.empty() ? 0 : median(row.theirs), row.ratio(), row.aim,
      row.reached() ? "true" : "false");
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  settings.bin = JOBRING_BIN_DIR;
  settings.modules = JOBRING_MODULE_DIR;
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto given = [&](const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  const bool json = given("--json");
  bool any = false;
  if (given("--quick")) {
    settings.rounds = 3;
    settings.seconds = 0.2;
  }
  const bool all = std::all_of(words.begin(), words.end(),
                               [](const std::string& w) { return w.starts_with("-"); });
  try {
    for (const Entry& subject : kSubjects) {
      if (!all && !given(subject.name)) continue;
      any = true;
      for (const Row& row : subject.run(settings)) json ? print_json(row) : print(row);
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "jobring_bench: %s\n", e.what());
    return 1;
  }
  if (!any) {
    std::fprintf(stderr, "jobring_bench: no such subject; there are:");
    for (const Entry& subject : kSubjects) std::fprintf(stderr, " %s", subject.name);
    std::fprintf(stderr, "\n");
    return 64;
  }
}
