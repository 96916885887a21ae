// One job while it runs: what its handler sees (the host behind jobring_job), and what becomes its
// outcome.
#pragma once

#include <csignal>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <jobring/handler.hpp>
#include <jobring/types.hpp>

#include "common/durable_tag.hpp"
#include "worker/worker_channel.hpp"

namespace jobring {

class JobRun {
 public:
  // `copy` is scratch memory for payloads of clients that are not trusted.
  // `late`: becomes true when the job is over its time.
  JobRun(WorkerChannel& channel, std::uint32_t index, std::vector<unsigned char>& copy,
         const volatile std::sig_atomic_t& late)
      : channel_(channel),
        slot_(channel.view.slot(index)),
        index_(index),
        copy_(copy),
        late_(late) {}

  // Checks the request and makes the payload readable. False: the outcome is set already, run
  // nothing.
  bool open(std::uint64_t now);
  // The handler's name resolved, or null with the outcome set.
  const Handler* resolve(const HandlerTable& table);
  void run(const Handler& handler);
  // What a handler sees of this job; both must live while it is used.
  jobring_job face();

  std::span<const unsigned char> payload() const { return {payload_, payload_len_}; }
  std::size_t max_result() const { return channel_.view.shape().max_result; }
  WorkerChannel& channel() const { return channel_; }
  Slot& slot() const { return slot_; }
  std::uint32_t index() const { return index_; }

  // Room in shared memory for a result of `len` bytes; null if it is more than the pool allows.
  unsigned char* reserve(std::size_t len);
  void commit(std::size_t len);
  void end(Outcome outcome, std::string_view message);
  // Ends it as failed by an exception.
  void fail(std::string_view type, std::string_view message);
  void progress(std::uint64_t done, std::uint64_t total, std::string_view text);
  void set_outcome(Outcome outcome, std::int32_t detail) {
    outcome_ = outcome;
    detail_ = detail;
  }
  // Which durable job it is; none: an attached one.
  std::optional<DurableTag> durable_tag() const;
  bool stop_requested() const {
    return late_ != 0 || slot_.kill_request.load(std::memory_order_relaxed) != 0 ||
           channel_.view.header().closing.load(std::memory_order_relaxed) == 2;
  }

  // Writes the outcome fields of the slot. After this the slot may be made DONE.
  void settle();
  Outcome outcome() const { return outcome_; }

 private:
  WorkerChannel& channel_;
  Slot& slot_;
  std::uint32_t index_;
  std::vector<unsigned char>& copy_;
  const volatile std::sig_atomic_t& late_;
  const unsigned char* payload_ = nullptr;
  std::size_t payload_len_ = 0;
  std::size_t reserved_ = 0;
  std::size_t result_len_ = 0;
  std::uint8_t error_type_len_ = 0;
  Outcome outcome_ = Outcome::ok;
  std::int32_t detail_ = 0;
};

}  // namespace jobring
