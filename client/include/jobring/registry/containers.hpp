// Dict, List and Counter: shared state by name. It survives the registry's death; each acknowledged
// change is there exactly once.
//
//     jobring::Dict dict(registry, "hits");
//     dict.increment("/index.html");
//     std::uint64_t version = dict.version();
//     for (auto& [key, value] : dict.items()) use(key, value);
//     auto changes = dict.watch(version, 10s);           // what changed after that version
//     if (changes) for (auto& c : changes->changed) use(c.key, c.value);
#pragma once

#include <utility>

#include <jobring/registry/base.hpp>

namespace jobring {

struct DictChange {
  std::string key;
  std::optional<std::string> value;  // nullopt: it went
  std::uint64_t version = 0;
};
struct DictChanges {
  std::uint64_t version = 0;  // to watch from next
  bool compacted = false;     // some changes are forgotten: read the whole dict
  std::vector<DictChange> changed;
};
// One step of update(): set, or erase if there is no value.
struct DictUpdate {
  std::string key;
  std::optional<std::string> value;
};

// Keys of up to 1,024 bytes, values up to the config's value_max. Times to live: 0 is for ever.
class Dict : public NamedObject {
 public:
  using Ttl = std::chrono::nanoseconds;
  Dict(const Registry& registry, std::string_view name, const ObjectOptions& options = {});

  std::optional<std::string> get(std::string_view key);
  Pending<std::optional<std::string>> start_get(std::string_view key);
  void set(std::string_view key, std::string_view value, Ttl ttl = Ttl(0));
  Pending<void> start_set(std::string_view key, std::string_view value, Ttl ttl = Ttl(0));
  // True if it was set; else nothing changes and `present`, if given, is what is there.
  bool set_if_absent(std::string_view key, std::string_view value, Ttl ttl = Ttl(0),
                     std::string* present = nullptr);
  bool erase(std::string_view key);  // false: it was not there
  std::optional<std::string> pop(std::string_view key);
  // Decimal text; a missing key counts as 0. The sum. Throws ObjectError "not_a_number".
  std::int64_t increment(std::string_view key, std::int64_t by = 1, Ttl ttl = Ttl(0));
  Pending<std::int64_t> start_increment(std::string_view key, std::int64_t by = 1,
                                        Ttl ttl = Ttl(0));
  // nullopt: no such key. True if it was as expected and now is as desired.
  bool compare_and_set(std::string_view key, std::optional<std::string_view> expected,
                       std::optional<std::string_view> desired, Ttl ttl = Ttl(0));
  // All or nothing. The dict's version after it.
  std::uint64_t update(const std::vector<DictUpdate>& batch, Ttl ttl = Ttl(0));
  // The same, if the dict's version still is `version`; else false.
  bool update_if(std::uint64_t version, const std::vector<DictUpdate>& batch, Ttl ttl = Ttl(0));
  void clear();
  bool expire(std::string_view key, Ttl ttl);  // from now; false: it is not there

  // In the order in which the keys came. A dict that changes meanwhile is read in parts of about
  // reply_max: each is of one moment.
  std::vector<std::string> keys();
  std::vector<std::pair<std::string, std::string>> items();
  std::int64_t size();
  std::uint64_t version();

  // Waits until something has changed after `version`, of one key or of any. nullopt: nothing did
  // until the time was over. Several changes of one key may be told as one; none is missed.
  std::optional<DictChanges> watch(std::uint64_t version, std::chrono::nanoseconds timeout);
  std::optional<DictChanges> watch_key(std::string_view key, std::uint64_t version,
                                       std::chrono::nanoseconds timeout);
  Pending<std::optional<DictChanges>> start_watch(std::uint64_t version,
                                                  std::chrono::nanoseconds timeout = kForever);
  Pending<std::optional<DictChanges>> start_watch_key(std::string_view key, std::uint64_t version,
                                                      std::chrono::nanoseconds timeout = kForever);
};

// Indices below 0 count from the end. Throws ObjectRange.
class List : public NamedObject {
 public:
  List(const Registry& registry, std::string_view name, const ObjectOptions& options = {});

  std::int64_t append(std::string_view value);  // the length
  Pending<std::int64_t> start_append(std::string_view value);
  std::int64_t extend(const std::vector<std::string>& values);
  void insert(std::int64_t index, std::string_view value);
  std::string pop(std::int64_t index = -1);
  std::string get(std::int64_t index);
  void set(std::int64_t index, std::string_view value);
  std::int64_t size();
  // From `begin` to before `end`, which may lie beyond the ends.
  std::vector<std::string> slice(std::int64_t begin, std::int64_t end);
  std::vector<std::string> all();
  std::optional<std::int64_t> index(std::string_view value);
  bool erase(std::string_view value);  // the first that is equal
  void clear();
};

// 64 bits. Throws ObjectRange on overflow.
class Counter : public NamedObject {
 public:
  Counter(const Registry& registry, std::string_view name, const ObjectOptions& options = {});

  std::int64_t add(std::int64_t by = 1);  // the sum
  Pending<std::int64_t> start_add(std::int64_t by = 1);
  void set(std::int64_t value);
  std::int64_t get();
  // `present`, if given, is what it was.
  bool compare_and_set(std::int64_t expected, std::int64_t desired,
                       std::int64_t* present = nullptr);
};

}  // namespace jobring
