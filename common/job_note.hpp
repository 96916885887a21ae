// What a slot holds beside its job: the tag that its client gave it, its handler's name if that
// stands nowhere else, and how far its handler says that it is. In a region of its own, so that
// slots stay small: a job that uses none of these touches nothing of it, and its pages are never
// allocated.
//
//   line 0      the tag: written by the client while the slot is FREE; valid if the job's flags say
//               kJobTagged. Of a durable job also the pid of the process that runs it, or was the
//               last to do so: written by the owner while the slot is RUNNING
//   line 1      the handler's name, as the tag with kJobNamed: for channels whose client needs more
//               names than their table has (the keeper's, which are of all jobs of a user)
//   lines 2-3   progress: written by the owner while the slot is RUNNING
//   line 4      nothing: an odd number of lines, as with slots
//
// Progress is a sequence lock: `version` is odd while it is written, and only grows. The generation
// inside is that of the RUNNING word of the writer: what an earlier job, or an attempt that
// crashed, has left there is nobody's progress. A writer killed in between leaves an odd version,
// so nothing can be read, until the next owner writes. Readers try a few times and give up: no
// writer, hostile or mad, can hold one. All fields are atomics, data with release and acquire, so
// that no fence is needed: a reader that sees one new field sees the odd version before it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "common/limits.hpp"
#include "common/shared_atomic.hpp"
#include "common/shared_field.hpp"

namespace jobring {

// `text` cut to at most `most` bytes, not within a UTF-8 character.
inline std::string_view cut_text(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t end = most;
  while (end > 0 && most - end < 3 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

class ProgressCell {
 public:
  struct Report {
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    std::string text;
  };

  // By the owner of the RUNNING word of this generation only.
  void write(std::uint64_t generation, std::uint64_t done, std::uint64_t total,
             std::string_view text) {
    text = cut_text(text, kProgressTextMax);
    const std::uint64_t odd = version_.load(std::memory_order_relaxed) | 1;
    version_.store(odd, std::memory_order_relaxed);
    // Release: whoever sees one of these sees the odd version.
    generation_.store(generation, std::memory_order_release);
    done_.store(done, std::memory_order_release);
    total_.store(total, std::memory_order_release);
    length_.store(text.size(), std::memory_order_release);
    for (std::size_t at = 0; at < text.size(); at += sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + at, std::min(sizeof word, text.size() - at));
      text_[at / sizeof word].store(word, std::memory_order_release);
    }
    version_.store(odd + 1, std::memory_order_release);
  }

  // What was written under this generation, in one call of write(); nullopt if nothing was, or if
  // it is written all the time.
  std::optional<Report> read(std::uint64_t generation) const {
    for (int tries = 0; tries < 16; ++tries) {
      const std::uint64_t before = version_.load(std::memory_order_acquire);
      if (before & 1) continue;
      if (generation_.load(std::memory_order_acquire) != generation) return std::nullopt;
      Report report;
      report.done = done_.load(std::memory_order_acquire);
      report.total = total_.load(std::memory_order_acquire);
      const std::size_t length =
          std::min<std::uint64_t>(length_.load(std::memory_order_acquire), kProgressTextMax);
      char text[kProgressTextMax];
      for (std::size_t at = 0; at < length; at += sizeof(std::uint64_t)) {
        const std::uint64_t word = text_[at / sizeof word].load(std::memory_order_acquire);
        std::memcpy(text + at, &word, sizeof word);
      }
      // Acquire loads above: this one does not happen before them.
      if (version_.load(std::memory_order_relaxed) != before) continue;
      report.text.assign(text, length);
      return report;
    }
    return std::nullopt;
  }

 private:
  SharedAtomic<std::uint64_t> version_;
  SharedAtomic<std::uint64_t> generation_;
  SharedAtomic<std::uint64_t> done_;
  SharedAtomic<std::uint64_t> total_;
  SharedAtomic<std::uint64_t> length_;
  SharedAtomic<std::uint64_t> text_[kProgressTextMax / sizeof(std::uint64_t)];
};

struct alignas(kCacheLine) JobNote {
  SharedField<std::uint8_t> tag_len;
  char tag[kTagMax];
  SharedField<std::uint32_t> worker_pid;  // 0: nobody has begun it
  alignas(kCacheLine) SharedField<std::uint8_t> handler_len;
  char handler[kHandlerNameMax];
  alignas(kCacheLine) ProgressCell progress;
  alignas(kCacheLine) char unused[kCacheLine];

  // By the client, while the slot is FREE. The caller has checked the length.
  void set_tag(std::string_view text) {
    std::memcpy(tag, text.data(), text.size());
    tag_len.set(std::uint8_t(text.size()));
    worker_pid.set(0);
  }
  // A copy: the client may change it at any time.
  std::string get_tag() const { return {tag, std::min<std::size_t>(tag_len.get(), kTagMax)}; }

  // As with the tag.
  void set_handler(std::string_view name) {
    std::memcpy(handler, name.data(), name.size());
    handler_len.set(std::uint8_t(name.size()));
  }
  std::string get_handler() const {
    return {handler, std::min<std::size_t>(handler_len.get(), kHandlerNameMax)};
  }
};

static_assert(kProgressTextMax % sizeof(std::uint64_t) == 0);
static_assert(sizeof(JobNote) == 5 * kCacheLine);
static_assert(1 + kTagMax + sizeof(std::uint32_t) <= kCacheLine, "one line");

}  // namespace jobring
