// From the text of a config file to Config: walks the file along the table of keys and collects
// every problem.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <type_traits>

#include "common/config/config_schema.hpp"
#include "common/config/json_tree.hpp"
#include "common/config/suggest.hpp"
#include "common/config/units.hpp"
#include "common/limits.hpp"
#include "common/unique_fd.hpp"

namespace jobring {
namespace {

// ---- keys that nobody knows

// The pointers of all keys called `name`, in sections and pools: a key may just stand in the wrong
// object.
template <class Owner>
void find_key(const std::string& name, const std::vector<Key<Owner>>& keys,
              const std::string& pointer, std::vector<std::string>& found) {
  for (const Key<Owner>& key : keys) {
    if (key.name == name) found.push_back(pointer + "/" + name);
    find_key(name, key.keys, pointer + "/" + key.name, found);
  }
}

template <class Owner>
std::string instead_of(const std::string& name, const std::vector<Key<Owner>>& keys) {
  std::vector<std::string> elsewhere;
  find_key(name, daemon_keys(), "", elsewhere);
  find_key(name, pool_keys(), "/pools/NAME", elsewhere);
  if (!elsewhere.empty()) return json_quote(name) + " at " + elsewhere.front();
  std::vector<std::string> known;
  for (const Key<Owner>& key : keys) known.push_back(key.name);
  const std::string near = nearest(name, known);
  if (!near.empty()) return json_quote(near) + " (the nearest known key)";
  std::string list;
  for (const std::string& key : known) list += (list.empty() ? "the keys " : ", ") + key;
  return list;
}

// ---- the walk

void read_pools(const JsonValue& json, Config& config, const Place& place);

template <class Owner>
void read_object(const JsonValue& json, const std::vector<Key<Owner>>& keys, Owner& owner,
                 const Place& place) {
  if (!json.is(JsonValue::Kind::object)) {
    place.report(json.describe(), "an object with keys such as " + json_quote(keys.front().name));
    return;
  }
  for (std::size_t i = 0; i < json.items.size(); ++i) {
    const std::string& name = json.keys[i];
    const Place here = place.at(name);
    const auto key =
        std::find_if(keys.begin(), keys.end(), [&](const Key<Owner>& k) { return k.name == name; });
    if (key == keys.end()) {
      here.report("an unknown key", instead_of(name, keys));
      continue;
    }
    switch (key->kind) {
      case Key<Owner>::Kind::value:
        key->read(json.items[i], owner, here);
        break;
      case Key<Owner>::Kind::section:
        read_object(json.items[i], key->keys, owner, here);
        break;
      case Key<Owner>::Kind::pools:
        if constexpr (std::is_same_v<Owner, Config>) read_pools(json.items[i], owner, here);
        break;
    }
  }
}

// What "auto" means depends on the model.
void resolve_auto(PoolConfig& pool) {
  const std::uint32_t processors = usable_processors(kWorkersMax);
  if (pool.workers == 0) pool.workers = pool.model == WorkerModel::process ? processors : 1;
  if (pool.threads == 0) pool.threads = std::min(processors, kWorkersMax / pool.workers);
}

PoolConfig default_pool(const std::string& name) {
  PoolConfig pool;
  pool.name = name;
  resolve_auto(pool);
  return pool;
}

void read_pools(const JsonValue& json, Config& config, const Place& place) {
  const std::string allowed = "an object of 1 to " + std::to_string(kPoolsMax) +
                              " pools by name, such as {\"default\": {}}";
  if (!json.is(JsonValue::Kind::object) || json.items.empty())
    return place.report(json.describe(), allowed);
  if (json.items.size() > kPoolsMax)
    place.report(std::to_string(json.items.size()) + " pools", allowed);
  for (std::size_t i = 0; i < json.items.size(); ++i) {
    const std::string& name = json.keys[i];
    const std::string reason = pool_name_problem(name);
    if (!reason.empty())
      place.at(name).report("the pool name " + json_quote_short(name), "another name: " + reason);
    PoolConfig pool;
    pool.name = name;
    read_object(json.items[i], pool_keys(), pool, place.at(name));
    resolve_auto(pool);
    config.pools.push_back(std::move(pool));
  }
}

// Keys that came twice, anywhere in the file.
void check_repeated(const JsonValue& json, const Place& place) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < json.items.size(); ++i) {
    if (!json.is(JsonValue::Kind::object)) {
      check_repeated(json.items[i], place.at(i));
      continue;
    }
    const Place here = place.at(json.keys[i]);
    if (!seen.insert(json.keys[i]).second)
      here.report("the key more than once", "each key once in an object");
    check_repeated(json.items[i], here);
  }
}

// ---- what must hold between keys

// Only keys that are good themselves are compared: a default in place of a bad value would give
// nonsense.
bool any_problem_at(const std::vector<ConfigProblem>& problems,
                    const std::vector<std::string>& pointers) {
  return std::any_of(problems.begin(), problems.end(), [&](const ConfigProblem& problem) {
    return std::find(pointers.begin(), pointers.end(), problem.pointer) != pointers.end();
  });
}

void check_backoff(const RestartConfig& restart, std::vector<ConfigProblem>& problems) {
  if (restart.backoff_min <= restart.backoff_max) return;
  if (any_problem_at(problems, {"/restart", "/restart/backoff_min", "/restart/backoff_max"}))
    return;
  problems.push_back(
      {"/restart/backoff_min", json_quote(format_duration(restart.backoff_min)),
       "at most backoff_max, which is " + json_quote(format_duration(restart.backoff_max))});
}

// Each lane is a bit among the pool's sleepers and a descriptor in what clients get.
void check_lanes(const PoolConfig& pool, std::vector<ConfigProblem>& problems) {
  if (pool.lanes() <= kWorkersMax) return;
  const std::string pointer = "/pools" + json_pointer_step(pool.name);
  if (any_problem_at(problems, {pointer + "/workers", pointer + "/threads"})) return;
  problems.push_back({pointer + "/threads", std::to_string(pool.threads),
                      "at most " + std::to_string(kWorkersMax) +
                          " threads in all of a pool's processes; \"workers\" is " +
                          std::to_string(pool.workers)});
}

// A worker maps whole channels: with less address space than one takes, none could ever be served.
void check_address_space(const PoolConfig& pool, std::vector<ConfigProblem>& problems) {
  if (!pool.limits.memory) return;
  const std::string pointer = "/pools" + json_pointer_step(pool.name);
  if (any_problem_at(problems,
                     {pointer + "/slots", pointer + "/max_payload", pointer + "/max_result"}))
    return;
  const std::uint64_t channel =
      pool.slots * (pool.max_payload + pool.max_result);  // at most 2^15 x 2^31
  if (*pool.limits.memory > channel) return;
  problems.push_back({pointer + "/limits/memory", json_quote(format_size(*pool.limits.memory)),
                      "more than " + json_quote(format_size(channel)) +
                          ", which is what one channel maps: slots x (max_payload + max_result); "
                          "lower these, or use max_rss"});
}

// ---- paths

void make_absolute(std::string& path, const std::string& directory) {
  if (path.empty() || directory.empty() || path.front() == '/') return;
  path = (std::filesystem::path(directory) / path).lexically_normal().string();
}

void resolve_paths(Config& config, const std::string& directory,
                   std::vector<ConfigProblem>& problems) {
  make_absolute(config.socket, directory);
  if (config.keeper.state_dir.empty()) {
    problems.push_back({"/keeper/state_dir", "\"\"", "a path, or \"auto\""});
  } else if (config.keeper.state_dir != "auto") {
    make_absolute(config.keeper.state_dir, directory);
  }
  if (config.socket.size() > kSocketPathMax) {
    problems.push_back(
        {"/socket",
         json_quote_short(config.socket) + " (" + std::to_string(config.socket.size()) + " bytes)",
         "a path of at most " + std::to_string(kSocketPathMax) +
             " bytes, such as \"/run/jobring/socket\""});
  }
  for (PoolConfig& pool : config.pools) {
    for (std::string& module : pool.modules) make_absolute(module, directory);
    // Without '/' it is looked up in $PATH.
    if (!pool.command.empty() && pool.command.front().find('/') != std::string::npos) {
      make_absolute(pool.command.front(), directory);
    }
  }
}

// ---- the file

ConfigProblem unreadable(int error) {
  return {"", std::string("no readable file (") + std::strerror(error) + ")",
          "a config file; see config.example.json"};
}

}  // namespace

ConfigOutcome parse_config(const std::string& text, const std::string& directory) {
  ConfigOutcome outcome;
  if (text.size() > kConfigFileMax) {
    outcome.problems.push_back(
        {"", "a file of more than " + format_size(kConfigFileMax), "a config file"});
    return outcome;
  }
  JsonOutcome json = parse_json(text);
  outcome.problems = std::move(json.problems);
  if (!outcome.problems.empty()) return outcome;

  Config& config = outcome.config;
  const Place root{"", outcome.problems};
  check_repeated(json.root, root);
  read_object(json.root, daemon_keys(), config, root);
  if (config.pools.empty()) config.pools.push_back(default_pool("default"));
  check_backoff(config.restart, outcome.problems);
  for (const PoolConfig& pool : config.pools) {
    check_lanes(pool, outcome.problems);
    check_address_space(pool, outcome.problems);
  }
  resolve_paths(config, directory, outcome.problems);
  return outcome;
}

ConfigOutcome load_config(const std::string& path) {
  ConfigOutcome outcome;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    outcome.problems.push_back(unreadable(errno));
    return outcome;
  }
  // Bounded whatever it is: a pipe or /dev/zero may be named, too.
  std::string text(kConfigFileMax + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t n = ::read(file.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      outcome.problems.push_back(unreadable(errno));
      return outcome;
    }
    if (n == 0) break;
    size += std::size_t(n);
  }
  text.resize(size);
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) {
    outcome.problems.push_back(unreadable(error.value()));
    return outcome;
  }
  return parse_config(text, absolute.parent_path().string());
}

Config default_config() {
  Config config;
  config.pools.push_back(default_pool("default"));
  return config;
}

}  // namespace jobring
