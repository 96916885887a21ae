// jobringd: reads its options and its config, then supervises.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/config/config.hpp"
#include "daemon/log.hpp"
#include "daemon/supervisor.hpp"

namespace {

using namespace jobring;

struct Options {
  std::string config_file;
  std::string socket;
  int private_fd = -1;
  unsigned workers = 0;
  bool check = false;
  bool print = false;
  bool reference = false;
  bool example = false;
};

int fail(const Error& error) {
  std::fprintf(stderr, "jobringd: %s\n", error.line().c_str());
  return exit_status(error.code);
}

// Files that the config names must be there; parse_config() alone does not look.
void check_files(ConfigOutcome& outcome) {
  for (const PoolConfig& pool : outcome.config.pools) {
    for (std::size_t i = 0; i < pool.modules.size(); ++i) {
      if (access(pool.modules[i].c_str(), R_OK) == 0) continue;
      outcome.problems.push_back({"/pools/" + pool.name + "/modules/" + std::to_string(i),
                                  "\"" + pool.modules[i] + "\"",
                                  "a shared object that can be read"});
    }
  }
}

int run(const Options& options) {
  if (options.reference) {
    std::fputs(config_reference().c_str(), stdout);
    return 0;
  }
  if (options.example) {
    std::fputs(config_example().c_str(), stdout);
    return 0;
  }
  ConfigOutcome outcome = options.config_file.empty() ? ConfigOutcome{default_config(), {}}
                                                      : load_config(options.config_file);
  if (outcome.problems.empty() && options.check) check_files(outcome);
  if (!outcome.problems.empty()) {
    for (const ConfigProblem& problem : outcome.problems) {
      std::fprintf(stderr, "jobringd: %s: %s\n", options.config_file.c_str(),
                   problem.line().c_str());
    }
    return exit_status(Errc::config);
  }
  Config config = std::move(outcome.config);
  if (options.workers != 0) config.pools.front().workers = options.workers;
  if (options.print) {
    std::fputs(print_config(config).c_str(), stdout);
    return 0;
  }
  if (options.check) {
    std::printf("%s: good\n", options.config_file.c_str());
    return 0;
  }

  Supervisor::Endpoint endpoint;
  if (options.private_fd >= 0) {
    endpoint.private_client = UniqueFd(options.private_fd);
    fcntl(options.private_fd, F_SETFD, FD_CLOEXEC);
    // The terminal's Ctrl-C is for our client; we end with it.
    setpgid(0, 0);
    // A private daemon speaks up only when something is wrong: its stderr is its client's.
    config.log_level = std::max(config.log_level, LogLevel::warning);
  } else {
    endpoint.path =
        !options.socket.empty() ? options.socket
        : !config.socket.empty()
            ? config.socket
            : default_socket_path([](const char* n) -> const char* { return std::getenv(n); });
  }
  log::open(config.log_level, config.log_target);
  Supervisor supervisor(std::move(config), std::move(endpoint));
  auto status = supervisor.run();
  if (!status) return fail(status.error());
  return *status;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "jobringd: the job queue daemon. Stays in the foreground; logs to stderr or to the journal.",
      "jobringd");
  app.set_version_flag("--version", std::string("jobringd " JOBRING_VERSION));
  app.add_option("--config", options.config_file,
                 "config file (see config.example.json); without it the defaults hold")
      ->type_name("FILE");
  app.add_option("--socket", options.socket,
                 "socket to listen on; default: the config's, $JOBRING_SOCKET, "
                 "$XDG_RUNTIME_DIR/jobring/socket, /run/jobring/socket")
      ->type_name("PATH");
  app.add_option("--private", options.private_fd,
                 "serve only the client at the other end of this socket, and end with it")
      ->type_name("FD")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--workers", options.workers, "workers of the first pool, instead of the config's")
      ->type_name("N")
      ->check(CLI::Range(1u, kWorkersMax));
  app.add_flag("--check-config", options.check,
               "only check the config file: exit 0, or 78 and every problem");
  app.add_flag("--print-config", options.print, "print the settings in force, defaults included");
  app.add_flag("--config-reference", options.reference, "print docs/config.md");
  app.add_flag("--config-example", options.example, "print config.example.json");
  try {
    app.parse(argc, argv);
    if (options.check && options.config_file.empty())
      throw CLI::RequiredError("--check-config needs --config FILE");
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "jobringd: %s; see jobringd --help\n", e.what());
    return exit_status(Errc::usage);
  }
  return run(options);
}
