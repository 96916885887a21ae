// The public face of a channel: checks what the caller gives, throws, forwards.
#include <jobring/channel.hpp>

#include <cstring>
#include <utility>

#include "client/channel_impl.hpp"

namespace jobring {
namespace {

constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};

void check_open(Channel::Impl& impl) {
  if (!impl.core().connected()) detail::throw_error(impl.core().gone());
  if (impl.draining()) detail::throw_error(impl.core().closed(impl.pool()));
}

void check_size(const Channel::Impl& impl, std::size_t size) {
  if (size <= impl.shape().max_payload) return;
  detail::throw_error(
      {Errc::bad_input,
       "a payload of " + std::to_string(size) + " bytes is more than max_payload, " +
           std::to_string(impl.shape().max_payload) + " bytes",
       "pool " + impl.pool(), "raise max_payload in the pool's config, or pass a file's name"});
}

}  // namespace

void check_options(const JobOptions& options) {
  if (options.timeout.count() < 0 || options.start_within.count() < 0)
    detail::throw_error({Errc::bad_input, "a job's time-out is negative", {}, "0 means none"});
  if (options.tag.too_long()) {
    detail::throw_error({Errc::bad_input,
                         "a tag has at most " + std::to_string(kTagMax) + " bytes",
                         "\"" + std::string(options.tag.view()) + "...\"",
                         {}});
  }
}

namespace {

bool submit_copy(Channel::Impl& impl, HandlerId handler, std::span<const std::byte> payload,
                 std::uint64_t tag, const JobOptions& options, JobRef* ref, std::uint8_t flags) {
  check_open(impl);
  check_options(options);
  check_size(impl, payload.size());
  const int index = impl.free_slot();
  if (index < 0) return false;
  if (!payload.empty())
    std::memcpy(impl.payload(std::uint32_t(index), payload.size()), payload.data(), payload.size());
  const JobRef job = impl.put(std::uint32_t(index), handler, payload.size(), tag, options, flags);
  if (job.slot == kNoSlot) return false;
  if (ref != nullptr) *ref = job;
  return true;
}

}  // namespace

Channel::Channel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Channel::Channel(Channel&& other) noexcept
    : impl_(std::move(other.impl_)),
      reserved_slot_(std::exchange(other.reserved_slot_, -1)),
      reserved_size_(other.reserved_size_) {}
Channel& Channel::operator=(Channel&& other) noexcept {
  impl_ = std::move(other.impl_);
  reserved_slot_ = std::exchange(other.reserved_slot_, -1);
  reserved_size_ = other.reserved_size_;
  return *this;
}
Channel::~Channel() = default;

HandlerId Channel::handler(std::string_view name) {
  auto id = impl_->handler(name);
  if (!id) detail::throw_error(id.error());
  return *id;
}

bool Channel::prepare(HandlerId handler, std::span<const std::byte> payload, std::uint64_t tag,
                      const JobOptions& options, JobRef* ref) {
  return submit_copy(*impl_, handler, payload, tag, options, ref, 0);
}

bool Channel::prepare_with_stdio(HandlerId handler, std::span<const std::byte> payload,
                                 std::uint64_t tag, const JobOptions& options, JobRef* ref) {
  return submit_copy(*impl_, handler, payload, tag, options, ref, kJobUsesStdio);
}

// A reservation is a slot that was set aside: neither prepare() nor reap() hands it to anybody.
std::span<std::byte> Channel::reserve(std::size_t size) {
  check_open(*impl_);
  check_size(*impl_, size);
  give_up_reservation();
  const int index = impl_->free_slot();
  if (index < 0) return {};
  impl_->set_aside(std::uint32_t(index));
  reserved_slot_ = index;
  reserved_size_ = size;
  return {reinterpret_cast<std::byte*>(impl_->payload(std::uint32_t(index), size)), size};
}

void Channel::give_up_reservation() {
  if (reserved_slot_ >= 0) impl_->restore(std::uint32_t(std::exchange(reserved_slot_, -1)));
}

bool Channel::prepare_reserved(HandlerId handler, std::size_t size, std::uint64_t tag,
                               const JobOptions& options, JobRef* ref) {
  check_open(*impl_);
  check_options(options);
  if (reserved_slot_ < 0 || size > reserved_size_) {
    detail::throw_error(
        {Errc::bad_input,
         reserved_slot_ < 0 ? "nothing was reserved" : "more bytes than were reserved",
         "pool " + impl_->pool(),
         {}});
  }
  const auto index = std::uint32_t(reserved_slot_);
  impl_->settle_payload(index, reserved_size_, size);
  impl_->restore(index);  // what put() takes
  const JobRef job = impl_->put(index, handler, size, tag, options, 0);
  if (job.slot == kNoSlot) {
    impl_->set_aside(index);
    return false;
  }
  reserved_slot_ = -1;
  if (ref != nullptr) *ref = job;
  return true;
}

void Channel::submit() {
  if (impl_->unpublished()) impl_->publish();
}
std::span<const Completion> Channel::reap(std::size_t max) {
  return impl_->reap(max);
}
bool Channel::wait(std::chrono::nanoseconds timeout, std::size_t at_least) {
  return impl_->wait(timeout, at_least);
}
bool Channel::cancel(JobRef job) {
  return impl_->cancel(job);
}
std::size_t Channel::cancel_all() {
  return impl_->cancel_all();
}
void Channel::kill(JobRef job, int signal) {
  impl_->kill(job, signal);
}
std::optional<Progress> Channel::progress(JobRef job) const {
  auto report = impl_->progress(job);
  if (!report) return std::nullopt;
  return Progress{report->done, report->total, std::move(report->text)};
}
std::size_t Channel::outstanding() const {
  return impl_->outstanding();
}
std::size_t Channel::slots() const {
  return impl_->shape().slots;
}
std::size_t Channel::max_payload() const {
  return impl_->shape().max_payload;
}
std::size_t Channel::max_result() const {
  return impl_->shape().max_result;
}
bool Channel::connected() const {
  return impl_->core().connected();
}
int Channel::fd() const {
  return impl_->fd();
}
void Channel::arm() {
  impl_->arm();
}

}  // namespace jobring
