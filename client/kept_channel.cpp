// Adopting what a dead client has left in a channel. Whatever instruction it died at, its words are
// those of some moment of its life: a slot says what it holds, a ring's tail how far it was
// published. But workers run the code of users in the same memory, so nothing here is believed
// before it is checked.
#include "client/kept_channel.hpp"

#include <algorithm>
#include <utility>

#include "client/channel_impl.hpp"

namespace jobring {
namespace {

AdoptedJob::State state_of(StateWord word) {
  switch (word.state()) {
    case SlotState::claimed:
      return AdoptedJob::State::claimed;
    case SlotState::running:
      return AdoptedJob::State::running;
    case SlotState::done:
      return AdoptedJob::State::done;
    default:
      return AdoptedJob::State::queued;
  }
}

}  // namespace

bool Channel::Impl::adopt_names() {
  const ChannelHeader& header = view_.header();
  const std::uint32_t count = header.handler_count.load(std::memory_order_acquire);
  if (count > kHandlersMax) return false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string name = handler_name(view_, i);
    if (name.empty()) return false;
    handlers_.emplace(name, HandlerId(i));
  }
  return true;
}

// Of each slot the youngest generation that a ring names between its head and its tail. The heads
// are looked at before any slot: one that is QUEUED afterwards is behind them only if it was never
// published.
bool Channel::Impl::adopt_rings(std::vector<std::uint64_t>& published) {
  published.assign(view_.shape().slots, 0);
  for (std::uint32_t p = 0; p < kPriorities; ++p) {
    bool sense = true;
    const bool resumed = producers_[p].resume([&](SubmissionWord word) {
      if (word.index() >= published.size()) {
        sense = false;
      } else {
        published[word.index()] = std::max(published[word.index()], word.generation());
      }
    });
    if (!resumed || !sense) return false;
  }
  return consumer_.resume();
}

bool Channel::Impl::adopt(std::vector<AdoptedJob>& jobs) {
  std::vector<std::uint64_t> published;
  if (!adopt_names() || !adopt_rings(published)) return false;
  used_ = view_.header().slots_used.get();
  if (used_ > view_.shape().slots) return false;
  for (std::uint32_t i = 0; i < used_; ++i) {
    Slot& slot = view_.slot(i);
    StateWord word = slot.word();
    // Not published: its ring ends before it, and nobody else would ever find it.
    if (word.is(SlotState::queued) && published[i] != word.generation()) {
      slot.move(word, word.to(SlotState::free));
      word = slot.word();
    }
    if (word.is(SlotState::free)) {
      free_.push_back(std::uint16_t(i));
      continue;
    }
    const bool owned = word.is(SlotState::claimed) || word.is(SlotState::running);
    const bool has_owner =
        word.owner() != 0 && (word.owner() <= info_.workers || word.owner() == kSupervisorOwner);
    if (word.state() > SlotState::done || owned != has_owner) return false;
    Local& local = local_[i];
    local.generation = slot.queued_generation(word);
    local.submitted_ns = ~std::uint64_t{0};  // we do not know
    local.outstanding = true;
    ++outstanding_;
    const std::size_t size =
        std::min<std::size_t>(slot.payload_len.get(), view_.shape().max_payload);
    if (size > kInlinePayload) note_touched(local.payload_touched, size);
    const bool tagged = (slot.flags.get() & kJobTagged) != 0;
    jobs.push_back(
        {{i, local.generation}, state_of(word), tagged ? view_.note(i).get_tag() : std::string()});
  }
  give_back_free_extents();
  // Some are DONE, and their words may have been taken from the queue before.
  view_.header().rescan.exchange(1, std::memory_order_acq_rel);
  awake();
  // Published, perhaps, and nobody told.
  unpublished_ = (1u << kPriorities) - 1;
  publish();
  return true;
}

// What the client before us may have left in extents of slots that are FREE now.
void Channel::Impl::give_back_free_extents() {
  const ChannelLayout layout(view_.shape());
  if (layout.payload_stride + layout.result_stride == 0) return;
  for (const std::uint16_t index : free_) {
    Local& local = local_[index];
    note_touched(local.payload_touched, 1);  // whatever it is
    give_back_extents(index);
  }
}

bool KeptChannel::takes_jobs() const {
  return !impl->draining();
}
bool KeptChannel::broken() const {
  return impl->shut();
}
void KeptChannel::close() {
  impl->close_at_end();
}

Result<KeptChannel> open_kept(const std::shared_ptr<detail::ClientCore>& core,
                              const std::string& pool, uid_t uid, gid_t gid) {
  OpenRequest request{kControlVersion, pool, 0, false, core->name()};
  request.kept = true;
  request.uid = uid;
  request.gid = gid;
  auto opened = Channel::Impl::open(core, request);
  if (!opened) return opened.error();
  Channel::Impl& impl = **opened;
  KeptChannel kept{Channel(std::move(*opened)), &impl};
  kept.fresh = !impl.adopted();
  if (!kept.fresh && !impl.adopt(kept.adopted)) {
    impl.close_at_end();
    return Error{Errc::protocol,
                 "what it holds of the durable jobs of user " + std::to_string(uid) +
                     " makes no sense: closed",
                 "pool " + pool, "a handler that runs there may write where it should not"};
  }
  return kept;
}

}  // namespace jobring
