// jobring-soak: see --help, and docs/reliability.md.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstring>

#include "tests/soak/command.hpp"
#include "tests/soak/failover.hpp"
#include "tests/soak/soak.hpp"
#include "tests/support/seed.hpp"

int main(int argc, char** argv) {
  if (argc == 6 && std::strcmp(argv[1], "--job") == 0)
    return jobring::soak::run_command_job(argv + 2);
  jobring::soak::SoakOptions options;
  options.seed = jobring::test::seed_of_test();
#ifdef JOBRING_SANITIZED
  options.watch_memory = false;
  options.patience_seconds = 90;
  options.kills_per_second = 15;
#endif
  CLI::App app(
      "Kills jobring's workers, clients and daemons at random under load, and audits every job.");
  double hours = 0, minutes = 1;
  app.add_option("--hours", hours, "How long, at least");
  app.add_option("--minutes", minutes, "How long, at least")->capture_default_str();
  app.add_option("--kills", options.kills, "How many kills, at least")->capture_default_str();
  app.add_option("--seed", options.seed,
                 "Replays what is drawn, though not what the scheduler does");
  app.add_option("--clients", options.clients, "Client processes")
      ->check(CLI::Range(1, 30))
      ->capture_default_str();
  app.add_option("--rate", options.kills_per_second, "Kills a second to aim at")
      ->capture_default_str();
  app.add_option("--patience", options.patience_seconds, "Seconds that a client may stand still")
      ->capture_default_str();
  std::uint32_t failovers = 0;
  app.add_option(
      "--failover", failovers,
      "No soak: so many kills in each situation, to measure how soon their jobs run again");
  CLI11_PARSE(app, argc, argv);
  options.seconds = std::uint64_t(hours > 0 ? hours * 3600 : minutes * 60);
  try {
    if (failovers > 0) return jobring::soak::failover(failovers);
    return jobring::soak::soak(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "jobring-soak: %s\n", e.what());
    return 2;
  }
}
