#include "worker/served_requests.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "worker/completion.hpp"

namespace jobring {
namespace {

static_assert(kSlotsMax <= 1u << 16);
std::uint64_t token_of(std::uint32_t channel, std::uint32_t slot) {
  return std::uint64_t(channel) << 16 | slot;
}
std::uint32_t slot_of(std::uint64_t token) {
  return std::uint32_t(token & 0xffff);
}

}  // namespace

std::optional<ServedRequest> ServedRequests::take(WorkerChannel& channel, const Claim& claim,
                                                  std::uint64_t now) {
  if (served_.size() <= channel.id) served_.resize(channel.id + 1);
  Served& from = served_[channel.id];
  if (from.channel == nullptr) {
    from.channel = &channel;
    from.running.assign(channel.view.shape().slots, StateWord());
  }
  Slot& slot = channel.view.slot(claim.index);
  const StateWord running = claim.word.to(SlotState::running, claimer_.owner());
  // seq_cst: the store half of "run, then look who wants it stopped" (Slot::kill_request).
  if (!slot.move(claim.word, running, std::memory_order_seq_cst)) return {};  // we were stopped
  from.running[claim.index] = running;
  slot.started_ns.set(now);
  const auto refused = [&](Outcome outcome, std::string_view why) {
    end(from, claim.index, outcome, why);
    return std::nullopt;
  };
  if (slot.kill_request.load(std::memory_order_seq_cst) != 0)
    return refused(Outcome::killed, "cancelled before it was looked at");
  const std::size_t size = slot.payload_len.get();
  if (size > channel.view.shape().max_payload)
    return refused(Outcome::bad_request, "its length makes no sense");
  ServedRequest request;
  request.token = token_of(channel.id, claim.index);
  request.session = from.session;
  request.slot = claim.index;
  request.generation = slot.queued_generation(claim.word);
  request.again = claim.word.generation() != request.generation + 1;
  request.uid = channel.uid;
  request.gid = channel.gid;
  request.groups = &from.groups;
  request.payload = channel.view.payload(claim.index, size);
  request.size = size;
  return request;
}

ServedRequests::Served* ServedRequests::of(std::uint64_t token) {
  const std::uint64_t id = token >> 16;
  return id < served_.size() && served_[id].channel != nullptr ? &served_[id] : nullptr;
}

void ServedRequests::answer(std::uint64_t token, std::string_view bytes) {
  Served* to = of(token);
  if (to == nullptr) return;
  if (bytes.size() > to->channel->view.shape().max_result)
    return end(*to, slot_of(token), Outcome::result_too_big, "the answer is longer than reply_max");
  end(*to, slot_of(token), Outcome::ok, bytes);
}

void ServedRequests::refuse(std::uint64_t token, Outcome outcome, std::string_view why) {
  if (Served* to = of(token)) end(*to, slot_of(token), outcome, why);
}

void ServedRequests::end(Served& served, std::uint32_t index, Outcome outcome,
                         std::string_view result) {
  const StateWord running = std::exchange(served.running[index], StateWord());
  if (!running.is(SlotState::running)) return;
  WorkerChannel& channel = *served.channel;
  Slot& slot = channel.view.slot(index);
  const std::size_t size = std::min<std::size_t>(result.size(), channel.view.shape().max_result);
  std::memcpy(channel.view.result(index, size), result.data(), size);
  slot.outcome.set(std::uint8_t(outcome));
  slot.detail.set(0);
  slot.worker.set(0);
  slot.run_us.set(0);
  slot.error_type_len.set(0);
  slot.result_len.set(std::uint32_t(size));
  if (outcome != Outcome::ok) mine_.failed.set(mine_.failed.get() + 1);
  if (unpublished_ != nullptr && unpublished_ != &channel) unpublished_->completions.move_tail();
  unpublished_ = &channel;
  if (channel.broken) return;
  if (!publish_done(channel, index, running, mine_))
    channels_.report_broken(channel, "its completion queue makes no sense");
}

void ServedRequests::publish() {
  if (unpublished_ != nullptr) std::exchange(unpublished_, nullptr)->completions.move_tail();
}

void ServedRequests::mapped(const ChannelMapped& order) {
  if (served_.size() <= order.channel) served_.resize(order.channel + 1);
  served_[order.channel].session = order.session;
  served_[order.channel].groups = order.groups;
}

void ServedRequests::closed(const ChannelClosed& order) {
  if (order.channel >= served_.size()) return;
  Served& served = served_[order.channel];
  if (served.channel != nullptr && unpublished_ == served.channel) unpublished_ = nullptr;
  served = {};
}

std::optional<std::uint64_t> ServedRequests::stopped(const StopJob& order) const {
  if (order.channel >= served_.size()) return std::nullopt;
  const Served& from = served_[order.channel];
  if (from.channel == nullptr || order.slot >= from.running.size()) return std::nullopt;
  const StateWord running = from.running[order.slot];
  if (!running.is(SlotState::running) || running.generation() != order.generation)
    return std::nullopt;
  return token_of(order.channel, order.slot);
}

}  // namespace jobring
