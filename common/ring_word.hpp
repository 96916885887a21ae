// The words that rings hold: never a payload, only which slot, and of which generation.
#pragma once

#include <cstdint>

#include "common/state_word.hpp"

namespace jobring {

// A cell of a submission ring: the slot and the generation it had when it was QUEUED.
//     index:16 | generation:48
class SubmissionWord {
 public:
  constexpr explicit SubmissionWord(std::uint64_t raw) : raw_(raw) {}
  constexpr SubmissionWord(std::uint32_t index, std::uint64_t generation)
      : raw_(std::uint64_t(index) << 48 | (generation & StateWord::kGenerationMask)) {}
  constexpr std::uint64_t raw() const { return raw_; }
  constexpr std::uint32_t index() const { return std::uint32_t(raw_ >> 48); }
  constexpr std::uint64_t generation() const { return raw_ & StateWord::kGenerationMask; }
  // What the slot's state word is as long as nobody took the job.
  constexpr StateWord queued() const { return StateWord(SlotState::queued, 0, generation()); }

 private:
  std::uint64_t raw_;
};

// A cell of a completion queue: the lap it was written in, the slot, and the low bits of the
// generation that the slot has while DONE.
//     lap:8 | index:16 | generation:40
class CompletionWord {
 public:
  static constexpr std::uint64_t kGenerationMask = (std::uint64_t{1} << 40) - 1;
  constexpr explicit CompletionWord(std::uint64_t raw) : raw_(raw) {}
  constexpr CompletionWord(std::uint64_t lap, std::uint32_t index, std::uint64_t generation)
      : raw_((lap & 0xff) << 56 | std::uint64_t(index) << 40 | (generation & kGenerationMask)) {}
  constexpr std::uint64_t raw() const { return raw_; }
  constexpr std::uint8_t lap() const { return std::uint8_t(raw_ >> 56); }
  constexpr std::uint32_t index() const { return std::uint32_t(raw_ >> 40) & 0xffff; }
  // True if `word` is the DONE word that this completion announced.
  constexpr bool announces(StateWord word) const {
    return word.is(SlotState::done) &&
           (word.generation() & kGenerationMask) == (raw_ & kGenerationMask);
  }

 private:
  std::uint64_t raw_;
};

}  // namespace jobring
