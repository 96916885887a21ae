// SIGKILL of the keeper, again and again, while it hands out jobs.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <sstream>
#include <thread>

#include "tests/keeper_channels/lent_keeper.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;

TEST_CASE("however often the keeper is killed no job is lost and none runs twice") {
  const std::uint64_t seed = seed_of_test();
  INFO("seed ", seed, "; set JOBRING_SEED to replay");
  std::mt19937_64 random(seed);
  constexpr int kKills = 25;
  KeeperHouse house(KeeperHouse::noting_pool(2), "feed");
  house.start_keeper();
  for (int kills = 0; kills < kKills;) {
    // Some jobs further on, and then anywhere.
    const std::size_t before = house.notes().size(), more = random() % 500;
    REQUIRE(eventually([&] { return house.notes().size() > before + more; }));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
    if (const pid_t pid = house.keeper(); pid != 0 && ::kill(pid, SIGKILL) == 0) ++kills;
  }
  write_file(house.state("enough"), "");
  std::size_t jobs = 0;
  REQUIRE(eventually(
      [&] {
        const std::string record = read_file(house.state("record"));
        const std::size_t at = record.find("all ");
        if (at == std::string::npos || !record.ends_with('\n')) return false;
        jobs = std::stoul(record.substr(at + 4));
        return true;
      },
      std::chrono::seconds(60)));
  std::vector<int> ran(jobs + 1), ended(jobs + 1);
  std::istringstream notes(house.notes());
  for (int id; notes >> id;) ++ran.at(std::size_t(id));
  std::istringstream record(read_file(house.state("record")));
  std::string word;
  for (int id; record >> word >> id;) {
    CHECK(word != "failed");
    if (word == "end") ++ended.at(std::size_t(id));
  }
  for (std::size_t id = 1; id <= jobs; ++id) {
    INFO("job ", id);
    CHECK(ran[id] == 1);
    CHECK(ended[id] == 1);
  }
}
