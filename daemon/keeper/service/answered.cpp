// The record: for each answer session, slot, generation, and its bytes; numbers as packer.hpp has
// them.
#include "daemon/keeper/service/answered.hpp"

#include "common/keeper/packer.hpp"

namespace jobring::keeper {
namespace {

void put(std::string& to, const Answered::Name& name, std::string_view answer) {
  Packer p(to);
  p.number(std::get<0>(name));
  p.number(std::get<1>(name));
  p.number(std::get<2>(name));
  p.text(answer);
}

}  // namespace

Result<void> Answered::load(Store& store) {
  const auto kept = store.remembered();
  if (!kept) return kept.error();
  Unpacker u(*kept);
  while (!u.at_end()) {
    const std::uint64_t session = u.number();
    const auto slot = std::uint32_t(u.number());
    const std::uint64_t generation = u.number();
    const std::string_view answer = u.text();
    if (!u.ok()) break;
    earlier_[{session, slot, generation}] = answer;
  }
  carried_ = earlier_.empty();
  return {};
}

const std::string* Answered::find(const Caller& caller) const {
  const auto found = earlier_.find(name_of(caller));
  return found == earlier_.end() ? nullptr : &found->second;
}

void Answered::add(const Caller& caller, std::string_view answer) {
  put(bytes_, name_of(caller), answer);
}

void Answered::keep(Store& store) {
  if (bytes_.empty() && carried_) return;
  for (const auto& [name, answer] : earlier_) put(bytes_, name, answer);
  store.remember(bytes_, earlier_.empty() ? Store::Until::next_turn : Store::Until::replaced);
  bytes_.clear();
}

}  // namespace jobring::keeper
