// Clients that write over all the memory they were given.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>

#include <random>
#include <thread>

#include "common/clock.hpp"
#include "tests/hostile/raw_client.hpp"
#include "tests/hostile/stranger.hpp"
#include "tests/support/scribble.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

// JOBRING_HOSTILE_ROUNDS asks for more than the few that run on every change.
int rounds(int by_default) {
  const char* given = std::getenv("JOBRING_HOSTILE_ROUNDS");
  return given != nullptr ? std::atoi(given) : by_default;
}

void scribble_over(RawChannel& channel, std::mt19937_64& random, int acts) {
  std::array<std::uint8_t, 64> bytes;
  for (int i = 0; i < acts; ++i) {
    for (auto& byte : bytes) byte = std::uint8_t(random());
    Bytes decisions(bytes);
    if (random() % 8 == 0) {
      // The doorbell: bits of channels that there are, and of those that there are not.
      auto& level = channel.doorbell().ready[random() % kPriorities];
      level.words[random() % kReadyWords].fetch_or(std::uint64_t{1} << random() % 64);
    } else {
      scribble(channel.view(), channel.base(), channel.size(), decisions);
    }
    if (random() % 16 == 0) {
      channel.doorbell().set_ready(std::uint32_t(random() % kPriorities),
                                   channel.reply().ready_bit);
      channel.ring_workers();
    }
    if (random() % 32 == 0) std::this_thread::yield();
  }
}

bool open_and_scribble(const std::string& socket, std::uint64_t seed, int rounds) {
  std::mt19937_64 random(seed);
  for (int round = 0; round < rounds; ++round) {
    RawConnection connection(socket);
    RawChannel channel(connection, 1u << random() % 7);
    const std::uint16_t echo = channel.name_handler("echo"), exec = channel.name_handler("exec");
    for (int burst = 0; burst < 20; ++burst) {
      for (int jobs = int(random() % 8); jobs > 0; --jobs) {
        const std::string payload(random() % 300, char(random()));
        channel.submit(random() % 4 == 0 ? exec : echo, payload,
                       std::uint32_t(random() % kPriorities));
      }
      scribble_over(channel, random, 50);
    }
  }
  return true;
}

}  // namespace

TEST_CASE(
    "a client that scribbles over its channel and doorbell harms nobody else, and is thrown out "
    "with a reason") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  OpenDaemon daemon(3);
  GoodClient good(daemon.connect());
  Stranger other(kOtherStranger, [&] {
    ConnectOptions options;
    options.daemon = ConnectOptions::Daemon::existing;
    options.socket = daemon.socket();
    GoodClient neighbour(Client::connect(options));
    for (int i = 0; i < 100; ++i) neighbour.work(20);
    return true;
  });
  Stranger hostile(kStranger, [&] { return open_and_scribble(daemon.socket(), seed, rounds(60)); });
  while (hostile.running()) good.work(20);
  CHECK(hostile.good());
  CHECK(other.good());
  good.work(100);
  daemon.check_unharmed();
  CHECK(count_of(daemon.log(), "(uid 65534) disconnected: ") >= 1);
  CHECK(count_of(daemon.log(), "makes no sense") >= 2);
  CHECK(count_of(daemon.log(), "(uid 65533) disconnected: ") == 0);
  CHECK(count_of(daemon.log(), "(uid 0) disconnected: ") == 0);
}

TEST_CASE("a client whose ring makes no sense learns why before it is cut off") {
  OpenDaemon daemon;
  Stranger hostile(kStranger, [&] {
    RawConnection connection(daemon.socket());
    RawChannel channel(connection, 8);
    channel.view().header().submission[1].tail = 1'000'000;
    channel.doorbell().set_ready(1, channel.reply().ready_bit);
    channel.ring_workers();
    const auto word = connection.receive();
    if (!word) return false;
    const auto* error = std::get_if<ErrorReply>(&word->message);
    return error != nullptr && error->kind == to_string(Errc::protocol) && connection.hung_up();
  });
  CHECK(hostile.good());
  CHECK(daemon.log().find("(uid 65534) disconnected: channel ") != std::string::npos);
  GoodClient(daemon.connect()).work(10);
  daemon.check_unharmed();
}

TEST_CASE("lengths, handlers and names that change while workers read them do no harm") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  OpenDaemon daemon(2, R"(, "max_payload": "64KiB", "max_result": "64KiB")");
  GoodClient good(daemon.connect());
  Stranger hostile(kStranger, [&] {
    RawConnection connection(daemon.socket());
    RawChannel channel(connection, 16);
    const std::uint16_t echo = channel.name_handler("echo");
    std::jthread flipper([&](const std::stop_token& over) {
      std::mt19937_64 random(seed);
      const std::uint32_t most = std::uint32_t(channel.reply().max_payload);
      const std::uint32_t lengths[] = {0, 1, 192, 193, most - 1, most, most + 1, ~0u};
      while (!over.stop_requested()) {
        for (std::uint32_t i = 0; i < channel.reply().slots; ++i) {
          Slot& slot = channel.view().slot(i);
          slot.payload_len.set(lengths[random() % std::size(lengths)]);
          slot.handler.set(std::uint16_t(random() % 8 == 0 ? random() : echo));
          slot.result_len.set(~0u);
        }
        auto& names = channel.view().header().handler_names;
        std::memset(names[1 + random() % (kHandlersMax - 1)], 'x', sizeof names[0]);
      }
    });
    const std::string payload(50'000, 'p');
    const std::uint64_t end = now_ns() + 1'500'000'000;
    while (now_ns() < end) {
      for (int i = 0; i < 16; ++i) channel.submit(echo, payload, 1);
      std::this_thread::sleep_for(1ms);
    }
    return true;
  });
  while (hostile.running()) good.work(20);
  CHECK(hostile.good());
  good.work(50);
  daemon.check_unharmed();
}

TEST_CASE("holes punched into a segment while workers read and write it do no harm") {
  OpenDaemon daemon(2, R"(, "max_payload": "256KiB", "max_result": "256KiB")");
  GoodClient good(daemon.connect());
  Stranger hostile(kStranger, [&] {
    RawConnection connection(daemon.socket());
    RawChannel channel(connection, 16);
    const std::uint16_t echo = channel.name_handler("echo");
    std::atomic<int> failed{0}, punched{0};
    std::jthread puncher([&](const std::stop_token& over) {
      while (!over.stop_requested()) {
        const int result =
            fallocate(channel.fds()[0].get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                      off_t(channel.size()));
        ++(result == 0 ? punched : failed);
        madvise(channel.base(), channel.size(), MADV_REMOVE);
      }
    });
    const std::string payload(200'000, 'p');
    const std::uint64_t end = now_ns() + 1'500'000'000;
    while (now_ns() < end) {
      for (int i = 0; i < 8; ++i) channel.submit(echo, payload, 1);
      std::this_thread::sleep_for(1ms);
    }
    return failed == 0 && punched > 10;
  });
  while (hostile.running()) good.work(20);
  CHECK(hostile.good());
  good.work(50);
  daemon.check_unharmed();
}
