// The settings of jobringd: what the one config file tunes. Parsed values only; the names, units,
// ranges, defaults and texts stand in the table of config_schema.cpp, from which parsing,
// --print-config and docs/config.md follow.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace jobring {

enum class LogLevel { trace, debug, info, warning, error };
enum class LogTarget { automatic, stderr_, journal };
// How a worker process runs its jobs: one at a time, one in each of its threads (lanes), or many at
// a time as coroutines of one thread.
enum class WorkerModel { process, thread, async };
constexpr const char* to_string(WorkerModel model) {
  constexpr const char* names[] = {"process", "thread", "async"};
  return names[std::size_t(model)];
}
// What happens to a running job when its client dies.
enum class OnClientDeath { kill, finish };
// What happens to processes that a job left running when it ended.
enum class Strays { kill, keep };
// As whom a command runs when the daemon is root: as the client's own uid, or as the daemon's.
enum class RunAs { client, daemon };

// Resource limits of the worker processes and their commands. Unset: inherited.
struct ProcessLimits {
  std::optional<std::uint64_t> memory;      // bytes of address space, RLIMIT_AS
  std::optional<std::uint64_t> cpu;         // seconds of processor time, RLIMIT_CPU
  std::optional<std::uint64_t> open_files;  // RLIMIT_NOFILE
  std::optional<std::uint64_t> processes;   // RLIMIT_NPROC
  std::optional<std::uint64_t> file_size;   // bytes, RLIMIT_FSIZE
  std::optional<std::uint64_t> core;        // bytes, RLIMIT_CORE

  bool operator==(const ProcessLimits&) const = default;
};

struct PoolConfig {
  std::string name;
  std::uint32_t workers = 0;         // processes; "auto" has been resolved
  std::vector<std::string> command;  // empty: the jobring-worker beside jobringd
  std::vector<std::string>
      modules;  // shared objects with handlers, absolute or relative to the config file
  WorkerModel model = WorkerModel::process;
  std::uint32_t threads = 0;              // lanes of a process of a thread pool; "auto" resolved
  std::uint32_t max_in_flight = 256;      // jobs at a time in a process of an async pool
  std::uint32_t slots = 4096;             // per channel, rounded up to a power of two
  std::uint64_t max_payload = 1 << 20;    // bytes
  std::uint64_t max_result = 1 << 20;     // bytes
  std::uint64_t extent_cache = 64 << 20;  // bytes of large extents a channel may keep touched
  std::chrono::nanoseconds spin{
      50'000};                       // how long a worker and its clients look before they sleep
  std::uint32_t batch = 32;          // jobs a worker claims at once, at most
  std::uint64_t max_jobs = 0;        // a worker is replaced after so many; 0: never
  std::uint64_t max_rss = 0;         // bytes, a worker is replaced above it; 0: never
  std::uint32_t max_channels = 256;  // per uid
  int nice = 0;
  ProcessLimits limits;
  std::map<std::string, std::string> environment;  // added to the workers' environment
  std::uint32_t crash_limit = 5;  // attempts that ended their worker, then a job is quarantined
  OnClientDeath on_client_death = OnClientDeath::kill;
  Strays strays = Strays::kill;
  RunAs run_as = RunAs::client;
  std::uint32_t rate = 0;  // durable jobs that the keeper starts a second; 0: no limit

  // Of one process, each with an owner id of its own.
  std::uint32_t lanes_each() const { return model == WorkerModel::thread ? threads : 1; }
  std::uint32_t lanes() const { return workers * lanes_each(); }

  bool operator==(const PoolConfig&) const = default;
};

struct RestartConfig {
  std::chrono::nanoseconds backoff_min{100'000'000};
  std::chrono::nanoseconds backoff_max{30'000'000'000};
  std::uint32_t crash_loop_count = 5;  // so many deaths ...
  std::chrono::nanoseconds crash_loop_window{
      10'000'000'000};  // ... within this time open the breaker

  bool operator==(const RestartConfig&) const = default;
};

// The registry: the service that keeps named objects.
struct RegistrySettings {
  bool enabled = true;
  std::uint64_t memory = 128 << 20;           // bytes of its segment
  std::uint64_t memory_per_user = 32 << 20;   // bytes
  std::uint32_t objects = 100'000;            // of all users
  std::uint32_t objects_per_user = 20'000;
  std::uint32_t value_max = 1 << 20;          // bytes of one value or item
  std::uint32_t reply_max = 1 << 20;          // bytes of one answer
  std::uint32_t waiters = 100'000;            // requests that wait at a time, of all users
  std::uint32_t waiters_per_user = 50'000;
  std::uint64_t waiting_memory = 16 << 20;    // bytes of items that wait for room
  std::uint32_t slots = 4096;                 // requests of one client at a time
  std::chrono::nanoseconds spin{50'000};

  bool operator==(const RegistrySettings&) const = default;
};

// The keeper: the service that keeps durable jobs.
struct KeeperSettings {
  bool enabled = true;
  // A path, or "auto": what default_state_dir() says, for a daemon that stays. A private one has
  // durable jobs only if a path is named.
  std::string state_dir = "auto";
  std::uint32_t slots = 1024;              // requests of one client at a time
  std::uint64_t request_max = 8 << 20;     // bytes
  std::uint64_t reply_max = 1 << 20;       // bytes
  std::uint32_t ageing = 10'000;           // places in the line that a level of priority is worth
  std::chrono::nanoseconds keep{std::chrono::hours(7 * 24)};  // ended jobs that say nothing else
  std::uint64_t output_max = 16 << 20;         // bytes of one attempt's output
  std::uint64_t outputs_max = 4ull << 30;      // bytes of all outputs
  std::uint32_t tail = 1 << 10;                // bytes of the last output that an attempt keeps
  std::chrono::nanoseconds flush{100'000'000};  // batched durability
  std::uint32_t lost_limit = 3;                // attempts
  std::uint32_t window = 1024;                 // jobs handed to a pool ahead, at most
  std::uint32_t events = 10'000;               // remembered for those who follow
  std::uint64_t jobs_max = 10'000'000;         // that wait, of all users; 0: no limit
  std::uint64_t jobs_per_user = 0;             // that wait; 0: no limit
  std::chrono::nanoseconds spin{50'000};

  bool operator==(const KeeperSettings&) const = default;
};

struct Config {
  std::string socket;  // empty: the default of default_socket_path()
  std::vector<std::string>
      users;  // who may connect beside root and the daemon's own user: names or numbers
  std::vector<std::string> groups;
  std::uint32_t max_clients = 1024;          // connections
  std::uint32_t max_clients_per_user = 512;  // not of root and the daemon's own user
  std::uint32_t max_channels_per_client = 16;
  LogLevel log_level = LogLevel::info;
  LogTarget log_target = LogTarget::automatic;
  std::chrono::nanoseconds drain_timeout{30'000'000'000};
  std::chrono::nanoseconds kill_grace{5'000'000'000};  // between TERM and KILL
  RestartConfig restart;
  RegistrySettings registry;
  KeeperSettings keeper;
  std::vector<PoolConfig> pools;  // in the file's order; at least one

  // The pool of that name, or nullptr.
  const PoolConfig* pool(const std::string& name) const;
  bool operator==(const Config&) const = default;
};

// One thing that is wrong with a config file.
struct ConfigProblem {
  std::string pointer;  // JSON pointer, "/pools/default/workers"; empty: the whole file
  std::string found;    // what stands there
  std::string allowed;  // what may stand there, or what to do
  // "/pools/default/workers: found 500; allowed: a whole number from 1 to 128", one line for a
  // person.
  std::string line() const;
};

struct ConfigOutcome {
  Config config;                        // meaningful if problems is empty
  std::vector<ConfigProblem> problems;  // all of them, not only the first
};

inline constexpr std::size_t kConfigFileMax = 1 << 20;  // bytes

// Parses the text of a config file (JSON with // and /* */ comments). Relative paths (socket,
// modules, a command with a '/') are made absolute against `directory`; an empty `directory` leaves
// them alone. Checks every key, type and range, and what holds between keys; does not touch files.
// "auto" workers and threads become numbers.
ConfigOutcome parse_config(const std::string& text, const std::string& directory);
// Reads and parses a file; relative paths are relative to the directory in which `path` stands. A
// file that cannot be read is a problem with an empty pointer.
ConfigOutcome load_config(const std::string& path);
// What holds without a config file: one pool "default" with a worker per processor.
Config default_config();
// The effective settings as commented JSON that parse_config() reads back to the same settings.
std::string print_config(const Config& config);
// config.example.json: every key with its default, commented.
std::string config_example();
// docs/config.md: every key with its type, unit, range, default and meaning.
std::string config_reference();

// $JOBRING_SOCKET, else $XDG_RUNTIME_DIR/jobring/socket, else /run/jobring/socket. `getenv` is
// injected for tests.
std::string default_socket_path(const char* (*getenv)(const char*));
// What keeper.state_dir means when it is "auto": /var/lib/jobring for root, else
// $XDG_STATE_HOME/jobring or $HOME/.local/state/jobring; empty if neither is set.
std::string default_state_dir(bool root, const char* (*getenv)(const char*));

}  // namespace jobring
