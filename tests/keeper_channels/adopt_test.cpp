// What a keeper finds in the channels that the one before has left.
#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <map>

#include "tests/keeper_channels/lent_keeper.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

JobRef submit(KeeperHouse& house, KeptChannel& kept, const std::string& id,
              const std::string& hold = "") {
  JobOptions options;
  options.tag = id + ".1";
  JobRef ref;
  REQUIRE(kept.channel.prepare(kept.channel.handler("note"), house.payload(id, hold), 0, options,
                               &ref));
  kept.channel.submit();
  return ref;
}

const AdoptedJob* find(const KeptChannel& kept, const std::string& tag) {
  const auto found = std::find_if(kept.adopted.begin(), kept.adopted.end(),
                                  [&](const AdoptedJob& job) { return job.tag == tag; });
  return found == kept.adopted.end() ? nullptr : &*found;
}

// Completions by slot, until `count` are there.
std::map<std::uint32_t, std::pair<Outcome, std::string>> reap(KeptChannel& kept,
                                                              std::size_t count) {
  std::map<std::uint32_t, std::pair<Outcome, std::string>> all;
  const bool came = eventually([&] {
    for (const Completion& done : kept.channel.reap()) {
      CHECK(all.find(done.slot) == all.end());
      all[done.slot] = {done.outcome,
                        {reinterpret_cast<const char*>(done.result.data()), done.result.size()}};
    }
    return all.size() >= count;
  });
  CHECK(came);
  return all;
}

}  // namespace

TEST_CASE("the next keeper finds jobs that wait or run or have ended") {
  KeeperHouse house(KeeperHouse::noting_pool(1));
  house.start_keeper();
  auto core = house.borrow();
  CHECK(house.told() == "1 pools");
  auto first = std::make_unique<KeptChannel>(open_ours(core));
  CHECK(first->fresh);
  const JobRef ended = submit(house, *first, "1");
  REQUIRE(eventually([&] { return first->channel.wait(std::chrono::milliseconds(10)); }));
  const JobRef running = submit(house, *first, "2", "go on");
  REQUIRE(eventually([&] { return house.notes() == "1\n2\n"; }));
  const JobRef waiting = submit(house, *first, "3");

  house.kill_keeper();
  first.reset();
  core.reset();
  core = house.borrow();
  CHECK(house.told() ==
        "1 pools,default:" + std::to_string(getuid()) + ":" + std::to_string(getgid()));
  KeptChannel second = open_ours(core);
  CHECK(!second.fresh);
  REQUIRE(second.adopted.size() == 3);
  CHECK(second.channel.outstanding() == 3);
  REQUIRE(find(second, "1.1") != nullptr);
  CHECK(find(second, "1.1")->state == AdoptedJob::State::done);
  CHECK(find(second, "1.1")->job.slot == ended.slot);
  REQUIRE(find(second, "2.1") != nullptr);
  CHECK(find(second, "2.1")->state == AdoptedJob::State::running);
  CHECK(find(second, "2.1")->job.generation == running.generation);
  REQUIRE(find(second, "3.1") != nullptr);
  CHECK(find(second, "3.1")->state == AdoptedJob::State::queued);
  CHECK(find(second, "3.1")->job.generation == waiting.generation);

  write_file(house.file("go on"), "");
  const auto all = reap(second, 3);
  CHECK(all.at(ended.slot).second == "noted 1");
  CHECK(all.at(running.slot).second == "noted 2");
  CHECK(all.at(waiting.slot).second == "noted 3");
  CHECK(house.notes() == "1\n2\n3\n");
  // And it is a channel like any other.
  submit(house, second, "4");
  CHECK(reap(second, 1).begin()->second.second == "noted 4");
}

TEST_CASE("workers go on with what waits while there is no keeper") {
  KeeperHouse house;
  house.start_keeper();
  auto core = house.borrow();
  auto first = std::make_unique<KeptChannel>(open_ours(core));
  for (int id = 1; id <= 50; ++id) submit(house, *first, std::to_string(id));
  house.kill_keeper();
  first.reset();
  core.reset();
  CHECK(eventually([&] {
    const std::string notes = house.notes();
    return std::count(notes.begin(), notes.end(), '\n') == 50;
  }));
  core = house.borrow();
  KeptChannel second = open_ours(core);
  CHECK(second.adopted.size() == 50);
  CHECK(reap(second, 50).size() == 50);
}

TEST_CASE("a job that was put into a slot and not published is withdrawn") {
  KeeperHouse house;
  house.start_keeper();
  auto core = house.borrow();
  auto first = std::make_unique<KeptChannel>(open_ours(core));
  JobOptions options;
  options.tag = "1.1";
  REQUIRE(first->channel.prepare(first->channel.handler("note"), house.payload("1"), 0, options));
  house.kill_keeper();
  first.reset();
  core.reset();
  core = house.borrow();
  KeptChannel second = open_ours(core);
  CHECK(second.adopted.empty());
  CHECK(second.channel.outstanding() == 0);
  submit(house, second, "2");
  CHECK(reap(second, 1).begin()->second.second == "noted 2");
  CHECK(house.notes() == "2\n");
}

TEST_CASE("an ending that the keeper had seen and not given back comes again") {
  KeeperHouse house;
  house.start_keeper();
  auto core = house.borrow();
  auto first = std::make_unique<KeptChannel>(open_ours(core));
  const JobRef job = submit(house, *first, "1");
  REQUIRE(first->channel.wait(std::chrono::seconds(10)));
  REQUIRE(first->channel.reap().size() == 1);
  house.kill_keeper();
  first.reset();
  core.reset();
  core = house.borrow();
  KeptChannel second = open_ours(core);
  REQUIRE(second.adopted.size() == 1);
  CHECK(second.adopted[0].state == AdoptedJob::State::done);
  CHECK(reap(second, 1).at(job.slot).second == "noted 1");
  CHECK(second.channel.reap().empty());
  CHECK(second.channel.outstanding() == 0);
  // Its slot is used again.
  for (int id = 2; id < 20; ++id) {
    submit(house, second, std::to_string(id));
    CHECK(reap(second, 1).begin()->second.second == "noted " + std::to_string(id));
  }
}

TEST_CASE("a job that was published runs although the keeper died before it told anybody") {
  KeeperHouse house;
  house.start_keeper();
  auto core = house.borrow();
  auto first = std::make_unique<KeptChannel>(open_ours(core));
  JobOptions options;
  options.tag = "1.1";
  REQUIRE(first->channel.prepare(first->channel.handler("note"), house.payload("1"), 0, options));
  // S1 of doorbell.hpp, and no further.
  const ChannelView view(channel_memory(), first->impl->shape());
  auto& tail = view.header().submission[std::size_t(options.priority)].tail;
  tail.store(tail.load() + 1);
  house.kill_keeper();
  first.reset();
  core.reset();
  CHECK(eventually([&] { return house.notes() == "1\n"; }));
  core = house.borrow();
  KeptChannel second = open_ours(core);
  REQUIRE(second.adopted.size() == 1);
  CHECK(reap(second, 1).begin()->second.second == "noted 1");
}

TEST_CASE("an adopted job can be withdrawn or killed") {
  KeeperHouse house(KeeperHouse::noting_pool(1));
  house.start_keeper();
  auto core = house.borrow();
  auto first = std::make_unique<KeptChannel>(open_ours(core));
  submit(house, *first, "1", "never");
  REQUIRE(eventually([&] { return house.notes() == "1\n"; }));
  submit(house, *first, "2");
  house.kill_keeper();
  first.reset();
  core.reset();
  core = house.borrow();
  KeptChannel second = open_ours(core);
  REQUIRE(second.adopted.size() == 2);
  const JobRef running = find(second, "1.1")->job, waiting = find(second, "2.1")->job;
  CHECK(second.channel.cancel(waiting));
  CHECK(!second.channel.cancel(running));
  second.channel.kill(running);
  const auto all = reap(second, 2);
  CHECK(all.at(waiting.slot).first == Outcome::cancelled);
  CHECK(all.at(running.slot).second == "noted 1");  // it saw that it was to stop
  CHECK(house.notes() == "1\n");
}

TEST_CASE("a channel that its keeper has closed is fresh when it is opened again") {
  KeeperHouse house;
  house.start_keeper();
  auto core = house.borrow();
  auto first = std::make_unique<KeptChannel>(open_ours(core));
  submit(house, *first, "1", "never");
  REQUIRE(eventually([&] { return house.notes() == "1\n"; }));
  first->close();
  first.reset();
  // The job that ran there is stopped; not before it has ended there is another channel.
  std::optional<KeptChannel> second;
  CHECK(eventually([&] {
    auto kept = open_kept(core, "default", getuid(), getgid());
    if (!kept) {
      CHECK(kept.error().code == Errc::full);
      return false;
    }
    second.emplace(std::move(*kept));
    return true;
  }));
  REQUIRE(second);
  CHECK(second->fresh);
  CHECK(second->adopted.empty());
  submit(house, *second, "2");
  CHECK(reap(*second, 1).begin()->second.second == "noted 2");
}
