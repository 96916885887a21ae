// The keeper as a service: when it starts and ends, and what it is told.
#include <doctest/doctest.h>

#include <unistd.h>

#include "common/keeper_pool.hpp"
#include "tests/keeper_channels/lent_keeper.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

std::string refusal(const Client& client) {
  try {
    const_cast<Client&>(client).channel(kKeeperPool);
    return "";
  } catch (const Exception& e) {
    return e.what();
  }
}

}  // namespace

TEST_CASE("the keeper starts when somebody asks for it and ends with the daemon") {
  KeeperHouse house;
  CHECK(house.keeper() == 0);
  house.start_keeper();
  CHECK(eventually([&] { return house.keeper() != 0; }));
  auto core = house.borrow();
  house.daemon().signal(SIGTERM);
  CHECK(house.daemon().wait_end() == 0);
  CHECK(access(house.state("told to drain").c_str(), F_OK) == 0);
  CHECK(access(house.state("asked to end").c_str(), F_OK) == 0);
}

TEST_CASE("the keeper starts with the daemon if there is a store") {
  TempDir dir;
  write_file(dir / kKeeperStoreFile, "");
  setenv("JOBRING_KEEPER", program("test_keeper").c_str(), 1);
  const Daemon daemon(R"({"default": {"workers": 1}})",
                      R"(, "keeper": {"state_dir": ")" + dir.path() + "\"}");
  CHECK(eventually(
      [&] { return daemon.connect().status_json().find("\"@keeper\"") != std::string::npos; }));
}

TEST_CASE("a private daemon has durable jobs only if its config says where") {
  setenv("JOBRING_KEEPER", program("test_keeper").c_str(), 1);
  setenv("JOBRING_DAEMON", program("jobringd").c_str(), 1);
  TempDir dir;
  ConnectOptions options;
  options.daemon = ConnectOptions::Daemon::own;
  {
    Client client = Client::connect(options);
    const std::string why = refusal(client);
    CHECK(why.find("durable jobs need a daemon that stays") != std::string::npos);
    CHECK(why.find("jobring start") != std::string::npos);
  }
  write_file(dir / "config.json", R"({"keeper": {"state_dir": "state"}})");
  options.config_file = dir / "config.json";
  Client client = Client::connect(options);
  CHECK(refusal(client) == "");
  CHECK(access((dir / "state").c_str(), F_OK) == 0);
}

TEST_CASE("what keeps the keeper from starting is told in one line") {
  TempDir dir;
  setenv("JOBRING_KEEPER", program("test_keeper").c_str(), 1);
  write_file(dir / "file", "");
  {
    const Daemon daemon(R"({"default": {"workers": 1}})",
                        R"(, "keeper": {"state_dir": ")" + (dir / "file") + "\"}");
    CHECK(refusal(daemon.connect()).find("cannot be started") != std::string::npos);
  }
  const Daemon daemon(R"({"default": {"workers": 1}})", R"(, "keeper": {"enabled": false})");
  CHECK(refusal(daemon.connect()).find("keeps no durable jobs") != std::string::npos);
}
