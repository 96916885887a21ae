#include "tests/sweep/scene.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include "tests/sweep/proc.hpp"

namespace jobring::test {

using std::chrono::seconds;

Scene::Scene(const Crew& crew)
    : house_(crew),
      client_(std::make_unique<Actor>(house_.socket())),
      other_(std::make_unique<Actor>(house_.socket())) {}

void Scene::doze(Tracee& tracee) {
  for (;;) {
    Tracee::At at = tracee.step();
    if (at == Tracee::At::asleep) {
      if (tracee.idle()) return;
      at = tracee.wait_awake(seconds(20));
    }
    if (at != Tracee::At::instruction) FAIL("a process does not come to sleep");
  }
}

void Scene::sleeps_on_completions(const Actor& client) {
  house_.view().refresh();
  const ChannelView& channel = house_.view().channel_of(client.pid());
  REQUIRE(soon(
      [&] { return channel.header().waiting.load() != 0 && process_state(client.pid()) == 'S'; }));
}

void Scene::collect_held(Actor& client, std::uint32_t count) {
  held_ = std::make_unique<Tracee>(client.pid());
  client.tell({.act = Actor::Act::collect, .count = count});
  for (;;) {
    Tracee::At at = held_->next_syscall();
    if (at == Tracee::At::asleep) {
      if (held_->idle()) break;
      at = held_->wait_awake(seconds(20));
    }
    if (at != Tracee::At::instruction) FAIL("a client does not come to sleep on its jobs");
  }
  sleeps_on_completions(client);
}

bool Scene::awaken() {
  const bool woken = held_->wait_awake(seconds(20)) == Tracee::At::instruction;
  held_.reset();
  return woken;
}

std::uint64_t Scene::new_tags(std::uint32_t count) {
  const std::uint64_t first = tags_ + 1;
  for (std::uint32_t i = 0; i < count; ++i) {
    RunNote& fresh = house_.log().note(++tags_);
    fresh.begins = fresh.ends = fresh.overlaps = 0;
    fresh.runner = 0;
  }
  return first;
}

StateWord Scene::only_word(const ChannelView& channel) {
  StateWord found;
  for (std::uint32_t i = 0; i < channel.shape().slots; ++i) {
    const StateWord word = channel.slot(i).word();
    if (!word.is(SlotState::free)) found = word;
  }
  return found;
}

bool Scene::runs(Actor& actor, std::uint32_t count) {
  const std::uint64_t first = new_tags(count);
  if (!actor.ask({.act = Actor::Act::submit, .count = count, .tag = first})) return false;
  const auto ended = actor.ask({.act = Actor::Act::collect, .count = count});
  if (!ended || ended->size() != count) return false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const RunNote& ran = note(first + i);
    if ((*ended)[i].outcome != Outcome::ok || ran.begins != 1 || ran.ends != 1) return false;
  }
  return true;
}

void Scene::check_ended(const Actor::Ended& job, StateWord word_at_kill, std::uint32_t retries) {
  const RunNote& ran = note(job.tag);
  const bool was_running = word_at_kill.is(SlotState::running);
  CHECK(job.attempts == (was_running ? 1 : 0));
  if (was_running && retries == 0) {
    CHECK(job.outcome == Outcome::crashed);
  } else {
    CHECK(job.outcome == Outcome::ok);
    CHECK(ran.begins >= 1);
    CHECK(ran.ends >= 1);
  }
  CHECK(ran.begins <= (was_running && retries != 0 ? 2 : 1));
  CHECK(ran.overlaps == 0);
}

void Scene::check_runs(std::uint64_t tag, std::uint32_t retries) {
  CHECK(note(tag).overlaps == 0);
  CHECK(note(tag).begins <= retries + 1);
}

bool Scene::rest() {
  return house_.at_rest({client_->pid(), other_->pid()});
}

void Scene::check_all_goes_on() {
  CHECK_MESSAGE(runs(*client_, 2), "jobs of the same channel do not end");
  CHECK_MESSAGE(runs(*other_, 1), "a job of another channel does not end");
  CHECK_MESSAGE(rest(), "somebody does not come to rest");
  house_.view().refresh();
  CHECK(house_.view().fault_at_rest(house_.workers()) == "");
}

bool Scene::channels_left(std::size_t left) {
  return soon([&] {
    house_.view().refresh();
    return house_.view().channels().size() == left;
  });
}

}  // namespace jobring::test
