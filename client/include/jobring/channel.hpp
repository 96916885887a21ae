// The fast lane: one thread, one pool, jobs in and completions out by batches, no allocation, no
// lock.
//
//     jobring::Client client = jobring::Client::connect();
//     jobring::Channel channel = client.channel("default");
//     const auto echo = channel.handler("echo");
//     while (more) {
//       while (more && channel.prepare(echo, next_payload(), my_tag)) {}
//       channel.submit();                            // one publication for all that were prepared
//       for (const auto& done : channel.reap(64)) use(done.tag, done.result);
//     }
//
// Most programs want Pool and Future (jobring.hpp), which stand on this and are thread-safe.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <jobring/types.hpp>

namespace jobring {

// For people: `jobring status` shows it while the job runs. At most 47 bytes; a longer one is
// refused when the job is submitted. Trivially copyable, so that JobOptions are.
class Tag {
 public:
  Tag() {}
  Tag(std::string_view text) : size_(std::uint8_t(std::min(text.size(), sizeof text_ + 1))) {
    if (!text.empty()) std::memcpy(text_, text.data(), std::min(text.size(), sizeof text_));
  }
  Tag(const char* text) : Tag(std::string_view(text)) {}
  Tag(const std::string& text) : Tag(std::string_view(text)) {}
  bool empty() const { return size_ == 0; }
  bool too_long() const { return size_ > sizeof text_; }
  std::string_view view() const { return {text_, std::min<std::size_t>(size_, sizeof text_)}; }

 private:
  std::uint8_t size_ = 0;
  char text_[47];
};

struct JobOptions {
  Priority priority = Priority::normal;
  std::chrono::milliseconds timeout{0};  // run time after which a command is ended; 0: none
  std::chrono::milliseconds start_within{
      0};                          // not started within this time: expired; 0: no deadline
  std::uint8_t crash_retries = 0;  // run again so often if its worker dies under it (at-least-once)
  // The result stays in shared memory as long as a copy of its Future lives: Future::view(). It
  // keeps its slot meanwhile, so hold fewer of them than the channel has slots. (Pool only.)
  bool in_place = false;
  Tag tag{};
};

struct ChannelOptions {
  std::uint32_t slots = 0;  // jobs outstanding at once; 0: the pool's; never more than the pool's
  bool pass_stdio =
      false;  // this process's descriptors 0, 1 and 2 travel to the one command that asks for them
};

// A handler's name, resolved for one channel.
enum class HandlerId : std::uint16_t {};

// What a worker answered. `result` points into shared memory and is valid until the next reap() or
// release.
struct Completion {
  std::uint64_t tag;
  Outcome outcome;
  std::uint8_t attempts;  // crashes before this outcome
  std::uint16_t worker;   // index in its pool
  std::uint16_t error_type_len;
  std::int32_t detail;  // a command's exit code or -signal; the signal of a crash
  std::uint32_t slot;
  std::uint64_t queue_ns;  // nanoseconds from submission to start
  std::uint64_t run_us;    // microseconds it ran; for jobs of a microsecond their batch's mean
  std::span<const std::byte> result;
  std::string_view text() const {
    return {reinterpret_cast<const char*>(result.data()), result.size()};
  }
  // Of the exception that the handler threw, "std::out_of_range"; empty if it threw none.
  std::string_view error_type() const {
    return {reinterpret_cast<const char*>(result.data() + result.size()), error_type_len};
  }
};

// Names a job for cancel and kill: the slot and its generation when it was submitted.
struct JobRef {
  std::uint32_t slot;
  std::uint64_t generation;
};

// How far a running job says that it is.
struct Progress {
  std::uint64_t done = 0;
  std::uint64_t total = 0;  // 0: unknown
  std::string text;         // at most 80 bytes
};

// Not thread-safe: one thread at a time. Movable. Destroying it cancels what is queued.
class Channel {
 public:
  Channel(Channel&&) noexcept;
  Channel& operator=(Channel&&) noexcept;
  ~Channel();

  // Throws Exception(bad_input) if the name is longer than 47 bytes or the channel already uses 64
  // names.
  HandlerId handler(std::string_view name);

  // Puts one job behind the others, to be published by the next submit(). False if no slot is free:
  // reap first. Throws Exception(bad_input) if the payload is larger than max_payload(),
  // Exception(no_daemon) once the daemon is gone. `ref`, if given, receives the job's name for
  // cancel() and kill().
  bool prepare(HandlerId handler, std::span<const std::byte> payload, std::uint64_t tag,
               const JobOptions& options = {}, JobRef* ref = nullptr);
  bool prepare(HandlerId handler, std::string_view payload, std::uint64_t tag,
               const JobOptions& options = {}, JobRef* ref = nullptr) {
    return prepare(handler, std::as_bytes(std::span(payload.data(), payload.size())), tag, options,
                   ref);
  }
  // Room for a payload of `size` bytes in shared memory, to be filled in place and then prepared
  // with prepare_reserved(), whatever else is prepared and reaped meanwhile. Empty if no slot is
  // free. One at a time: a further reserve() gives the one before back.
  std::span<std::byte> reserve(std::size_t size);
  // As prepare(), of the first `size` bytes of the room. Throws Exception(bad_input) if there are
  // not so many, or nothing is reserved. False: try again after reap().
  bool prepare_reserved(HandlerId handler, std::size_t size, std::uint64_t tag,
                        const JobOptions& options = {}, JobRef* ref = nullptr);
  // As prepare(), for a command that takes over this channel's stdio (ChannelOptions::pass_stdio).
  bool prepare_with_stdio(HandlerId handler, std::span<const std::byte> payload, std::uint64_t tag,
                          const JobOptions& options = {}, JobRef* ref = nullptr);
  // Publishes what was prepared, and wakes a worker if one sleeps.
  void submit();

  // Up to `max` (at most 256) completions, in the order in which they were published. Never blocks.
  // The results stay readable until the next reap(), which gives their slots back. Once the daemon
  // is gone, every outstanding job completes as lost.
  std::span<const Completion> reap(std::size_t max = 256);
  // Blocks until reap() would return something, nothing is outstanding, or the time is over. True
  // if reap() has something. With `at_least`, sleeps until so many completions are there (or all
  // that are outstanding): fewer wake-ups for who has many jobs under way. It may return with
  // fewer.
  bool wait(std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max(),
            std::size_t at_least = 1);

  // Withdraws a job that has not started; it completes as cancelled, here, at once. False if it had
  // started or ended.
  bool cancel(JobRef job);
  // Withdraws every job of this channel that has not started; each completes as cancelled. How
  // many.
  std::size_t cancel_all();
  // Asks the supervisor to stop a running job: the signal goes to a command's process group; a
  // function's stop_requested() turns true. After the daemon's kill_grace the command gets KILL; a
  // function's worker is killed under it.
  void kill(JobRef job, int signal = 15);

  // What a running job last reported by job.progress(); nullopt if it reported nothing, or does not
  // run. What is read was reported in one call.
  std::optional<Progress> progress(JobRef job) const;

  std::size_t outstanding() const;  // submitted or prepared, and not reaped
  std::size_t slots() const;
  std::size_t max_payload() const;  // bytes
  std::size_t max_result() const;
  bool connected() const;  // false once the daemon is gone

  // A descriptor for epoll, poll and event loops: readable when there may be completions (or the
  // daemon went away); then call arm(), reap() until it returns nothing, and wait for the
  // descriptor again. arm() also resets it.
  int fd() const;
  void arm();

  class Impl;
  explicit Channel(std::unique_ptr<Impl> impl);

 private:
  void give_up_reservation();
  std::unique_ptr<Impl> impl_;
  int reserved_slot_ = -1;  // -1: none
  std::size_t reserved_size_ = 0;
};

}  // namespace jobring
