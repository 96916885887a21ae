// The one table of config keys. Parsing, --print-config, config.example.json and docs/config.md all
// walk it, so a key that is added here is added everywhere.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/config/config.hpp"
#include "common/config/config_values.hpp"

namespace jobring {

inline constexpr std::size_t kPoolsMax = 64;
inline constexpr std::size_t kPoolNameMax = 32;     // bytes
inline constexpr std::size_t kSocketPathMax = 107;  // bytes, what sockaddr_un holds

// A key of an object whose settings are kept in an Owner.
template <class Owner>
struct Key {
  enum class Kind {
    value,
    section,  // an object with the keys `keys`
    pools,    // an object of pools by name, with the keys pool_keys()
  };

  Kind kind = Kind::value;
  std::string name;
  std::string type;
  std::string range;    // type or range may be empty, not both
  std::string meaning;  // sentences
  std::string example;  // JSON, shown where the default says little; may be empty

  // Reading, of a value only, reports problems to the place and leaves the owner alone then. The
  // default is that of Owner{}.
  std::function<void(const JsonValue&, Owner&, const Place&)> read;
  std::function<std::string(const Owner&)> write;  // as JSON; none for a section

  std::vector<Key> keys;  // of a section

  std::string default_value() const { return write(Owner{}); }
};

// The keys of the whole file and those of one pool, in the order in which they are printed.
const std::vector<Key<Config>>& daemon_keys();
const std::vector<Key<PoolConfig>>& pool_keys();

// Why a pool may not be called so; empty if it may.
std::string pool_name_problem(const std::string& name);

}  // namespace jobring
