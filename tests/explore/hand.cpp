#include "tests/explore/hand.hpp"

#include <sys/epoll.h>

#include <csignal>
#include <cstring>

#include "common/clock.hpp"
#include "tests/explore/kernel.hpp"
#include "worker/completion.hpp"

namespace explore {

using namespace jobring;

namespace {
constexpr volatile std::sig_atomic_t kInTime = 0;
constexpr int kLearntFrom = 60;  // jobs
}  // namespace

Hand::Hand(std::uint32_t index)
    : link_(UniqueFd(House::current->links[index])), epoll_(make_descriptor()), index_(index) {
  jobring::start(process_, link_);
  channels_ =
      std::make_unique<ChannelTable>(link_, process_.segments, epoll_, ChannelTable::Asking::wait);
  watch_event(epoll_, process_.colleagues[index].get());
  claimer_ = std::make_unique<Claimer>(process_, index, *channels_);
  for (int i = 0; House::current->options.short_jobs && i < kLearntFrom; ++i)
    claimer_->policy().ran(1, 0);
}

bool Hand::look() {
  batch_ = claimer_->look();
  return bool(batch_);
}

bool Hand::start(std::uint32_t i) {
  const Claim claim = claimer_->claim(i);
  Slot& slot = batch_.channel->view.slot(claim.index);
  running_ = claim.word.to(SlotState::running, claimer_->owner());
  if (!slot.move(claim.word, running_, std::memory_order_seq_cst)) return false;
  run_ = std::make_unique<JobRun>(*batch_.channel, claim.index, copy_, kInTime);
  return run_->open(now_ns());
}

void Hand::end() {
  int number = -1;
  std::memcpy(&number, run_->payload().data(), sizeof number);
  unsigned char* result = run_->reserve(sizeof number);
  data_access(result, sizeof number, true);
  std::memcpy(result, &number, sizeof number);
  run_->commit(sizeof number);
  require(complete(*batch_.channel, *run_, running_, index_, claimer_->entry()),
          "the completion queue makes sense");
  batch_.channel->completions.move_tail();
}

bool Hand::falls_asleep() {
  if (claimer_->prepare_to_sleep(batch_) != Claimer::Rest::may_sleep) return false;
  claimer_->lie_down();
  if (!claimer_->work_in_sight()) return true;
  claimer_->get_up();
  return false;
}

void Hand::sleep() {
  epoll_event events[2];
  epoll_wait(epoll_, events, 2, -1);
  claimer_->get_up();
}

std::uint64_t Hand::rings() const {
  return rings_of(House::current->worker_events[index_]) +
         rings_of(House::current->colleagues[index_]);
}

}  // namespace explore
