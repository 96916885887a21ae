#include "worker/job_run.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

namespace jobring {

namespace {

// Asked once: it is a system call, and written for each job.
std::uint32_t own_pid() {
  static const auto pid = std::uint32_t(getpid());
  return pid;
}

JobRun& run_of(void* host) {
  return *static_cast<JobRun*>(host);
}

// The functions of a job's face. The code that calls them may be C, so no exception passes.

unsigned char* host_reserve(void* host, std::size_t len) noexcept {
  return run_of(host).reserve(len);
}
void host_commit(void* host, std::size_t len) noexcept {
  run_of(host).commit(len);
}
void host_fail(void* host, const char* message, std::size_t len) noexcept {
  // A result that was too big is reported as that, not as the exception it was thrown as.
  if (run_of(host).outcome() != Outcome::result_too_big)
    run_of(host).end(Outcome::failed, {message, len});
}
void host_fail_typed(void* host, const char* type, std::size_t type_len, const char* message,
                     std::size_t len) noexcept {
  if (run_of(host).outcome() != Outcome::result_too_big)
    run_of(host).fail({type, type_len}, {message, len});
}
void host_progress(void* host, std::uint64_t done, std::uint64_t total, const char* text,
                   std::size_t len) noexcept {
  run_of(host).progress(done, total, {text, len});
}
int host_stop_requested(void* host) noexcept {
  return run_of(host).stop_requested() ? 1 : 0;
}
std::uint64_t host_max_result(void* host) noexcept {
  return run_of(host).max_result();
}

}  // namespace

bool JobRun::open(std::uint64_t now) {
  // The job is RUNNING by now; whoever wants it stopped raised one of these first, or will see
  // RUNNING.
  if (slot_.kill_request.load(std::memory_order_seq_cst) != 0 ||
      channel_.view.header().closing.load(std::memory_order_seq_cst) == 2) {
    end(Outcome::killed, "killed before it started");
    return false;
  }
  const std::uint64_t deadline = slot_.deadline_ns.get();
  if (deadline != 0 && now > deadline) {
    end(Outcome::expired, "not started before its deadline");
    return false;
  }
  // Now, so that it is known of a worker that dies in it.
  if (channel_.kept && (slot_.flags.get() & kJobTagged) != 0)
    channel_.view.note(index_).worker_pid.set(own_pid());
  payload_len_ = slot_.payload_len.get();
  if (payload_len_ > channel_.view.shape().max_payload) {
    payload_len_ = 0;
    end(Outcome::bad_request, "the payload's length is out of range");
    return false;
  }
  payload_ = channel_.view.payload(index_, payload_len_);
  // An empty payload is not copied: handlers may rely on a pointer that is not null.
  if (!channel_.trusted && payload_len_ != 0) {
    // The client could change the bytes between our check and our use of them.
    copy_.assign(payload_, payload_ + payload_len_);
    payload_ = copy_.data();
  }
  return true;
}

const Handler* JobRun::resolve(const HandlerTable& table) {
  const bool named = (slot_.flags.get() & kJobNamed) != 0;
  const std::uint32_t index = slot_.handler.get();
  if (named || index < kHandlersMax) {
    if (const Handler* known = named ? nullptr : channel_.handlers[index]) return known;
    const std::string name =
        named ? channel_.view.note(index_).get_handler() : handler_name(channel_.view, index);
    if (const Handler* found = table.find(name)) {
      if (!named) channel_.handlers[index] = found;
      return found;
    }
    std::string message = "there is no handler \"" + name + "\" here; handlers:";
    for (const std::string& known : table.names()) message += " " + known;
    end(Outcome::unknown_handler, message);
  } else {
    end(Outcome::bad_request, "the handler's index is out of range");
  }
  return nullptr;
}

void JobRun::run(const Handler& handler) {
  jobring_job job = face();
  handler.fn(&job, handler.user);
}

jobring_job JobRun::face() {
  jobring_job job{};
  job.payload = payload_;
  job.payload_len = payload_len_;
  job.host = this;
  job.reserve = &host_reserve;
  job.commit = &host_commit;
  job.fail = &host_fail;
  job.stop_requested = &host_stop_requested;
  job.max_result = &host_max_result;
  job.fail_typed = &host_fail_typed;
  job.progress = &host_progress;
  if (const auto tag = durable_tag()) {
    job.durable_id = tag->id;
    job.attempt = tag->attempt;
    job.index = tag->index.value_or(0);
  }
  return job;
}

std::optional<DurableTag> JobRun::durable_tag() const {
  if (!channel_.kept || (slot_.flags.get() & kJobTagged) == 0) return std::nullopt;
  return parse_durable_tag(channel_.view.note(index_).get_tag());
}

unsigned char* JobRun::reserve(std::size_t len) {
  if (len > max_result()) {
    char message[128];  // made without memory, which the handler may have used up
    std::snprintf(message, sizeof message,
                  "a result of %zu bytes is more than the pool's max_result of %zu bytes", len,
                  max_result());
    end(Outcome::result_too_big, message);
    return nullptr;
  }
  reserved_ = len;
  return channel_.view.result(index_, len);
}

void JobRun::commit(std::size_t len) {
  len = std::min(len, reserved_);
  // Where a result stands follows from its size alone: one that came out small moves into the slot.
  if (reserved_ > kInlineResult && len <= kInlineResult) {
    std::memcpy(slot_.result, channel_.view.result_extent(index_), len);
  }
  result_len_ = len;
  error_type_len_ = 0;  // of a failure that was told before, and is not in these bytes
}

void JobRun::end(Outcome outcome, std::string_view message) {
  outcome_ = outcome;
  const std::size_t len = std::min(message.size(), max_result());
  std::memcpy(channel_.view.result(index_, len), message.data(), len);
  result_len_ = len;
  error_type_len_ = 0;
}

// The type stands at the result's end: whoever knows nothing of it reads the message.
void JobRun::fail(std::string_view type, std::string_view message) {
  const std::size_t most = max_result();
  type = type.substr(0, std::min(kErrorTypeMax, most));
  message = cut_text(message, most - type.size());
  outcome_ = Outcome::failed;
  result_len_ = message.size() + type.size();
  unsigned char* room = channel_.view.result(index_, result_len_);
  std::memcpy(room, message.data(), message.size());
  std::memcpy(room + message.size(), type.data(), type.size());
  error_type_len_ = std::uint8_t(type.size());
}

void JobRun::progress(std::uint64_t done, std::uint64_t total, std::string_view text) {
  channel_.view.note(index_).progress.write(slot_.word(std::memory_order_relaxed).generation(),
                                            done, total, text);
}

void JobRun::settle() {
  slot_.outcome.set(std::uint8_t(outcome_));
  slot_.detail.set(detail_);
  if (outcome_ == Outcome::failed) slot_.error_type_len.set(error_type_len_);
  slot_.result_len.set(std::uint32_t(result_len_));
}

}  // namespace jobring
