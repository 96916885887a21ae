// Pool: the public face of PoolCore.

#include "client/map_run.hpp"
#include "client/pool_core.hpp"
#include "client/time_left.hpp"
#include "common/exec_codec.hpp"

namespace jobring {

using detail::kForEver;

namespace {

std::string encode_checked(const Command& command) {
  if (command.argv.empty())
    detail::throw_error({Errc::bad_input, "a command needs at least a program", {}, {}});
  return encode(command);
}

}  // namespace

// ---- Pool

Future Pool::submit(std::string_view handler, std::string_view payload, const JobOptions& options) {
  return *detail::keep(core_)->submit(handler, payload, options, 0, kForEver);
}
std::optional<Future> Pool::try_submit(std::string_view handler, std::string_view payload,
                                       const JobOptions& options) {
  return detail::keep(core_)->submit(handler, payload, options, 0, std::chrono::nanoseconds(0));
}
std::optional<Future> Pool::submit_for(std::chrono::nanoseconds patience, std::string_view handler,
                                       std::string_view payload, const JobOptions& options) {
  return detail::keep(core_)->submit(handler, payload, options, 0, patience);
}
std::string Pool::call(std::string_view handler, std::string_view payload,
                       const JobOptions& options) {
  return submit(handler, payload, options).get();
}
Future Pool::run(const Command& command, const JobOptions& options) {
  return *detail::keep(core_)->submit(kExecHandler, encode_checked(command), options, 0, kForEver);
}
Future Pool::run_with_stdio(const Command& command, const JobOptions& options) {
  return *detail::keep(core_)->submit(kExecHandler, encode_checked(command), options, kJobUsesStdio,
                                      kForEver);
}

std::vector<std::string> Pool::map(std::string_view handler, std::span<const std::string> inputs,
                                   const JobOptions& options) {
  std::vector<std::string> results(inputs.size());
  std::size_t at = 0;
  std::optional<JobResult> failure;
  detail::stream(
      *core_, handler,
      [&]() -> std::optional<std::string> {
        return at < inputs.size() ? std::optional(inputs[at++]) : std::nullopt;
      },
      [&](std::uint64_t index, const Completion& done) {
        if (done.outcome == Outcome::ok) {
          results[index].assign(done.text());
          return !failure.has_value();
        }
        if (!failure) {
          failure.emplace();
          failure->outcome = done.outcome;
          failure->detail = done.detail;
          failure->attempts = done.attempts;
          failure->worker = done.worker;
          failure->bytes.assign(done.text());
          failure->type.assign(done.error_type());
        }
        return false;
      },
      options);
  if (failure) throw JobFailed(*failure);
  return results;
}

void Pool::stream(std::string_view handler, const std::function<std::optional<std::string>()>& next,
                  const std::function<bool(std::uint64_t, const Completion&)>& sink,
                  const JobOptions& options) {
  detail::stream(*core_, handler, next, sink, options);
}
Results Pool::map_lazy(std::string_view handler, Source source, const MapOptions& options) {
  return Results(
      std::make_unique<detail::MapRun>(core_, handler, std::move(source), options, true));
}
Results Pool::map_unordered(std::string_view handler, Source source, const MapOptions& options) {
  return Results(
      std::make_unique<detail::MapRun>(core_, handler, std::move(source), options, false));
}

Reservation Pool::reserve(std::size_t size) {
  std::span<std::byte> room;
  auto core = core_;  // see keep()
  const std::uint32_t slot = core->reserve(size, room);
  return Reservation(std::move(core), slot, room);
}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  std::swap(core_, other.core_);
  std::swap(slot_, other.slot_);
  std::swap(bytes_, other.bytes_);
  return *this;
}
Reservation::~Reservation() {
  if (core_) core_->give_back(slot_, true);
}

Future Reservation::submit(std::string_view handler, std::size_t size, const JobOptions& options) {
  if (!core_ || size > bytes_.size()) {
    detail::throw_error({Errc::bad_input,
                         core_ ? "more bytes than were reserved" : "submitted already",
                         "reservation",
                         {}});
  }
  Future future = core_->submit_reserved(slot_, bytes_.size(), handler, size, options);
  core_.reset();
  bytes_ = {};
  return future;
}

bool Pool::shutdown(bool wait, bool cancel_pending, std::chrono::nanoseconds timeout) {
  return detail::keep(core_)->shutdown(wait, cancel_pending, timeout);
}

int Pool::fd() const {
  return core_->fd();
}
std::size_t Pool::poll() {
  return detail::keep(core_)->poll();
}
std::size_t Pool::outstanding() const {
  return core_->outstanding();
}
std::size_t Pool::max_payload() const {
  return core_->shape().max_payload;
}
std::size_t Pool::max_result() const {
  return core_->shape().max_result;
}
const std::string& Pool::name() const {
  return core_->name();
}

}  // namespace jobring
