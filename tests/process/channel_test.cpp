// The fast lane: payloads that are made in place, and how many completions one gets.
#include <doctest/doctest.h>

#include <csignal>
#include <cstring>
#include <map>

#include "tests/support/daemon.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

// All results by their tags.
std::map<std::uint64_t, std::string> take_all(Channel& channel) {
  std::map<std::uint64_t, std::string> results;
  channel.submit();
  while (channel.outstanding() != 0) {
    channel.wait();
    for (const Completion& done : channel.reap()) results[done.tag] = done.text();
  }
  channel.reap();  // gives the slots of the last ones back
  return results;
}

void fill(std::span<std::byte> room, char with, std::size_t size) {
  REQUIRE(room.size() >= size);
  std::memset(room.data(), with, size);
}

}  // namespace

TEST_CASE("a reserved payload is prepared whole or cut short") {
  Daemon daemon;
  Channel channel = daemon.connect().channel();
  const auto echo = channel.handler("echo");
  // What fits into a slot stands elsewhere than what does not.
  for (const std::size_t room : {1, 192, 193, 5000}) {
    for (const std::size_t size : {0, 1, 192, 193, 5000}) {
      if (size > room) continue;
      CAPTURE(room);
      CAPTURE(size);
      REQUIRE(channel.prepare(echo, std::string(192, 'o'), 1));  // the slot's bytes before
      REQUIRE_EQ(take_all(channel)[1], std::string(192, 'o'));
      fill(channel.reserve(room), 'n', size);
      REQUIRE(channel.prepare_reserved(echo, size, 2));
      CHECK_EQ(take_all(channel)[2], std::string(size, 'n'));
    }
  }
}

TEST_CASE("a reservation keeps its room while others are prepared and reaped") {
  Daemon daemon;
  Channel channel = daemon.connect().channel("default", {.slots = 4});
  const auto echo = channel.handler("echo");
  for (std::uint64_t i = 0; i < 3; ++i) REQUIRE(channel.prepare(echo, "early", i));
  channel.submit();
  const auto room = channel.reserve(100);
  fill(room, 'r', 50);
  CHECK_FALSE(channel.prepare(echo, "no slot is left", 9));
  CHECK_EQ(take_all(channel).size(), 3);
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 3; ++i) REQUIRE(channel.prepare(echo, "meanwhile", i));
    CHECK_EQ(take_all(channel)[2], "meanwhile");
  }
  std::memset(room.data() + 50, 'r', 50);
  REQUIRE(channel.prepare_reserved(echo, 100, 7));
  CHECK_EQ(take_all(channel)[7], std::string(100, 'r'));
}

TEST_CASE("a reservation is prepared once and never with more than it has") {
  Daemon daemon;
  Channel channel = daemon.connect().channel("default", {.slots = 2});
  const auto echo = channel.handler("echo");
  CHECK_THROWS_AS(channel.prepare_reserved(echo, 0, 1), Exception);
  fill(channel.reserve(10), 'x', 10);
  CHECK_THROWS_AS(channel.prepare_reserved(echo, 11, 1), Exception);
  Channel moved = std::move(channel);
  CHECK(moved.prepare_reserved(echo, 10, 1));
  CHECK_THROWS_AS(moved.prepare_reserved(echo, 10, 1), Exception);
  CHECK_EQ(take_all(moved)[1], "xxxxxxxxxx");
  // A further one takes the place of the one before: with two slots there is always room.
  for (int i = 0; i < 5; ++i) REQUIRE_EQ(moved.reserve(10).size(), 10);
  CHECK(moved.prepare(echo, "beside it", 2));
  CHECK(moved.prepare_reserved(echo, 0, 3));
  CHECK(moved.reserve(1).empty());
  CHECK_EQ(take_all(moved).size(), 2);
}

TEST_CASE("waiting for more completions than are outstanding ends when all are there") {
  Daemon daemon;
  Channel channel = daemon.connect().channel();
  const auto echo = channel.handler("echo");
  for (const std::uint64_t jobs : {1u, 3u, 300u}) {
    for (std::uint64_t i = 0; i < jobs; ++i) REQUIRE(channel.prepare(echo, "x", i));
    channel.submit();
    std::uint64_t reaped = 0;
    while (reaped < jobs) {
      REQUIRE(channel.wait(std::chrono::seconds(20), 1000));
      reaped += channel.reap().size();
    }
    CHECK_EQ(reaped, jobs);
  }
  CHECK_FALSE(channel.wait(std::chrono::nanoseconds::max(), 1000));
}

TEST_CASE("a reap gives no more completions than it was asked for") {
  Daemon daemon;
  Client client = daemon.connect();
  Channel channel = client.channel();
  const auto echo = channel.handler("echo");
  const auto reap_all = [&](std::size_t jobs) {
    std::size_t reaped = 0;
    while (channel.outstanding() != 0 && reaped <= jobs) {
      channel.wait();
      const std::size_t most = reaped % 5 + 1, count = channel.reap(most).size();
      CHECK(count <= most);
      reaped += count;
    }
    CHECK_EQ(reaped, jobs);
  };
  // Withdrawn before anybody knows of them, and lost with the daemon.
  for (std::uint64_t i = 0; i < 100; ++i) REQUIRE(channel.prepare(echo, "x", i));
  CHECK_EQ(channel.cancel_all(), 100);
  reap_all(100);
  channel.reap();
  for (std::uint64_t i = 0; i < 100; ++i) REQUIRE(channel.prepare(echo, "x", i));
  daemon.signal(SIGKILL);
  while (channel.connected()) channel.arm();
  reap_all(100);
}
