// What survives of the registry: objects and their contents, answers, counters of identities.
//
// Every change goes through one of the functions below, which changes the heap and writes down an
// effect. The effects of one commit are one record of the journal, so they survive all or none.
// apply() does the same from a record. It never trusts what it reads: damage ends in `false`.
//
// If you change an effect (store.cpp), increment the journal's version.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "daemon/registry/object.hpp"

namespace jobring::registry {

class Store {
 public:
  struct Taken {
    std::string value;
    bool redelivered = false;
  };
  // A key that expires: when, where, which.
  using Expiry = std::tuple<std::int64_t, Object*, std::string_view>;

  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  Object* find(std::string_view name);
  Object* find_id(std::uint64_t id);
  Session* find_session(std::uint64_t id);
  Session& session(std::uint64_t id, std::uint32_t uid);  // made if it is new
  Usage& usage(std::uint32_t uid) { return usage_[uid]; }
  const std::map<std::uint64_t, std::unique_ptr<Object>>& objects() const { return objects_; }
  const std::unordered_map<std::uint64_t, Session>& sessions() const { return sessions_; }
  std::uint64_t bytes() const { return bytes_; }
  const std::set<Expiry>& expiries() const { return expiries_; }

  Object& create(Definition def);  // its id is given here
  void remove(Object& object);
  void set_access(Object& object, std::uint32_t uid, std::uint32_t gid, std::uint16_t mode);
  void use(Object& object, Session& session);
  void set_event(Object& object, bool set);
  void set_permits(Object& object, std::int64_t permits);
  void set_counter(Object& object, std::int64_t value);
  void list_insert(Object& object, std::uint64_t index, std::string_view value);
  void list_set(Object& object, std::uint64_t index, std::string_view value);
  void list_erase(Object& object, std::uint64_t index);
  void list_clear(Object& object);
  DictEntry& dict_set(Object& object, std::string_view key, std::string_view value,
                      std::int64_t expires_ns);
  void dict_erase(Object& object, std::string_view key);
  void dict_clear(Object& object);
  void queue_put(Object& object, std::int64_t priority, std::string_view value);
  // The next item. token 0: it counts as taken by the session; else it is leased under the token.
  Taken queue_take(Object& object, Session& session, std::uint64_t token);
  void queue_finish_lease(Object& object, std::uint64_t token);
  void queue_return_lease(Object& object, std::uint64_t token);
  void queue_finish(Object& object, Session& session, std::int64_t count);
  void queue_clear(Object& object);
  void answer(Session& session, std::uint32_t slot, std::uint64_t generation,
              const RegistryReply& reply);
  void end_session(Session& session);  // forgets its answers and uses, and the session
  void reserve_tokens(std::uint64_t up_to);
  std::uint64_t tokens() const { return tokens_; }

  // What was written down since the last commit.
  std::string& log() { return log_; }

  // One record of effects; false: it makes no sense.
  bool apply(std::string_view body);
  // After the last record.
  void applied();
  // The whole state as records for apply() on an empty store. `sink` returns false to stop.
  bool snapshot(const std::function<bool(std::string_view body)>& sink);

 private:
  struct Effects;
  void charge(Object& object, std::int64_t bytes);
  void charge(Session& session, std::int64_t bytes);
  void known(Session& session);
  void write_entry(DictData& dict, Object& object, std::string_view key, std::string_view value,
                   std::uint64_t version, std::uint64_t inserted, std::int64_t expires_ns);
  void forget_entry(DictData& dict, Object& object, std::string_view key, std::uint64_t version);
  static ItemPlace next_place(Object& object);

  std::map<std::uint64_t, std::unique_ptr<Object>> objects_;
  std::unordered_map<std::string_view, Object*> names_;  // keys are views of def.name
  std::unordered_map<std::uint64_t, Session> sessions_;
  std::unordered_map<std::uint32_t, Usage> usage_;
  std::set<Expiry> expiries_;
  std::uint64_t bytes_ = 0;
  std::uint64_t next_object_ = 1;
  std::uint64_t tokens_ = 0;  // given out or reserved up to here
  std::string log_;
};

}  // namespace jobring::registry
