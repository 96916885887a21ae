// One job while its coroutine lives.
#pragma once

#include <utility>  // before Asio

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/state_word.hpp"
#include "worker/async/deadlines.hpp"
#include "worker/async/slice.hpp"
#include "worker/job_run.hpp"
#include "worker/worker_channel.hpp"

namespace jobring {

// Lives until its coroutine has ended and its outcome is published. On the loop's thread only.
struct AsyncJob {
  AsyncJob(WorkerChannel& on, std::uint32_t slot)
      : channel(on), run(on, slot, payload_copy, asked_to_stop) {}
  AsyncJob(const AsyncJob&) = delete;
  AsyncJob& operator=(const AsyncJob&) = delete;

  WorkerChannel& channel;
  StateWord running;  // what its slot holds: ours
  std::uint64_t started_ns = 0;
  std::vector<unsigned char> payload_copy;
  volatile std::sig_atomic_t asked_to_stop = 0;  // what its handler is told
  JobRun run;
  jobring_job face{};  // what its handler sees of `run`
  std::shared_ptr<SliceOwner> owner = std::make_shared<SliceOwner>();

  // Cancels the operation that the coroutine awaits.
  boost::asio::cancellation_signal cancel;
  // Not empty: how a built-in is told instead: the signal that was asked for, or 0 if it is over
  // its time.
  std::function<void(int signal)> on_stop;
  std::optional<boost::asio::steady_timer> timeout;
  std::optional<Deadlines::Key> deadline;
  bool timed_out = false;
  bool stopped = false;  // somebody asked for its end
};

}  // namespace jobring
