// What was answered in the turn that was kept last, kept with it: if its keeper dies between the
// commit and the answers, the requests come again, and are answered alike.
//
// Answers are given right after the commit, before the next turn: so only those of one turn can be
// wanted, and one record, written anew by each turn that answers something, is enough. Those of an
// earlier life that nobody has asked for yet go along, for a while: the requests of a dead keeper
// come a few thousand at a time. So the first turn of a life writes them even if it answers
// nothing.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "daemon/keeper/service/pools.hpp"
#include "daemon/keeper/store.hpp"

namespace jobring::keeper {

class Answered {
 public:
  // Of a request: session, slot, generation.
  using Name = std::tuple<std::uint64_t, std::uint32_t, std::uint64_t>;

  // At the start.
  Result<void> load(Store& store);
  // What a former keeper answered to it; nothing: it was not done.
  const std::string* find(const Caller& caller) const;
  bool empty() const { return earlier_.empty(); }
  // It has been answered again; and nobody will ask any more.
  void forget(const Caller& caller) { earlier_.erase(name_of(caller)); }
  void forget_all() { earlier_.clear(); }

  // In a turn: what it answers; after its submissions; and that it was kept.
  void add(const Caller& caller, std::string_view answer);
  void keep(Store& store);
  // Of a turn in which something is kept that was safe before.
  Durability level() const { return carried_ ? Durability::none : Durability::synced; }
  void kept() { carried_ = true; }

 private:
  // No slot has the number of a request with a key.
  static Name name_of(const Caller& caller) {
    if (caller.key != 0) return {caller.key, ~std::uint32_t{0}, caller.uid};
    return {caller.session, caller.slot, caller.generation};
  }
  std::map<Name, std::string> earlier_;
  bool carried_ = true;  // the store will not forget the earlier ones with the next turn
  std::string bytes_;    // of this turn
};

}  // namespace jobring::keeper
