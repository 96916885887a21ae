// A stream of turns that depends on nothing but its seed and what the store holds: played on two
// stores it leaves the same jobs in both. For kills, power cuts and failures.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/keeper/store.hpp"

namespace jobring::test {

using namespace jobring::keeper;

Clock clock_of_turn(std::uint64_t turn);
Durability level_of_turn(std::uint64_t seed, std::uint64_t turn);
// Begins the turn and does what is in it; commit() is left to the caller.
void play(Store& store, std::uint64_t seed, std::uint64_t turn);
// All that is in the store, as text: equal for equal stores.
std::string dump(Store& store);

}  // namespace jobring::test
