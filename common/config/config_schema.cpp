#include "common/config/config_schema.hpp"

#include <utility>

#include "common/limits.hpp"

namespace jobring {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr std::uint64_t operator""_KiB(unsigned long long n) {
  return n << 10;
}
constexpr std::uint64_t operator""_MiB(unsigned long long n) {
  return n << 20;
}
constexpr std::uint64_t operator""_TiB(unsigned long long n) {
  return n << 40;
}

// A value of `kind`, kept in `member`; integers may differ in width, the kind's range says what
// fits.
template <class Owner, class T, class V>
Key<Owner> key(std::string name, T Owner::*member, ValueKind<V> kind, std::string meaning,
               std::string example = {}) {
  Key<Owner> result;
  result.name = std::move(name);
  result.type = kind.type;
  result.range = kind.range;
  result.meaning = std::move(meaning);
  result.example = std::move(example);
  result.read = [member, read = kind.read](const JsonValue& json, Owner& owner,
                                           const Place& place) {
    if (auto value = read(json, place)) owner.*member = static_cast<T>(std::move(*value));
  };
  result.write = [member, write = kind.write](const Owner& owner) {
    return write(static_cast<V>(owner.*member));
  };
  return result;
}

template <class Owner>
Key<Owner> section(std::string name, std::vector<Key<Owner>> keys, std::string meaning) {
  Key<Owner> result;
  result.kind = Key<Owner>::Kind::section;
  result.name = std::move(name);
  result.type = "object";
  result.meaning = std::move(meaning);
  result.keys = std::move(keys);
  return result;
}

// The keys of a part, as keys of the whole that has the part as a member.
template <class Whole, class Part>
std::vector<Key<Whole>> within(Part Whole::*part, const std::vector<Key<Part>>& keys) {
  std::vector<Key<Whole>> result;
  for (const Key<Part>& key : keys) {
    Key<Whole> lifted;
    lifted.name = key.name;
    lifted.type = key.type;
    lifted.range = key.range;
    lifted.meaning = key.meaning;
    lifted.example = key.example;
    lifted.read = [part, read = key.read](const JsonValue& json, Whole& whole, const Place& place) {
      read(json, whole.*part, place);
    };
    lifted.write = [part, write = key.write](const Whole& whole) { return write(whole.*part); };
    result.push_back(std::move(lifted));
  }
  return result;
}

Key<Config> pools() {
  Key<Config> result;
  result.kind = Key<Config>::Kind::pools;
  result.name = "pools";
  result.type = "object of pools by name";
  result.range = "1 to " + std::to_string(kPoolsMax) + " pools";
  result.meaning =
      "The pools, each a group of workers with one configuration; jobs are submitted to a pool by "
      "its name. A name has 1 to " +
      std::to_string(kPoolNameMax) +
      " of the characters A-Z a-z 0-9 _ . - and does not start with '-'. Without this key there "
      "is one pool \"default\".";
  result.example = "{\"default\": {}, \"slow\": {\"workers\": 2, \"nice\": 10}}";
  result.write = [](const Config&) { return "{\"default\": {}}"; };
  return result;
}

std::vector<Key<Config>> log_keys() {
  return {
      key("level", &Config::log_level,
          choice<LogLevel>({{"trace", LogLevel::trace},
                            {"debug", LogLevel::debug},
                            {"info", LogLevel::info},
                            {"warning", LogLevel::warning},
                            {"error", LogLevel::error}}),
          "The least important messages that are logged."),
      key("target", &Config::log_target,
          choice<LogTarget>({{"auto", LogTarget::automatic},
                             {"stderr", LogTarget::stderr_},
                             {"journal", LogTarget::journal}}),
          "Where the log goes; \"auto\" is the journal if systemd connected stderr to it, else "
          "stderr."),
  };
}

std::vector<Key<RestartConfig>> restart_keys() {
  return {
      key("backoff_min", &RestartConfig::backoff_min,
          duration(milliseconds(1), hours(1), milliseconds(100)),
          "The wait before the first restart. It doubles with each further death."),
      key("backoff_max", &RestartConfig::backoff_max,
          duration(milliseconds(1), hours(1), std::chrono::seconds(30)),
          "The longest wait; at least backoff_min."),
      key("crash_loop_count", &RestartConfig::crash_loop_count, whole_number(1, 1000, 5),
          "So many deaths within crash_loop_window make the pool count as broken: its waiting jobs "
          "fail, and its workers are "
          "tried again every backoff_max."),
      key("crash_loop_window", &RestartConfig::crash_loop_window,
          duration(std::chrono::seconds(1), hours(24), std::chrono::seconds(10)),
          "See crash_loop_count."),
  };
}

std::vector<Key<RegistrySettings>> registry_keys() {
  return {
      key("enabled", &RegistrySettings::enabled, truth(),
          "Whether there is a registry. It starts when the first client asks for it."),
      key("memory", &RegistrySettings::memory, byte_size(1_MiB, 64 * 1024_MiB, 256_MiB),
          "Memory that outlives the registry, so that what objects contain survives its death. "
          "About a third of it can be filled; it is used in turn, so in time all of it is "
          "touched."),
      key("memory_per_user", &RegistrySettings::memory_per_user,
          byte_size(64_KiB, 64 * 1024_MiB, 64_MiB),
          "What the objects of one user may take of it; each object, key and item costs 100 to 400 "
          "bytes beside its own."),
      key("objects", &RegistrySettings::objects, whole_number(1, 10'000'000, 1000),
          "Named objects of all users together."),
      key("objects_per_user", &RegistrySettings::objects_per_user,
          whole_number(1, 10'000'000, 1000), "Named objects of one user."),
      key("value_max", &RegistrySettings::value_max, byte_size(64, 64_MiB, 1_MiB),
          "The largest value of a dict or list, or item of a queue."),
      key("reply_max", &RegistrySettings::reply_max, byte_size(4_KiB, 64_MiB, 1_MiB),
          "The largest listing in one answer; longer ones come in parts."),
      key("waiters", &RegistrySettings::waiters, whole_number(1, 10'000'000, 10000),
          "Requests that wait at a time, of all users together."),
      key("waiters_per_user", &RegistrySettings::waiters_per_user,
          whole_number(1, 10'000'000, 1000), "Requests of one user that wait at a time."),
      key("waiting_memory", &RegistrySettings::waiting_memory, byte_size(0, 1_TiB, 64_MiB),
          "Items that wait for room in full queues, of all users together."),
      key("slots", &RegistrySettings::slots, power_of_two(1, kSlotsMax, 1024),
          "Requests that one client may have under way, waiting ones included."),
      key("spin", &RegistrySettings::spin,
          duration(Nanoseconds(0), milliseconds(10), microseconds(50)),
          "How long the registry without requests, and a client that waits for an answer, look for "
          "news before they sleep."),
  };
}

std::vector<Key<KeeperSettings>> keeper_keys() {
  return {
      key("enabled", &KeeperSettings::enabled, truth(),
          "Whether there is a keeper. It starts with the daemon if there are durable jobs, else "
          "when the first client asks for it."),
      key("state_dir", &KeeperSettings::state_dir, path("/var/lib/jobring"),
          "Where durable jobs and the output of their commands are kept: a directory that only the "
          "daemon's user may enter. \"auto\": /var/lib/jobring for root, $XDG_STATE_HOME/jobring "
          "or ~/.local/state/jobring for anybody else; a private daemon then has no durable jobs. "
          "One daemon at a time uses it."),
      key("slots", &KeeperSettings::slots, power_of_two(16, kSlotsMax, 1024),
          "Requests that one client may have under way, waiting ones included."),
      key("request_max", &KeeperSettings::request_max, byte_size(64_KiB, 256_MiB, 8_MiB),
          "The largest request: a submission of many jobs, with their payloads."),
      key("reply_max", &KeeperSettings::reply_max, byte_size(64_KiB, 64_MiB, 1_MiB),
          "The largest listing in one answer; longer ones come in parts."),
      key("ageing", &KeeperSettings::ageing, whole_number(1, 1'000'000'000, 10000),
          "What a level of priority is worth: so many places in the line. The larger, the longer a "
          "job of low priority may wait behind newer ones."),
      key("keep", &KeeperSettings::keep, duration(Nanoseconds(0), hours(24 * 3650), hours(24)),
          "How long a job stays on record after its end, with its result and output, if it does "
          "not say itself."),
      key("output_max", &KeeperSettings::output_max, byte_size(0, 1_TiB, 16_MiB),
          "What is kept of the output of one attempt of a command, stdout and stderr each; the "
          "rest is counted and dropped."),
      key("outputs_max", &KeeperSettings::outputs_max, byte_size(0, 1024_TiB, 4096_MiB),
          "Room for the outputs of all jobs together; the oldest go first."),
      key("tail", &KeeperSettings::tail, byte_size(0, 64_KiB, 1_KiB),
          "How much of the end of a command's output stays on record with its attempt, when the "
          "output itself is gone."),
      key("flush", &KeeperSettings::flush,
          duration(milliseconds(1), std::chrono::minutes(1), milliseconds(100)),
          "Within what time jobs that were submitted with durability \"batched\" are safe from a "
          "power cut."),
      key("lost_limit", &KeeperSettings::lost_limit, whole_number(1, 1000, 3),
          "A job is given up when so many of its attempts were lost with the daemon or the "
          "machine."),
      key("window", &KeeperSettings::window, whole_number(1, kSlotsMax, 256),
          "Jobs that are handed to a pool ahead of their turn, at most. Smaller obeys priorities "
          "and pauses sooner, larger hides the disk."),
      key("events", &KeeperSettings::events, whole_number(0, 10'000'000, 10000),
          "How many events are remembered for those who follow them and come late."),
      key("jobs_max", &KeeperSettings::jobs_max, whole_number(0, 1'000'000'000'000, 1000000),
          "Jobs that may wait, of all users together; more are refused as \"full\". 0: no limit "
          "but the disk."),
      key("jobs_per_user", &KeeperSettings::jobs_per_user,
          whole_number(0, 1'000'000'000'000, 100000),
          "Jobs of one user that may wait; 0: no limit of its own."),
      key("spin", &KeeperSettings::spin,
          duration(Nanoseconds(0), milliseconds(10), microseconds(50)),
          "How long the keeper without requests, and a client that waits for an answer, look for "
          "news before they sleep."),
  };
}

std::vector<Key<ProcessLimits>> limit_keys() {
  return {
      key("memory", &ProcessLimits::memory, or_inherit(byte_size(16_MiB, 128_TiB, 16384_MiB)),
          "Address space of one process (RLIMIT_AS). A worker maps every channel it serves whole, "
          "touched or not: leave room "
          "for slots x (max_payload + max_result) bytes for each. To bound the memory that a "
          "worker really uses, take max_rss."),
      key("cpu", &ProcessLimits::cpu,
          or_inherit(seconds(std::chrono::seconds(1), hours(24 * 365), std::chrono::seconds(3600))),
          "Processor time of one process in its whole life (RLIMIT_CPU)."),
      key("open_files", &ProcessLimits::open_files, or_inherit(whole_number(64, 1 << 20, 1024)),
          "Open file descriptors of one process (RLIMIT_NOFILE). A worker needs some for each "
          "channel that it serves."),
      key("processes", &ProcessLimits::processes, or_inherit(whole_number(16, 1 << 22, 4096)),
          "Processes and threads of the user as whom they run (RLIMIT_NPROC)."),
      key("file_size", &ProcessLimits::file_size, or_inherit(byte_size(0, 1024_TiB, 1024_MiB)),
          "The largest file that a process may write (RLIMIT_FSIZE)."),
      key("core", &ProcessLimits::core, or_inherit(byte_size(0, 1024_TiB, 64_MiB)),
          "The largest core file; \"0B\" writes none (RLIMIT_CORE)."),
  };
}

}  // namespace

const std::vector<Key<Config>>& daemon_keys() {
  static const std::vector<Key<Config>> keys = {
      key("socket", &Config::socket, path("/run/jobring/socket"),
          "The control socket, at most " + std::to_string(kSocketPathMax) +
              " bytes. Empty: $JOBRING_SOCKET, else $XDG_RUNTIME_DIR/jobring/socket, else "
              "/run/jobring/socket. Single submissions have a socket beside it, of the same name "
              "with .submit behind it."),
      key("users", &Config::users, names_or_ids({"alice", "bob"}),
          "Who may connect beside root and the daemon's own user: names or numeric ids.",
          "[\"alice\", 1000]"),
      key("groups", &Config::groups, names_or_ids({"jobring"}),
          "Members of these groups may connect as well: names or numeric ids.", "[\"jobring\"]"),
      key("max_clients", &Config::max_clients, whole_number(1, 65536, 1024),
          "Connections at a time."),
      key("max_clients_per_user", &Config::max_clients_per_user, whole_number(1, 65536, 512),
          "Connections that one user may hold, so that there is room for the others. Does not hold "
          "for root and the daemon's own user."),
      key("max_channels_per_client", &Config::max_channels_per_client, whole_number(1, 4096, 16),
          "Channels that one connection may hold, over all pools."),
      section("log", log_keys(), "What the daemon logs, and where."),
      key("drain_timeout", &Config::drain_timeout,
          duration(Nanoseconds(0), hours(24), std::chrono::seconds(30)),
          "How long a stopping daemon lets its jobs run; then it kills them."),
      key("kill_grace", &Config::kill_grace,
          duration(Nanoseconds(0), hours(1), std::chrono::seconds(5)),
          "The time between TERM and KILL when a command is stopped."),
      section("restart", within(&Config::restart, restart_keys()),
              "When workers are started again that died without a job to blame. One that died in a "
              "job is replaced at once."),
      section("registry", within(&Config::registry, registry_keys()),
              "The service that keeps locks, semaphores, events, conditions, barriers, queues, "
              "dicts, lists and counters by name."),
      section("keeper", within(&Config::keeper, keeper_keys()),
              "The service that keeps durable jobs: those that survive their client, the daemon "
              "and the machine."),
      pools(),
  };
  return keys;
}

const std::vector<Key<PoolConfig>>& pool_keys() {
  static const std::vector<Key<PoolConfig>> keys = {
      key("workers", &PoolConfig::workers, worker_count(kWorkersMax),
          "Worker processes; \"auto\" is one for each processor that the daemon may use, or one in "
          "all "
          "when the model is \"thread\" or \"async\"."),
      key("command", &PoolConfig::command, strings({"python3", "-m", "jobring.worker"}),
          "The program that is a worker, and its arguments. Empty: the jobring-worker beside "
          "jobringd. A name without '/' is "
          "looked up in $PATH; a relative path is relative to the config file.",
          "[\"python3\", \"-m\", \"jobring.worker\"]"),
      key("modules", &PoolConfig::modules, strings({"modules/square.so"}),
          "Shared objects with handlers that the workers load; relative paths are relative to the "
          "config file.",
          "[\"modules/square.so\"]"),
      key("model", &PoolConfig::model,
          choice<WorkerModel>({{to_string(WorkerModel::process), WorkerModel::process},
                               {to_string(WorkerModel::thread), WorkerModel::thread},
                               {to_string(WorkerModel::async), WorkerModel::async}}),
          "How a worker process runs its jobs. \"process\": one at a time, so that a crash is that "
          "of one job. \"thread\": one in each of its threads at a time; handlers must be declared "
          "thread-safe, and a crash ends all jobs of the process. \"async\": up to max_in_flight "
          "at a "
          "time, on one thread that waits for all of them."),
      key("threads", &PoolConfig::threads, worker_count(kWorkersMax),
          "Threads of each worker process when the model is \"thread\"; \"auto\" is one for each "
          "processor that the daemon may use. A pool has at most " +
              std::to_string(kWorkersMax) + " of them in all processes."),
      key("max_in_flight", &PoolConfig::max_in_flight, whole_number(1, kSlotsMax, 256),
          "Jobs that each worker process runs at a time when the model is \"async\"."),
      key("slots", &PoolConfig::slots, power_of_two(1, kSlotsMax, 4096),
          "Jobs that one channel may have outstanding. A client that submits more waits, or is "
          "told that it is full."),
      key("max_payload", &PoolConfig::max_payload, byte_size(0, kPayloadLimit, 64_MiB),
          "The largest payload of a job. Untouched room costs address space, not memory."),
      key("max_result", &PoolConfig::max_result, byte_size(0, kPayloadLimit, 64_MiB),
          "The largest result of a job. The output of a command is part of it, and is cut to fit."),
      key("extent_cache", &PoolConfig::extent_cache, byte_size(0, 1_TiB, 64_MiB),
          "Memory that a channel may keep for payloads and results too large for their slots, "
          "after their jobs ended; what "
          "exceeds it goes back to the system."),
      key("spin", &PoolConfig::spin, duration(Nanoseconds(0), milliseconds(10), microseconds(50)),
          "How long a worker without jobs, and a client that waits for one, look for news before "
          "they sleep. Looking costs "
          "processor time, sleeping some microseconds to wake up."),
      key("batch", &PoolConfig::batch, whole_number(1, kBatchMax, 8),
          "Jobs that a worker claims at once at most, when they are short and many wait."),
      key("max_jobs", &PoolConfig::max_jobs, whole_number(0, 1'000'000'000'000, 100000),
          "A worker is replaced after so many jobs; 0: never."),
      key("max_rss", &PoolConfig::max_rss, byte_size(0, 16_TiB, 512_MiB),
          "A worker is replaced, between jobs, when it holds more memory; \"0B\": never."),
      key("max_channels", &PoolConfig::max_channels, whole_number(1, kChannelsPerDoorbell, 64),
          "Channels that one user may hold in this pool."),
      key("nice", &PoolConfig::nice, whole_number(-20, 19, 10),
          "Priority of the workers and their commands; 19 is the lowest. Less than 0 takes "
          "privilege."),
      section("limits", within(&PoolConfig::limits, limit_keys()),
              "Resource limits of each worker and of the commands it runs; \"inherit\" leaves the "
              "daemon's own."),
      key("environment", &PoolConfig::environment, environment_variables(),
          "Variables added to the environment of the workers.", "{\"LANG\": \"C.UTF-8\"}"),
      key("crash_limit", &PoolConfig::crash_limit, whole_number(1, 256, 3),
          "A job that ended its worker so many times is quarantined: it is not run again, whatever "
          "crash_retries it asked for. It fails as crashed with the evidence (signal, stack trace, "
          "last output), which `jobring status` and the log show as well."),
      key("on_client_death", &PoolConfig::on_client_death,
          choice<OnClientDeath>({{"kill", OnClientDeath::kill}, {"finish", OnClientDeath::finish}}),
          "What happens to the running jobs of a client that dies; those that wait are cancelled."),
      key("strays", &PoolConfig::strays,
          choice<Strays>({{"kill", Strays::kill}, {"keep", Strays::keep}}),
          "What happens to processes that a job started and left running when it ended, daemons "
          "that left its process group and session included: they are killed, or kept until their "
          "worker ends. Those of a job that was stopped or timed out, or whose worker died, are "
          "always killed."),
      key("run_as", &PoolConfig::run_as,
          choice<RunAs>({{"client", RunAs::client}, {"daemon", RunAs::daemon}}),
          "As whom commands run when the daemon is root: as the user who submitted them, or as "
          "root."),
      key("rate", &PoolConfig::rate, whole_number(0, 1'000'000, 100),
          "Durable jobs that are started in this pool in a second; 0: no limit. Attached jobs are "
          "not counted."),
  };
  return keys;
}

std::string pool_name_problem(const std::string& name) {
  if (name.starts_with('@')) return "names that start with '@' belong to jobring's own pools";
  if (name.starts_with('-')) return "a name that starts with '-' looks like an option";
  bool good = !name.empty() && name.size() <= kPoolNameMax;
  for (const char c : name) {
    good = good && ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                    c == '_' || c == '.' || c == '-');
  }
  return good ? ""
              : "a name has 1 to " + std::to_string(kPoolNameMax) +
                    " of the characters A-Z a-z 0-9 _ . -";
}

}  // namespace jobring
