#include "daemon/registry/journal.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>

#include "daemon/registry/checksum.hpp"

namespace jobring::registry {
namespace {

constexpr std::uint64_t kMagic = 0x79727473'67655231u;  // "1Regstry"
// If you change this file's layout or that of an effect (effects.hpp), increment it.
constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kMagicAt = 0, kVersionAt = 8, kSizeAt = 16, kCommitAt = 64, kHead = 128;
constexpr std::uint64_t kSeed = 0x6a6f6272696e6721u;
constexpr unsigned kCheckBits = 28;

std::uint64_t load(const std::byte* from) {
  return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(from), __ATOMIC_ACQUIRE);
}

std::uint64_t commit_word(unsigned half, std::size_t tail, std::uint64_t last) {
  const std::uint64_t place = std::uint64_t(half) << 35 | tail / 8;
  const std::uint64_t check = checksum_step(checksum_step(kSeed, place), last) >> (64 - kCheckBits);
  return place << kCheckBits | check;
}

Error damaged(const std::string& what) {
  return Error{Errc::bad_input, what, "registry segment", "it is left as it is"};
}

}  // namespace

Result<Journal> Journal::open(std::span<std::byte> segment,
                              const std::function<bool(std::string_view)>& apply) {
  if (segment.size() < kSegmentMin)
    return damaged("it is smaller than " + std::to_string(kSegmentMin) + " bytes");
  std::byte* base = segment.data();
  Journal journal(base, (segment.size() - kHead) / 2 / 8 * 8);
  const std::uint64_t magic = load(base + kMagicAt);
  if (magic == 0) {
    // Never used, or killed in these lines: the magic number is the last of their stores.
    if (std::any_of(base + kHead, base + kHead + 16, [](std::byte b) { return b != std::byte{}; }))
      return damaged("it has records but no magic number");
    journal.store_word(base + kVersionAt, kVersion);
    journal.store_word(base + kSizeAt, segment.size());
    journal.last_ = kSeed;
    journal.commit();
    journal.store_word(base + kMagicAt, kMagic);
    return journal;
  }
  if (magic != kMagic) return damaged("it does not begin with the registry's magic number");
  if (load(base + kVersionAt) != kVersion) {
    return damaged("its version is " + std::to_string(load(base + kVersionAt)) +
                   ", this registry reads version " + std::to_string(kVersion));
  }
  if (load(base + kSizeAt) != segment.size()) {
    return damaged("it says that it has " + std::to_string(load(base + kSizeAt)) +
                   " bytes, but it has " + std::to_string(segment.size()));
  }

  const std::uint64_t word = load(base + kCommitAt);
  const std::uint64_t place = word >> kCheckBits;
  journal.half_ = unsigned(place >> 35);
  const std::uint64_t tail = (place & ((std::uint64_t{1} << 35) - 1)) * 8;
  if (tail > journal.half_size_) return damaged("its tail lies outside of it");
  const std::byte* records = journal.half(journal.half_);
  std::uint64_t last = kSeed;
  const auto at = [](std::size_t offset) { return "the record at byte " + std::to_string(offset); };
  // All checksums first, so that nothing is built from a journal that is damaged further on.
  for (const bool applying : {false, true}) {
    for (std::size_t offset = 0; offset < tail;) {
      if (tail - offset < 16) return damaged(at(offset) + " is cut off");
      const std::uint64_t sum = load(records + offset), lengths = load(records + offset + 8);
      const std::size_t length = std::uint32_t(lengths);
      if (lengths >> 32 != 0 || record_size(length) > tail - offset)
        return damaged(at(offset) + " is longer than what was committed");
      const std::string_view body(reinterpret_cast<const char*>(records + offset + 16), length);
      if (applying) {
        if (!apply(body)) return damaged(at(offset) + " makes no sense");
      } else {
        last = checksum(last, body);
        if (last != sum) return damaged(at(offset) + " does not match its checksum");
      }
      offset += record_size(length);
    }
    if (word != commit_word(journal.half_, tail, last))
      return damaged("its commit word does not match its last record");
  }
  journal.tail_ = tail;
  journal.last_ = last;
  return journal;
}

// Plain stores, the commit word's release store comes after them. Under a test's hook word by word.
void Journal::write(std::byte* to, const void* from, std::size_t size) {
  if (on_store_ == nullptr) {
    if (size != 0) std::memcpy(to, from, size);
    return;
  }
  const auto* bytes = static_cast<const std::byte*>(from);
  for (std::size_t done = 0; done < size; done += 8) {
    on_store_();
    std::memcpy(to + done, bytes + done, std::min<std::size_t>(8, size - done));
  }
}

void Journal::store_word(std::byte* to, std::uint64_t word) {
  if (on_store_ != nullptr) on_store_();
  // Release: every store before this one is in the segment when this one is.
  __atomic_store_n(reinterpret_cast<std::uint64_t*>(to), word, __ATOMIC_RELEASE);
}

std::uint64_t Journal::write_record(std::byte* to, std::string_view body, std::uint64_t seed) {
  const std::uint64_t sum = checksum(seed, body);
  const std::uint64_t head[2] = {sum, body.size()};
  write(to, head, sizeof head);
  write(to + 16, body.data(), body.size());
  const std::uint64_t zero = 0;
  if (body.size() % 8 != 0) write(to + 16 + body.size(), &zero, 8 - body.size() % 8);
  return sum;
}

void Journal::commit() {
  store_word(base_ + kCommitAt, commit_word(half_, tail_, last_));
}

void Journal::append(std::string_view body) {
  last_ = write_record(half(half_) + tail_, body, last_);
  tail_ += record_size(body.size());
  commit();
}

void Journal::begin_snapshot() {
  snapshot_tail_ = 0;
  snapshot_last_ = kSeed;
}

bool Journal::add(std::string_view body) {
  if (record_size(body.size()) > half_size_ - snapshot_tail_) return false;
  snapshot_last_ = write_record(half(1 - half_) + snapshot_tail_, body, snapshot_last_);
  snapshot_tail_ += record_size(body.size());
  return true;
}

void Journal::commit_snapshot() {
  half_ = 1 - half_;
  tail_ = snapshot_tail_;
  last_ = snapshot_last_;
  commit();
}

}  // namespace jobring::registry
