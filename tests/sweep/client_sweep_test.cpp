// A client killed at every instruction of what it does with a channel.
#include <doctest/doctest.h>

#include "tests/sweep/proc.hpp"
#include "tests/sweep/scene.hpp"

using namespace jobring;
using namespace jobring::test;
using Act = Actor::Act;

namespace {

// A fresh client process for every kill; the other two look on.
class ClientActs : public Scene {
 public:
  explicit ClientActs(Act act) : Scene({}), act_(act) {}

  std::unique_ptr<Tracee> begin(unsigned) override {
    actor_ = std::make_unique<Actor>(house_.socket(), act_ != Act::connect);
    tags_of_victim_ = new_tags(2);
    tag_of_client_ = new_tags(1);
    const bool worker_busy = act_ == Act::cancel || act_ == Act::close;
    if (worker_busy) {
      // The worker has something else to do: the victim's jobs stay queued.
      house_.log().hold = 1;
      REQUIRE(client_->ask({.act = Act::submit, .count = 1, .tag = tag_of_client_, .hold = 1}));
      REQUIRE(soon([&] { return note(tag_of_client_).begins == 1; }));
      REQUIRE(actor_->ask({.act = Act::submit, .count = 2, .tag = tags_of_victim_}));
    } else if (act_ == Act::reap) {
      REQUIRE(actor_->ask({.act = Act::submit, .count = 2, .tag = tags_of_victim_}));
    } else if (act_ == Act::collect) {
      house_.log().hold = 1;
      REQUIRE(actor_->ask({.act = Act::submit, .count = 2, .tag = tags_of_victim_, .hold = 1}));
      REQUIRE(soon([&] { return note(tags_of_victim_).begins == 1; }));
    }
    if (!worker_busy && act_ != Act::collect) REQUIRE(rest());
    house_.view().refresh();
    house_.view().watch(house_.log(), tags_of_victim_, 2);
    auto victim = std::make_unique<Tracee>(actor_->pid());
    actor_->tell({.act = act_, .count = 2, .tag = tags_of_victim_, .marked = 1});
    REQUIRE(victim->run_to_marker() == Tracee::At::marker);
    return victim;
  }

  // It sleeps on its completions: now they may come.
  bool over() override {
    house_.log().hold = 0;
    return false;
  }

  void audit() override {
    actor_->gone();
    actor_.reset();
    const bool worker_busy = act_ == Act::cancel || act_ == Act::close;
    // Its running job is asked to stop; what runs for another client is not.
    if (worker_busy) house_.log().hold = 0;
    CHECK_MESSAGE(channels_left(2), "the dead client's channel stays");
    house_.log().hold = 0;
    if (worker_busy) {
      const auto ended = client_->ask({.act = Act::collect, .count = 1});
      REQUIRE_MESSAGE(ended, "another client hangs");
      REQUIRE(ended->size() == 1);
      CHECK(ended->front().outcome == Outcome::ok);
    }
    check_runs(tags_of_victim_, 0);
    check_runs(tags_of_victim_ + 1, 0);
    check_all_goes_on();
  }

 private:
  Act act_;
  std::unique_ptr<Actor> actor_;
  std::uint64_t tags_of_victim_ = 0, tag_of_client_ = 0;
};

}  // namespace

TEST_CASE("a client killed anywhere in enqueue harms nobody else") {
  ClientActs operation(Act::submit);
  sweep("client: enqueue", operation);
}

TEST_CASE("a client killed anywhere in reap harms nobody else") {
  ClientActs operation(Act::reap);
  sweep("client: reap", operation);
}

TEST_CASE("a client killed anywhere in cancel harms nobody else") {
  ClientActs operation(Act::cancel);
  sweep("client: cancel", operation);
}

TEST_CASE("a client killed anywhere while it sleeps on completions and wakes harms nobody else") {
  ClientActs operation(Act::collect);
  sweep("client: sleep on completions", operation);
}

TEST_CASE("a client killed anywhere while it opens a channel leaves nothing behind") {
  ClientActs operation(Act::connect);
  sweep("client: connect and open a channel", operation);
}

TEST_CASE("a client killed anywhere while it closes a channel leaves nothing behind") {
  ClientActs operation(Act::close);
  sweep("client: close a channel", operation);
}
