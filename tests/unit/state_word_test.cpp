#include <doctest/doctest.h>

#include <initializer_list>

#include "common/ring_word.hpp"
#include "common/state_word.hpp"

using namespace jobring;

TEST_CASE("a state word keeps state, owner and generation apart at their limits") {
  const StateWord word(SlotState::running, 0xfff, StateWord::kGenerationMask);
  CHECK(word.state() == SlotState::running);
  CHECK(word.owner() == 0xfff);
  CHECK(word.generation() == StateWord::kGenerationMask);
}

TEST_CASE("every transition makes a word that never was before") {
  StateWord word;
  for (const SlotState next :
       {SlotState::queued, SlotState::claimed, SlotState::running, SlotState::requeued,
        SlotState::claimed, SlotState::running, SlotState::done, SlotState::free}) {
    const StateWord after = word.to(next, 7);
    CHECK(after.generation() == word.generation() + 1);
    CHECK(after != word);
    word = after;
  }
}

TEST_CASE("a generation that wraps does not spill into the owner") {
  const StateWord last(SlotState::done, 0, StateWord::kGenerationMask);
  const StateWord next = last.to(SlotState::free);
  CHECK(next.generation() == 0);
  CHECK(next.owner() == 0);
  CHECK(next.state() == SlotState::free);
}

TEST_CASE("only claimed and running words belong to a worker") {
  CHECK(StateWord(SlotState::claimed, 3, 1).owned_by(3));
  CHECK(StateWord(SlotState::running, 3, 1).owned_by(3));
  CHECK_FALSE(StateWord(SlotState::running, 4, 1).owned_by(3));
  CHECK_FALSE(StateWord(SlotState::done, 3, 1).owned_by(3));
  CHECK_FALSE(StateWord(SlotState::requeued, 3, 1).owned_by(3));
}

TEST_CASE("a submission word names the QUEUED word of its slot") {
  const SubmissionWord word(0x8123, 0x123456789abc);
  CHECK(word.index() == 0x8123);
  CHECK(word.queued() == StateWord(SlotState::queued, 0, 0x123456789abc));
}

TEST_CASE("a completion word announces its slot's DONE word and no other") {
  const std::uint64_t generation = 0xfedcba987654;  // more bits than the completion word keeps
  const CompletionWord word(3, 77, generation);
  CHECK(word.lap() == 3);
  CHECK(word.index() == 77);
  CHECK(word.announces(StateWord(SlotState::done, 0, generation)));
  CHECK_FALSE(word.announces(StateWord(SlotState::done, 0, generation + 1)));
  CHECK_FALSE(word.announces(StateWord(SlotState::running, 5, generation)));
}
