// What all sweeps share: a daemon, a client whose jobs are at stake, a client that looks on, and
// the checks that hold after any kill.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tests/sweep/actor.hpp"
#include "tests/sweep/house.hpp"
#include "tests/sweep/sweep.hpp"

namespace jobring::test {

class Scene : public Operation {
 public:
  explicit Scene(const Crew& crew);
  SharedView& view() override { return house_.view(); }

 protected:
  // Steps a process to where it sleeps waiting for events.
  static void doze(Tracee& tracee);
  // Waits until `client` sleeps on its completions.
  void sleeps_on_completions(const Actor& client);
  // Has `client` wait for so many jobs, and brings it to its sleep; what wakes it finds it stopped
  // there, so that it does nothing beside the victim. awaken() is the wait for that.
  void collect_held(Actor& client, std::uint32_t count);
  // The client has been woken, by nobody but who rang it, and goes on; false if nobody did.
  bool awaken();
  // Tags of jobs to come, their notes cleared; the first of them.
  std::uint64_t new_tags(std::uint32_t count);
  // Of a client with one job outstanding: the word that is not FREE, until it is reaped.
  static StateWord only_word(const ChannelView& channel);
  const RunNote& note(std::uint64_t tag) { return house_.log().note(tag); }
  // Runs so many jobs, each exactly once, and waits for them.
  bool runs(Actor& actor, std::uint32_t count);
  // A job ended as it must, given its word when its worker was killed.
  void check_ended(const Actor::Ended& job, StateWord word_at_kill, std::uint32_t retries);
  // No two runs at once, and none after the first without a retry.
  void check_runs(std::uint64_t tag, std::uint32_t retries);
  // Both clients' channels go on, then everybody rests, and the shared memory is as it should be.
  void check_all_goes_on();
  // The channels that are gone have been forgotten; `left` are left.
  bool channels_left(std::size_t left);
  bool rest();

  House house_;
  std::unique_ptr<Actor> client_, other_;
  std::unique_ptr<Tracee> held_;

 private:
  // All of one length: their digits are read by instructions that we count.
  std::uint64_t tags_ = 1'000'000;
};

}  // namespace jobring::test
