// Kept channels over which somebody has written: workers run the code of users.
#include <doctest/doctest.h>

#include <unistd.h>

#include <random>

#include "tests/keeper_channels/lent_keeper.hpp"
#include "tests/support/scribble.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

void submit_some(KeeperHouse& house, KeptChannel& kept) {
  const HandlerId handler = kept.channel.handler("note");
  for (int id = 1; id <= 20; ++id) {
    JobOptions options;
    options.tag = std::to_string(id) + ".1";
    if (!kept.channel.prepare(handler, house.payload(std::to_string(id)), 0, options)) break;
  }
  kept.channel.submit();
}

// As soon as one is to be had: nothing of the old one may run any more.
std::optional<KeptChannel> open_fresh(const std::shared_ptr<detail::ClientCore>& core) {
  std::optional<KeptChannel> fresh;
  eventually([&] {
    auto kept = open_kept(core, "default", getuid(), getgid());
    if (!kept) return false;
    if (!kept->fresh) {
      kept->close();
      return false;
    }
    fresh.emplace(std::move(*kept));
    return true;
  });
  return fresh;
}

void works(KeeperHouse& house, KeptChannel& kept) {
  submit_some(house, kept);
  std::size_t ended = 0;
  CHECK(eventually([&] {
    for (const Completion& done : kept.channel.reap()) {
      CHECK(done.outcome == Outcome::ok);
      ++ended;
    }
    return ended == 20;
  }));
}

}  // namespace

TEST_CASE("whatever stands in a kept channel the next keeper gets its sense or a fresh one") {
  const std::uint64_t seed = seed_of_test();
  INFO("seed ", seed, "; set JOBRING_SEED to replay");
  std::mt19937_64 random(seed);
  KeeperHouse house;
  house.start_keeper();
  auto core = house.borrow();
  int refused = 0;
  for (int round = 0; round < 30; ++round) {
    {
      auto kept = open_fresh(core);
      REQUIRE(kept);
      submit_some(house, *kept);
      const ChannelShape shape = kept->impl->shape();
      unsigned char* base = channel_memory();
      REQUIRE(base != nullptr);
      const ChannelView view(base, shape);
      std::vector<std::uint8_t> text(256);
      for (auto& byte : text) byte = std::uint8_t(random());
      Bytes bytes(text);
      while (!bytes.empty()) scribble(view, base, ChannelLayout(shape).total, bytes);
    }
    core.reset();
    house.kill_keeper();
    core = house.borrow();
    auto again = open_kept(core, "default", getuid(), getgid());
    if (!again) {
      CHECK((again.error().code == Errc::protocol || again.error().code == Errc::full));
      ++refused;
      continue;
    }
    // As far as it makes sense it is used.
    for (const AdoptedJob& job : again->adopted) {
      again->channel.cancel(job.job);
      again->channel.progress(job.job);
      again->channel.kill(job.job);
    }
    for (int i = 0; i < 10; ++i) again->channel.reap();
    again->close();
  }
  CHECK(refused > 0);
  auto fresh = open_fresh(core);
  REQUIRE(fresh);
  works(house, *fresh);
}

TEST_CASE("a kept channel that a worker finds broken is closed and opened fresh") {
  KeeperHouse house;
  house.start_keeper();
  auto core = house.borrow();
  auto kept = open_fresh(core);
  REQUIRE(kept);
  CHECK(!kept->broken());
  unsigned char* base = channel_memory();
  const ChannelView view(base, kept->impl->shape());
  CHECK(eventually([&] {
    try {
      submit_some(house, *kept);
    } catch (const Exception&) {  // it was closed meanwhile
    }
    view.header().submission[1].tail.store(1'000'000, std::memory_order_seq_cst);
    return kept->broken();
  }));
  CHECK(!kept->takes_jobs());
  CHECK(core->check_connection());  // the keeper itself is not to blame
  kept->close();
  kept.reset();
  auto fresh = open_fresh(core);
  REQUIRE(fresh);
  works(house, *fresh);
}
