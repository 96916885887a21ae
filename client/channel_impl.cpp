#include "client/channel_impl.hpp"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "common/clock.hpp"
#include "common/registry_pool.hpp"

namespace jobring {
namespace {

constexpr std::size_t kReapMax = 256;
constexpr std::size_t kPrepareAhead = 6;     // slots whose lines are fetched before their turn
constexpr std::uint32_t kCheckEvery = 4096;  // empty reaps between looks at the connection
constexpr std::size_t kFixedDescriptors =
    4;  // segment, doorbell, pool page, event: then one per worker

// Marks a descriptor in epoll_ that is to be read when it is readable.
constexpr std::uint32_t kEmptyIt = 1;

void ring(int eventfd) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(eventfd, &one, sizeof one);
}

Result<Mapping> map_checked(int fd, std::size_t size, Mapping::Access access) {
  auto actual = sealed_size(fd);
  if (!actual) return actual.error();
  if (*actual < size)
    return Error{Errc::protocol,
                 "a segment is smaller than it should be",
                 {},
                 "install client and daemon from one release"};
  return Mapping::map(fd, size, access);
}

}  // namespace

Result<std::unique_ptr<Channel::Impl>> Channel::Impl::open(std::shared_ptr<detail::ClientCore> core,
                                                           const std::string& pool,
                                                           const ChannelOptions& options) {
  return open(core,
              OpenRequest{kControlVersion, pool, options.slots, options.pass_stdio, core->name()});
}

Result<std::unique_ptr<Channel::Impl>> Channel::Impl::open(std::shared_ptr<detail::ClientCore> core,
                                                           const OpenRequest& request) {
  const std::string& pool = request.pool;
  const int stdio[] = {0, 1, 2};
  auto answer = core->request(
      request, request.pass_stdio ? std::span<const int>(stdio) : std::span<const int>());
  if (!answer) return answer.error();
  const auto* info = std::get_if<OpenReply>(&answer->reply);
  if (info == nullptr || info->workers > kWorkersMax ||
      answer->fds.size() != kFixedDescriptors + info->workers ||
      !std::has_single_bit(info->slots) || info->slots > kSlotsMax) {
    return Error{Errc::protocol, "the daemon's answer makes no sense", core->where(),
                 "install client and daemon from one release"};
  }
  std::unique_ptr<Impl> impl(new Impl());
  impl->core_ = std::move(core);
  impl->pool_ = pool;
  impl->info_ = *info;
  impl->stays_open_ = request.kept;
  const ChannelShape shape{info->slots, info->max_payload, info->max_result};
  auto segment =
      map_checked(answer->fds[0].get(), ChannelLayout(shape).total, Mapping::Access::read_write);
  if (!segment) return segment.error();
  auto doorbell =
      map_checked(answer->fds[1].get(), sizeof(DoorbellPage), Mapping::Access::read_write);
  if (!doorbell) return doorbell.error();
  auto page = map_checked(answer->fds[2].get(),
                          pool == kRegistryPool ? sizeof(RegistryPage) : sizeof(PoolPage),
                          Mapping::Access::read_only);
  if (!page) return page.error();
  impl->segment_ = std::move(answer->fds[0]);
  impl->mapping_ = std::move(*segment);
  impl->doorbell_mapping_ = std::move(*doorbell);
  impl->page_mapping_ = std::move(*page);
  impl->view_ = ChannelView(impl->mapping_.base(), shape);
  impl->doorbell_ = impl->doorbell_mapping_.as<DoorbellPage>();
  impl->page_ = impl->page_mapping_.as<PoolPage>();
  if (impl->view_.header().version.get() != kShmVersion) {
    return Error{Errc::protocol, "the shared-memory formats differ", impl->core_->where(),
                 "install client and daemon from one release"};
  }
  impl->event_ = std::move(answer->fds[3]);
  for (std::size_t i = kFixedDescriptors; i < answer->fds.size(); ++i)
    impl->worker_events_.push_back(std::move(answer->fds[i]));
  for (std::uint32_t p = 0; p < kPriorities; ++p)
    impl->producers_[p] = impl->view_.submission_producer(p);
  impl->consumer_ = impl->view_.completion_consumer();
  impl->spin_.limit(info->spin_ns);
  impl->local_.resize(info->slots);
  impl->completions_.reserve(kReapMax);

  impl->epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  epoll_event hangup{};
  hangup.events = EPOLLRDHUP;
  // An eventfd counts for ever; a socket has to be emptied, for it could not be rung once it is
  // full.
  struct stat kind;
  epoll_event bell = event;
  if (fstat(impl->event_.get(), &kind) == 0 && S_ISSOCK(kind.st_mode)) bell.data.u32 = kEmptyIt;
  impl->interrupt_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!impl->epoll_ || !impl->interrupt_ ||
      epoll_ctl(impl->epoll_.get(), EPOLL_CTL_ADD, impl->interrupt_.get(), &event) != 0 ||
      epoll_ctl(impl->epoll_.get(), EPOLL_CTL_ADD, impl->event_.get(), &bell) != 0 ||
      epoll_ctl(impl->epoll_.get(), EPOLL_CTL_ADD, impl->core_->socket(), &hangup) != 0) {
    return system_error("epoll");
  }
  return impl;
}

Channel::Impl::~Impl() {
  if (core_ && !stays_open_) core_->tell(CloseRequest{pool_, info_.channel});
}

// ---- submitting

Result<HandlerId> Channel::Impl::handler(std::string_view name) {
  if (const auto found = handlers_.find(name); found != handlers_.end()) return found->second;
  if (name.empty() || name.size() > kHandlerNameMax || name.find('\0') != std::string_view::npos) {
    return Error{
        Errc::bad_input,
        "a handler's name has 1 to " + std::to_string(kHandlerNameMax) + " bytes, none of them NUL",
        "\"" + std::string(name) + "\"",
        {}};
  }
  ChannelHeader& header = view_.header();
  const std::uint32_t index = header.handler_count.load(std::memory_order_relaxed);
  if (index == kHandlersMax) {
    return Error{Errc::bad_input,
                 "this channel already uses " + std::to_string(kHandlersMax) + " handler names",
                 "\"" + std::string(name) + "\"", "open another channel"};
  }
  std::memcpy(header.handler_names[index], name.data(), name.size());
  header.handler_names[index][name.size()] = '\0';
  // Relaxed: who looks the name up has acquired the QUEUED word of a job that uses it.
  header.handler_count.store(index + 1, std::memory_order_relaxed);
  return handlers_.emplace(name, HandlerId(index)).first->second;
}

int Channel::Impl::free_slot() {
  if (!free_.empty()) return free_.back();
  if (used_ == view_.shape().slots) return -1;
  free_.push_back(std::uint16_t(used_));
  ++used_;
  // Before the slot is ever QUEUED: recovery looks at no slots beyond this.
  view_.header().slots_used.set(used_);
  return free_.back();
}

JobRef Channel::Impl::put(std::uint32_t index, HandlerId handler, std::size_t size,
                          std::uint64_t tag, const JobOptions& options, std::uint8_t flags) {
  const std::uint32_t priority = std::uint32_t(options.priority);
  auto& producer = producers_[priority];
  if (producer.full()) {
    producer.skip_dead(
        [&](SubmissionWord word) { return view_.slot(word.index()).word() == word.queued(); });
    if (producer.full()) return {~std::uint32_t{0}, 0};
  }
  free_.pop_back();
  if (free_.size() > kPrepareAhead) {
    // The workers' processors have these lines; asking for them now hides the way back.
    Slot& soon = view_.slot(free_[free_.size() - kPrepareAhead]);
    __builtin_prefetch(&soon.state, 1);
    __builtin_prefetch(soon.payload, 1);
  }
  const auto within = std::chrono::nanoseconds(options.start_within).count();
  // The clock takes as long as all the rest of this: one look a batch, and for a job that is alone
  // in its batch after it is on its way.
  if (batch_time_ == 0 && (unpublished_ != 0 || within > 0)) batch_time_ = now_ns();
  Slot& slot = view_.slot(index);
  const StateWord queued = slot.word(std::memory_order_relaxed).to(SlotState::queued);
  slot.payload_len.set(std::uint32_t(size));
  slot.handler.set(std::uint16_t(handler));
  if (!options.tag.empty()) {
    view_.note(index).set_tag(options.tag.view());
    flags |= kJobTagged;
  }
  slot.flags.set(flags);
  slot.crash_retries.set(options.crash_retries);
  slot.timeout_ms.set(
      std::uint32_t(std::clamp<std::int64_t>(options.timeout.count(), 0, UINT32_MAX)));
  slot.kill_request.store(0, std::memory_order_relaxed);
  slot.job.set(std::uint32_t(queued.generation()));
  slot.attempts.reset();
  slot.deadline_ns.set(within > 0 ? batch_time_ + std::uint64_t(within) : 0);
  Local& local = local_[index];
  local.tag = tag;
  local.generation = queued.generation();
  local.submitted_ns = batch_time_;
  if (batch_time_ == 0) untimed_ = int(index);
  local.outstanding = true;
  ++outstanding_;
  if (size > kInlinePayload) note_touched(local.payload_touched, size);
  // Release: whoever claims the job sees its request and payload, even if it was found without the
  // ring (fail_waiting()).
  slot.state.store(queued.raw(), std::memory_order_release);
  producer.put(SubmissionWord(index, queued.generation()));
  unpublished_ |= 1u << priority;
  return {index, queued.generation()};
}

void Channel::Impl::settle_payload(std::uint32_t index, std::size_t reserved, std::size_t size) {
  if (reserved <= kInlinePayload) return;
  note_touched(local_[index].payload_touched, reserved);
  if (size <= kInlinePayload)
    std::memcpy(view_.slot(index).payload, view_.payload_extent(index), size);
}

void Channel::Impl::publish() {
  for (; unpublished_ != 0; unpublished_ &= unpublished_ - 1) {
    const std::uint32_t priority = std::uint32_t(std::countr_zero(unpublished_));
    producers_[priority].publish();                   // S1 of doorbell.hpp
    doorbell_->set_ready(priority, info_.ready_bit);  // S2
  }
  const int sleeper = wakes_.pick(*page_, info_.workers);  // S3
  if (sleeper >= 0) ring(worker_events_[std::size_t(sleeper)].get());
  if (untimed_ >= 0)
    local_[std::size_t(untimed_)].submitted_ns = batch_time_ != 0 ? batch_time_ : now_ns();
  untimed_ = -1;
  batch_time_ = 0;
}

// ---- completing

std::span<const Completion> Channel::Impl::reap(std::size_t max) {
  release_held();
  completions_.clear();
  max = std::clamp<std::size_t>(max, 1, kReapMax);
  std::uint64_t words[kReapMax];
  std::size_t count = 0;
  CompletionWord word(0);
  const std::uint32_t slots = view_.shape().slots;
  while (count < max && consumer_.take(word)) {
    if (word.index() >= slots) continue;
    __builtin_prefetch(&view_.slot(word.index()).state, 1);
    __builtin_prefetch(view_.slot(word.index()).result, 0);
    words[count++] = word.raw();
  }
  for (std::size_t i = 0; i < count; ++i) {
    const CompletionWord done(words[i]);
    // A word whose slot moved on was reaped by a rescan before it was published. A job that was
    // given up as lost stays that, though a worker that outlived its supervisor for a moment ended
    // it.
    const Local& local = local_[done.index()];
    if (local.outstanding && !local.unrun && done.announces(view_.slot(done.index()).word()))
      complete(done.index());
  }
  if (count != 0) consumer_.publish_head();
  if (count == max) return completions_;
  // Relaxed: rescan() takes the flag down before it looks, and that orders it.
  if (view_.header().rescan.load(std::memory_order_relaxed) != 0) rescan(max);
  if (completions_.empty() && outstanding_ != 0 &&
      (!core_->connected() || ++empty_reaps_ % kCheckEvery == 0)) {
    // Nobody may ever tell us otherwise: a caller that only polls never sleeps on the socket.
    if (!core_->check_connection()) lose_all();
  }
  while (!unrun_.empty() && completions_.size() < max) {
    const std::uint16_t index = unrun_.back();
    unrun_.pop_back();
    complete(index);
  }
  return completions_;
}

void Channel::Impl::complete(std::uint32_t index) {
  Slot& slot = view_.slot(index);
  Local& local = local_[index];
  local.outstanding = false;
  local.unrun = false;
  --outstanding_;
  held_.push_back(std::uint16_t(index));
  if (std::exchange(local.lost, false)) {
    // Nothing of the slot: a worker that outlived its supervisor for a moment may write there yet.
    Completion lost{};
    lost.tag = local.tag;
    lost.outcome = Outcome::lost;
    lost.slot = index;
    lost.result = std::as_bytes(std::span(why_lost_));
    completions_.push_back(lost);
    return;
  }
  // Workers are trusted, but a length is checked where it is used.
  const std::size_t size = std::min<std::size_t>(slot.result_len.get(), view_.shape().max_result);
  if (size > kInlineResult) note_touched(local.result_touched, size);
  const std::uint64_t submitted = local.submitted_ns;
  const std::uint64_t started = slot.started_ns.get();
  Completion done;
  done.tag = local.tag;
  done.outcome = Outcome(slot.outcome.get());
  done.attempts = std::uint8_t(std::min<std::uint32_t>(slot.attempts.get(), UINT8_MAX));
  done.worker = slot.worker.get();
  done.detail = slot.detail.get();
  done.slot = index;
  done.queue_ns = started > submitted ? started - submitted : 0;
  done.run_us = slot.run_us.get();
  done.error_type_len = 0;
  done.result = {reinterpret_cast<const std::byte*>(view_.result(index, size)), size};
  if (done.outcome == Outcome::failed) {
    done.error_type_len = std::uint16_t(std::min<std::size_t>(slot.error_type_len.get(), size));
    done.result = done.result.first(size - done.error_type_len);
  }
  completions_.push_back(done);
}

void Channel::Impl::note_touched(std::size_t& high_water, std::size_t size) {
  if (size <= high_water) return;
  touched_ += size - high_water;
  high_water = size;
}

void Channel::Impl::release_held() {
  for (const std::uint16_t index : held_) release(index);
  held_.clear();
  // The next job's: by the time it is prepared they are ours to write.
  if (!free_.empty()) __builtin_prefetch(view_.slot(free_.back()).payload, 1);
}

void Channel::Impl::release(std::uint32_t index) {
  Slot& slot = view_.slot(index);
  // Relaxed: DONE and FREE are ours alone.
  const StateWord word = slot.word(std::memory_order_relaxed);
  slot.state.store(word.to(SlotState::free).raw(), std::memory_order_relaxed);
  // Nothing of a job that is lost: a worker may outlive its supervisor for a moment, and would find
  // zeros where it reads its payload.
  if (touched_ > info_.extent_cache && core_->connected()) give_back_extents(index);
  free_.push_back(std::uint16_t(index));
}

void Channel::Impl::keep(std::uint32_t index) {
  const auto found = std::find(held_.begin(), held_.end(), index);
  if (found == held_.end()) return;
  *found = held_.back();
  held_.pop_back();
}

std::optional<ProgressCell::Report> Channel::Impl::progress(JobRef job) const {
  if (job.slot >= used_ || !local_[job.slot].outstanding ||
      local_[job.slot].generation != job.generation)
    return std::nullopt;
  const StateWord word = view_.slot(job.slot).word();
  if (!word.is(SlotState::running)) return std::nullopt;
  return view_.note(job.slot).progress.read(word.generation());
}

// Completes a job of ours that no worker will touch any more.
void Channel::Impl::complete_unrun(std::uint32_t index, Outcome outcome, std::string_view why) {
  Slot& slot = view_.slot(index);
  slot.outcome.set(std::uint8_t(outcome));
  slot.detail.set(0);
  slot.run_us.set(0);
  slot.started_ns.set(0);
  const std::size_t size = std::min<std::size_t>(why.size(), view_.shape().max_result);
  std::memcpy(view_.result(index, size), why.data(), size);
  slot.result_len.set(std::uint32_t(size));
  add_unrun(index);
}

void Channel::Impl::add_unrun(std::uint32_t index) {
  local_[index].unrun = true;
  unrun_.push_back(std::uint16_t(index));
}

// A worker died: a DONE slot may have no completion word. The words that are there come first, so
// that a slot which has one is not reaped twice (its word is dropped later, by its generation).
void Channel::Impl::rescan(std::size_t max) {
  if (consumer_.ready()) return;  // next time
  // Acquire: what ended before the flag was raised is DONE for us below. Not a store: that could
  // undo the flag of a second recovery without having acquired what that one did, and miss it.
  view_.header().rescan.exchange(0, std::memory_order_acquire);
  for (std::uint32_t i = 0; i < used_; ++i) {
    if (!local_[i].outstanding || local_[i].unrun || !view_.slot(i).word().is(SlotState::done))
      continue;
    if (completions_.size() == max) {
      // More than this reap takes: go on in the next. Not a store, as above; relaxed, for we only
      // tell ourselves.
      view_.header().rescan.exchange(1, std::memory_order_relaxed);
      return;
    }
    complete(i);
  }
}

void Channel::Impl::lose_all() {
  why_lost_ = core_->gone().line();
  why_lost_.resize(std::min<std::size_t>(why_lost_.size(), view_.shape().max_result));
  for (std::uint32_t i = 0; i < used_; ++i) {
    if (!local_[i].outstanding || local_[i].unrun) continue;
    // If it is DONE it did end, only its word is lost.
    local_[i].lost = !view_.slot(i).word().is(SlotState::done);
    add_unrun(i);
  }
}

bool Channel::Impl::cancel(JobRef job) {
  if (job.slot >= used_ || !local_[job.slot].outstanding ||
      local_[job.slot].generation != job.generation || local_[job.slot].unrun) {
    return false;
  }
  Slot& slot = view_.slot(job.slot);
  const StateWord word = slot.word();
  if (!word.is(SlotState::queued) && !word.is(SlotState::requeued)) return false;
  // DONE at once, as if a worker had ended it: reap() then treats all alike.
  if (!slot.move(word, word.to(SlotState::done))) return false;
  complete_unrun(job.slot, Outcome::cancelled, "cancelled before it started");
  return true;
}

std::size_t Channel::Impl::cancel_all() {
  std::size_t cancelled = 0;
  for (std::uint32_t i = 0; i < used_; ++i) {
    if (cancel({i, local_[i].generation})) ++cancelled;
  }
  return cancelled;
}

void Channel::Impl::kill(JobRef job, int signal) {
  if (cancel(job)) return;
  if (job.slot >= used_ || !local_[job.slot].outstanding ||
      local_[job.slot].generation != job.generation)
    return;
  view_.slot(job.slot).kill_request.store(1, std::memory_order_seq_cst);
  core_->tell(KillRequest{pool_, info_.channel, job.slot, job.generation, signal});
}

void Channel::Impl::give_back_extents(std::uint32_t index) {
  Local& local = local_[index];
  if (local.payload_touched + local.result_touched == 0) return;
  const ChannelLayout layout(view_.shape());
  fallocate(segment_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
            off_t(view_.offset_of(view_.payload_extent(index))),
            off_t(layout.payload_stride + layout.result_stride));
  touched_ -= local.payload_touched + local.result_touched;
  local.payload_touched = local.result_touched = 0;
}

// ---- waiting

bool Channel::Impl::has_completions(std::size_t at_least) const {
  // seq_cst, also for rescan: recovery rings once after it has raised that, and being rung orders
  // nothing.
  return consumer_.ready(at_least) || !unrun_.empty() ||
         view_.header().rescan.load(std::memory_order_seq_cst) != 0 ||
         (!core_->connected() && outstanding_ != 0);
}

std::uint64_t Channel::Impl::lost_tokens() const {
  return page_mapping_.as<RegistryPage>()->lost_tokens.load(std::memory_order_seq_cst);
}

bool Channel::Impl::announce(std::size_t at_least) {
  // seq_cst, then look again: a worker that publishes after our look sees that we wait
  // (completion_queue.hpp).
  const std::size_t wanted =
      std::clamp<std::size_t>(at_least, 1, std::max<std::size_t>(1, outstanding_));
  view_.header().waiting.store(WaitingWord::until(consumer_.position() + wanted),
                               std::memory_order_seq_cst);
  return !has_completions(wanted);
}

// Takes all rings that are there.
void Channel::Impl::empty_bell() const {
  char rings[1024];
  [[maybe_unused]] const ssize_t n = read(event_.get(), rings, sizeof rings);
}

void Channel::Impl::sleep(std::chrono::nanoseconds timeout) const {
  epoll_event events[3];
  int count;
  if (timeout == std::chrono::nanoseconds::max()) {
    count = epoll_wait(epoll_.get(), events, 3, -1);
  } else {
    const auto ns = std::max<std::int64_t>(0, timeout.count());
    const timespec wait{time_t(ns / 1'000'000'000), long(ns % 1'000'000'000)};
    count = epoll_pwait2(epoll_.get(), events, 3, &wait, nullptr);
  }
  for (int i = 0; i < count; ++i) {
    if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) core_->disconnected();
    if (events[i].data.u32 == kEmptyIt) empty_bell();
  }
}

void Channel::Impl::awake() {
  view_.header().waiting.store(0, std::memory_order_relaxed);
}

void Channel::Impl::interrupt() const {
  ring(interrupt_.get());
}

bool Channel::Impl::wait(std::chrono::nanoseconds timeout, std::size_t at_least) {
  // More than are outstanding never come. (None become outstanding while we are in here.)
  at_least = std::clamp<std::size_t>(at_least, 1, std::max<std::size_t>(1, outstanding_));
  if (has_completions(at_least)) return true;
  const bool for_ever = timeout == std::chrono::nanoseconds::max();
  const std::uint64_t start = now_ns();
  const std::uint64_t patience =
      for_ever ? ~std::uint64_t{0} : std::uint64_t(std::max<std::int64_t>(0, timeout.count()));
  const std::uint64_t budget = std::min(spin_.budget(), patience);
  if (budget != 0) {
    std::uint64_t looked = 0;
    do {
      for (int i = 0; i < kLooksPerYield; ++i) {
        if (has_completions(at_least)) {
          spin_.found();
          return true;
        }
      }
      if (looked > kLookFirst) sched_yield();
      looked = now_ns() - start;
    } while (looked < budget);
    spin_.in_vain();
  }
  for (;;) {
    if (outstanding_ == 0) return has_completions();
    const std::uint64_t waited = now_ns() - start;
    if (waited >= patience) return has_completions();
    if (announce(at_least)) sleep(for_ever ? timeout : std::chrono::nanoseconds(patience - waited));
    awake();
    if (has_completions(at_least)) return true;
  }
}

int Channel::Impl::fd() {
  if (!loop_fd_) {
    loop_fd_.reset(epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{};
    event.events = EPOLLIN;
    epoll_ctl(loop_fd_.get(), EPOLL_CTL_ADD, event_.get(), &event);
    event.events = EPOLLRDHUP;
    epoll_ctl(loop_fd_.get(), EPOLL_CTL_ADD, core_->socket(), &event);
    // What is there already has rung before, or was not asked to; and not all that rings is a
    // completion.
    first_look_.reset(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
    event.events = EPOLLIN;
    epoll_ctl(loop_fd_.get(), EPOLL_CTL_ADD, first_look_.get(), &event);
  }
  return loop_fd_.get();
}

void Channel::Impl::arm() {
  first_look_.reset();
  empty_bell();
  core_->check_connection();
  // What is there already, the caller reaps next; what comes after this rings.
  announce();
}

}  // namespace jobring
