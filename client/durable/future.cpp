// DurableFuture: the public face of DurableState.
#include "client/client_core.hpp"
#include "client/durable/core.hpp"
#include "client/durable/fetch.hpp"
#include "client/durable/info.hpp"
#include "client/time_left.hpp"
#include "common/exec_codec.hpp"

namespace jobring {

using namespace detail;

namespace {

constexpr std::uint64_t kLogPart = 1 << 18;  // bytes

// What the last attempt wrote to stdout, from its start.
std::string output_of(DurableJobs jobs, const DurableInfo& info) {
  const std::uint32_t attempt = info.last ? info.last->number : 0;
  std::string all;
  for (;;) {
    const LogPart part = jobs.logs(info.id, false, std::int64_t(all.size()), kLogPart, attempt);
    all += part.bytes;
    if (part.end || part.bytes.empty()) return all;
  }
}

}  // namespace

DurableState& DurableFuture::state() const {
  if (!state_) throw_error({Errc::bad_input, "this future has no job", "durable future", {}});
  return *state_;
}

std::shared_ptr<DurableCore> DurableFuture::connection() const {
  if (!core_) {
    throw Exception(exit_status(Errc::no_daemon), "no_daemon",
                    "the connection of this durable future is closed");
  }
  return core_;
}

JobId DurableFuture::id() const {
  return state().id;
}
bool DurableFuture::ready() const {
  return wait_for(std::chrono::nanoseconds(0));
}
void DurableFuture::wait() const {
  wait_for(kForEver);
}

bool DurableFuture::wait_for(std::chrono::nanoseconds timeout) const {
  if (state().done) return true;
  // Ours for the time of the call: a callback that runs in it may destroy this.
  const auto core = connection();
  const auto state = state_;
  return core->wait_for(state, timeout);
}

const DurableInfo& DurableFuture::info() const {
  wait();
  if (state_->failure) std::rethrow_exception(state_->failure);
  return state_->info;
}

std::string DurableFuture::get() const {
  const DurableFuture mine = *this;  // a callback that runs in this may destroy us
  const DurableInfo& info = mine.info();
  if (info.state != JobState::succeeded) throw JobFailed(failure_of(info));
  if (info.members) return {};
  if (info.handler == kExecHandler) return output_of(DurableCore::jobs(mine.connection()), info);
  return info.result_left_out ? fetch(*mine.connection(), info.id, true) : info.result;
}

void DurableFuture::on_ready(std::function<void(const DurableFuture&)> callback) const {
  if (!callback) throw_error({Errc::bad_input, "an empty callback", "durable future", {}});
  if (state().done) {
    call_back({std::move(callback)}, *this);
    return;
  }
  const auto core = connection();  // see wait_for()
  const auto state = state_;
  core->on_ready(state, std::move(callback));
}

DurableFuture DurableJobs::attach(JobId id) {
  if (id == 0 || id > keeper::kJobIdMax) bad_argument(std::to_string(id) + " is no job's number");
  return core_->future(id);
}

}  // namespace jobring
