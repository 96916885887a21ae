// Who may have kept channels, and whose rights they give.
#include <doctest/doctest.h>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "common/exec_codec.hpp"
#include "tests/keeper_channels/lent_keeper.hpp"

using namespace jobring;
using namespace jobring::test;

TEST_CASE("only the keeper may ask for kept channels") {
  KeeperHouse house;
  house.start_keeper();
  ConnectOptions options;
  options.daemon = ConnectOptions::Daemon::existing;
  options.socket = house.daemon().socket();
  auto core = detail::connect_core(options);
  REQUIRE(core.ok());
  const auto kept = open_kept(*core, "default", getuid(), getgid());
  REQUIRE(!kept.ok());
  CHECK(kept.error().line().find("only the keeper") != std::string::npos);
  CHECK(eventually([&] { return !(*core)->check_connection(); }));
}

TEST_CASE("kept channels are shown as such and count for no client and no user") {
  KeeperHouse house(KeeperHouse::noting_pool(1, R"(, "max_channels": 1)"));
  house.start_keeper();
  auto core = house.borrow();
  std::vector<KeptChannel> channels;
  for (uid_t uid = 5000; uid < 5030; ++uid) {
    auto kept = open_kept(core, "default", uid, uid);
    REQUIRE(kept.ok());
    channels.push_back(std::move(*kept));
  }
  Client client = house.daemon().connect();
  const Channel own = client.channel("default");
  const auto status = nlohmann::json::parse(client.status_json());
  std::size_t kept = 0;
  for (const auto& channel : status["pools"][0]["channels"]) {
    if (channel["kept"]) {
      ++kept;
      CHECK(channel["client"] == "keeper");
      CHECK(channel["uid"] >= 5000);
    }
  }
  CHECK(kept == 30);
  CHECK(status["pools"][0]["channels"].size() == 31);
}

TEST_CASE("a command in a kept channel runs as its user") {
  if (geteuid() != 0) return;  // nobody else can become another user
  KeeperHouse house;
  house.start_keeper();
  auto core = house.borrow();
  auto kept = open_kept(core, "default", 65534, 65534);
  REQUIRE(kept.ok());
  Command command;
  command.argv = {"id", "-u"};
  const std::string payload = encode(command);
  REQUIRE(kept->channel.prepare(kept->channel.handler("exec"), payload, 0));
  kept->channel.submit();
  REQUIRE(kept->channel.wait(std::chrono::seconds(10)));
  const auto done = kept->channel.reap();
  REQUIRE(done.size() == 1);
  CHECK(done[0].outcome == Outcome::ok);
  const std::string result(reinterpret_cast<const char*>(done[0].result.data()),
                           done[0].result.size());
  CHECK(result.ends_with("65534\n"));
}

TEST_CASE("an attached job and a kept channel do not see each other") {
  LentChannel lent;
  KeeperHouse& house = lent.house;
  KeptChannel& kept = lent.kept;
  JobOptions options;
  options.tag = "7.1";
  REQUIRE(kept.channel.prepare(kept.channel.handler("note"), house.payload("7"), 0, options));
  kept.channel.submit();
  {
    Client client = house.daemon().connect();
    Channel own = client.channel("default");
    REQUIRE(own.prepare(own.handler("note"), house.payload("8"), 8));
    own.submit();
    REQUIRE(own.wait(std::chrono::seconds(10)));
    CHECK(own.reap().size() == 1);
  }
  REQUIRE(kept.channel.wait(std::chrono::seconds(10)));
  CHECK(kept.channel.reap().size() == 1);
}
