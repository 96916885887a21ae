// The 64-bit word of a slot that alone says who owns a job.
//
//     state:4 | owner:12 | generation:48          (owner: worker index + 1, or 0)
//
//                        submit                 claim                  run                 complete
//     FREE ──────────► QUEUED ───────────► CLAIMED(w) ──────────► RUNNING(w) ──────────► DONE
//      ▲    client        │      worker w     │  ▲     worker w     │        worker w      │
//      │                  │ cancel            │  │ steal            │                      │
//      │◄─────────────────┘ client            │  └─ an idle worker  │ crash                │
//      │◄──────────────┐                      │ crash               │ recovery             │
//      │        cancel │ client               ▼ recovery            ▼                      │
//      │               └────────────────── REQUEUED ◄───────────────┤ attempts left        │
//      │                                                            └─ none left ──► DONE ──┤
//      └────────────────────────────────────────────────────────────────── reap, client ───┘
//
// Invariants
// 1. The generation grows by one on every transition, so no word ever comes back.
// 2. QUEUED and REQUEUED have no owner; CLAIMED and RUNNING always name theirs. At no instruction
//    is a submitted job in a state that names nobody and is not open to every worker.
// 3. From CLAIMED(w): w, a stealing worker of the same pool, the supervisor while w is stopped, or
//    recovery after w's death may move it; each by CAS. From RUNNING(w): only w, or recovery after
//    w's process tree is dead.
// 4. Only the client moves FREE and DONE; it may cancel QUEUED and REQUEUED by CAS.
//
// REQUEUED differs from QUEUED only in where workers find it: QUEUED by its cell in a submission
// ring, REQUEUED by its bit in the channel's retry bitmap (its cell is already behind the head).
#pragma once

#include <cstdint>

namespace jobring {

enum class SlotState : std::uint8_t {
  free = 0,
  queued = 1,
  requeued = 2,
  claimed = 3,
  running = 4,
  done = 5
};

class StateWord {
 public:
  static constexpr std::uint64_t kGenerationMask = (std::uint64_t{1} << 48) - 1;

  constexpr StateWord() = default;
  constexpr explicit StateWord(std::uint64_t raw) : raw_(raw) {}
  constexpr StateWord(SlotState state, std::uint32_t owner, std::uint64_t generation)
      : raw_(std::uint64_t(state) << 60 | std::uint64_t(owner & 0xfff) << 48 |
             (generation & kGenerationMask)) {}

  constexpr std::uint64_t raw() const { return raw_; }
  constexpr SlotState state() const { return SlotState(raw_ >> 60); }
  constexpr std::uint32_t owner() const { return std::uint32_t(raw_ >> 48) & 0xfff; }
  constexpr std::uint64_t generation() const { return raw_ & kGenerationMask; }
  constexpr bool is(SlotState s) const { return state() == s; }
  constexpr bool owned_by(std::uint32_t owner_id) const {
    return (is(SlotState::claimed) || is(SlotState::running)) && owner() == owner_id;
  }

  // The word after a transition: the next generation.
  constexpr StateWord to(SlotState next, std::uint32_t owner = 0) const {
    return StateWord(next, owner, generation() + 1);
  }

  friend constexpr bool operator==(StateWord, StateWord) = default;

 private:
  std::uint64_t raw_ = 0;
};

constexpr const char* to_string(SlotState s) {
  switch (s) {
    case SlotState::free:
      return "free";
    case SlotState::queued:
      return "queued";
    case SlotState::requeued:
      return "requeued";
    case SlotState::claimed:
      return "claimed";
    case SlotState::running:
      return "running";
    case SlotState::done:
      return "done";
  }
  return "illegal";
}

}  // namespace jobring
