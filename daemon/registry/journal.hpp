// The registry's memory: a segment that the supervisor keeps, so that it outlives the registry.
//
//   line 0   magic, version, size                    written once
//   line 1   the commit word                         the only word that decides anything
//   half 0   records · · · ·│ (garbage behind the tail)
//   half 1   records of an older life, or a snapshot that is being written
//
//   commit word   half:1 | tail:35 (in 8 bytes) | check:28
//   record        u64 checksum, u32 length of the body, u32 zero, body, zeroes up to 8 bytes
//
// Append: write the record behind the tail, then store the commit word with the new tail.
// Snapshot: write records that make the whole state into the other half from its start, then store
// the commit word with that half and its tail.
//
// Invariants
// 1. What the commit word covers is never written again while it is covered. So whatever the writer
//    was doing when it was killed, the committed records are whole.
// 2. A record's checksum continues that of the record before it, and the commit word's check is
//    that of the last one: a record or tail that is not the one written is seen when it is read.
// 3. One writer at a time: the supervisor starts a registry only when the last one is dead.
//
// A kill between two stores leaves the old commit word and garbage that nobody reads, or the new
// one and all that it covers: stores of one process are seen in their order by the kernel that
// keeps the pages, and the release store keeps the compiler from changing that order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "common/result.hpp"

namespace jobring::registry {

class Journal {
 public:
  static constexpr std::size_t kSegmentMin = 4096;  // bytes

  // Reads all committed records in order. A segment of zeroes becomes an empty journal. One that is
  // damaged, or of another version or size, is refused and left as it is. `apply` returns false if
  // a record makes no sense.
  static Result<Journal> open(std::span<std::byte> segment,
                              const std::function<bool(std::string_view body)>& apply);

  // Whether a record of this body fits behind the tail.
  bool fits(std::size_t body) const { return record_size(body) <= half_size_ - tail_; }
  // Appends and commits. The caller has asked fits().
  void append(std::string_view body);

  // A snapshot: begin, add its records, commit. Until the commit nothing has changed. add() returns
  // false if the half is full.
  void begin_snapshot();
  bool add(std::string_view body);
  void commit_snapshot();

  // Bytes of records that a snapshot may have, so that after it at least three eighths of the half
  // are free for appending: that bounds how often a snapshot is needed.
  std::size_t live_max() const { return half_size_ / 8 * 5; }
  std::size_t half_size() const { return half_size_; }
  std::size_t used() const { return tail_; }
  static std::size_t record_size(std::size_t body) { return 16 + (body + 7) / 8 * 8; }

  // For tests: called before every single store to the segment, of 8 bytes at most.
  void on_store(void (*hook)()) { on_store_ = hook; }

 private:
  Journal(std::byte* base, std::size_t half_size) : base_(base), half_size_(half_size) {}
  std::byte* half(unsigned which) const { return base_ + 128 + which * half_size_; }
  void write(std::byte* to, const void* from, std::size_t size);
  void store_word(std::byte* to, std::uint64_t word);
  // Writes a record and returns its checksum.
  std::uint64_t write_record(std::byte* to, std::string_view body, std::uint64_t seed);
  void commit();

  std::byte* base_;
  std::size_t half_size_;   // bytes
  unsigned half_ = 0;       // in use
  std::size_t tail_ = 0;    // bytes
  std::uint64_t last_ = 0;  // checksum of the last record
  std::size_t snapshot_tail_ = 0;
  std::uint64_t snapshot_last_ = 0;
  void (*on_store_)() = nullptr;
};

}  // namespace jobring::registry
