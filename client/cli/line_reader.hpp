// Records from a descriptor, one at a time, in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace jobring::cli {

enum class Pull {
  got,    // a value
  later,  // none yet: wait until fd() is readable
  end
};

// Records end with `separator`; a last one without it counts too, an empty rest does not. Bytes
// stay as they are (a carriage return as well). Not thread-safe.
class LineReader {
 public:
  // `most`: bytes of a record; what is longer is cut there and flagged, so that no input can fill
  // the memory.
  LineReader(UniqueFd fd, std::string name, char separator, std::size_t most);

  // Never blocks longer than one read() of a descriptor that poll() calls readable.
  Result<Pull> next(std::string& record, bool& too_long);
  int fd() const { return fd_.get(); }

  // Records from here to the end; nullopt if it is not a regular file. Does not move the place
  // where next() reads.
  std::optional<std::uint64_t> count() const;

 private:
  Result<Pull> fill();
  void keep(std::size_t from, std::size_t to);

  UniqueFd fd_;
  std::string name_;
  char separator_;
  std::size_t most_;
  std::string block_;
  std::size_t at_ = 0;         // in block_: what next() has not looked at
  std::string partial_;        // the start of a record that goes on in the next block
  bool partial_ever_ = false;  // a record has begun, though it may be empty so far
  bool cut_ = false;
  bool ended_ = false;
};

}  // namespace jobring::cli
