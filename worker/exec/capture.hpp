// What a command writes, collected: pipes that are always read, memory that is bounded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/unique_fd.hpp"
#include "worker/exec/output_file.hpp"

namespace jobring {

// Divides one room between stdout and stderr. Keeps the first bytes of each and counts all.
//
// Invariants:
//   1. out.kept + err.kept <= room, and each <= each_max.
//   2. What is kept of a stream is a prefix of it: once a byte is dropped, none is added.
//   3. stderr is never cut below a quarter of the room for the sake of stdout.
class OutputRoom {
 public:
  enum Stream : std::size_t { out, err };
  struct Kept {
    std::string text;
    std::uint64_t total = 0;           // bytes, kept or not
    std::optional<OutputFile> file{};  // where they are kept instead of in `text`
    bool truncated() const { return text.size() + (file ? file->kept() : 0) < total; }
  };

  // Bytes; an each_max of 0 means no such limit.
  OutputRoom(std::size_t room, std::uint64_t each_max);
  void add(Stream stream, std::string_view bytes);
  Kept& operator[](Stream stream) { return kept_[stream]; }

 private:
  std::size_t room_, each_max_;
  std::array<Kept, 2> kept_;
};

// The pipe of one stream. We keep the command's end of it too, so that the pipe never shows an end
// of file: the end of the command itself is what we wait for, one wake-up instead of three, and
// what a stray keeps open does not matter.
class CapturePipe {
 public:
  // False with errno.
  bool open();
  bool is_open() const { return bool(read_end_); }
  int read_fd() const { return read_end_ ? read_end_.get() : -1; }
  int command_fd() const { return write_end_.get(); }
  // One read; it never blocks. False if there was nothing.
  bool read_into(OutputRoom& room, OutputRoom::Stream stream);
  // What is in the pipe; not what somebody who still writes adds for ever.
  void drain_into(OutputRoom& room, OutputRoom::Stream stream);

 private:
  UniqueFd read_end_, write_end_;
};

// Text that a command reads from its stdin.
class FeedPipe {
 public:
  // Makes the pipe and fills it as far as it takes: most texts fit at once. False with errno.
  bool open(std::string_view text);
  // -1 once the command has it.
  int command_fd() const { return read_end_.get(); }
  void started() { read_end_.reset(); }
  // -1 once all is written, or the command has closed its end.
  int write_fd() const { return write_end_ ? write_end_.get() : -1; }
  // Writes what the pipe takes; never blocks. SIGPIPE must be blocked (SignalGate).
  void feed();

 private:
  std::string_view rest_;
  UniqueFd read_end_, write_end_;
};

}  // namespace jobring
