// Where tests put themselves between the keeper and its world (tests/durable): each function gets
// what the keeper would use, and returns what it uses instead. jobring-keeper sets none of them.
#pragma once

#include <functional>
#include <memory>

#include "daemon/keeper/service/pools.hpp"
#include "daemon/keeper/store.hpp"

namespace jobring::keeper {

struct Seams {
  std::function<std::unique_ptr<Store>(std::unique_ptr<Store>)> store{};
  std::function<std::unique_ptr<Pools>(Pools&)> pools{};
  std::function<std::unique_ptr<Answers>(Answers&)> answers{};
};

// What jobring-keeper does, from its start to its end; the exit status if it could not start.
int serve(const Seams& seams);

}  // namespace jobring::keeper
