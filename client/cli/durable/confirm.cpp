#include "client/cli/durable/confirm.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string_view>

#include "client/cli/human.hpp"
#include "client/cli/terminal.hpp"
#include "client/client_core.hpp"

namespace jobring::cli {

std::string many_text(const char* verb, const PoolJobs& by_state) {
  std::uint64_t all = 0;
  std::string states;
  for (std::size_t i = 0; i < by_state.jobs.size(); ++i) {
    const std::uint64_t count = by_state.jobs[i];
    if (count == 0) continue;
    all += count;
    states += (states.empty() ? "" : ", ") + human_count(count) + " " + to_string(JobState(i));
  }
  return std::string(verb) + " " + human_count(all) + (all == 1 ? " job" : " jobs") +
         (states.empty() ? "" : " (" + states + ")");
}

bool confirm(const std::string& what) {
  if (!is_terminal(STDIN_FILENO)) {
    detail::throw_error({Errc::usage, "this would " + what, "",
                         "say --yes if that is meant, or --dry-run to see more"});
  }
  std::fprintf(stderr, "jobring: %s? [y/N] ", what.c_str());
  std::fflush(stderr);
  char line[16];
  if (std::fgets(line, sizeof line, stdin) == nullptr) return false;
  const std::string_view answer(line, std::strcspn(line, "\n"));
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace jobring::cli
