// What a durable command writes to one of its streams, kept in a file. It grows while the command
// runs, so that others can follow it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/unique_fd.hpp"

namespace jobring {

// The file is made with its first byte, and its directory with it: most commands say nothing on
// stderr. An error, such as a full disk, is told once, in this process's own stderr, and ends the
// keeping, never the command: what comes after is dropped, so the file is a prefix of the stream.
class OutputFile {
 public:
  // At most `most` bytes, and no more than our own RLIMIT_FSIZE allows, which would be our end.
  OutputFile(std::string directory, std::string name, std::uint64_t most)
      : directory_(std::move(directory)), name_(std::move(name)), most_(most) {}

  void add(std::string_view bytes);
  std::uint64_t kept() const { return kept_; }  // bytes

 private:
  bool open();
  void give_up(const char* what);

  std::string directory_, name_;
  std::uint64_t most_;
  UniqueFd file_;
  std::uint64_t kept_ = 0;
  bool over_ = false;
};

}  // namespace jobring
