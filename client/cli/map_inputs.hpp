// The inputs of `jobring map`, combined from its sources: linked sources go in step and end with
// the shortest; the others are multiplied, the last one fastest. The first group is read as it is
// needed, so it may be endless; those after it are held in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/line_reader.hpp"
#include "client/cli/map_template.hpp"
#include "client/cli/map_words.hpp"
#include "common/result.hpp"

namespace jobring::cli {

class MapInputs {
 public:
  // Opens the files ("-" is stdin) and reads those of all groups but the first. `most`: bytes of
  // one value of a file.
  static Result<MapInputs> open(std::vector<SourceSpec> specs, char separator, std::size_t most);

  // The next input, with its number.
  Result<Pull> next(MapInput& input);
  // What to poll() after Pull::later.
  int fd() const { return waiting_fd_; }
  // How many inputs there are in all, if that can be known before they are read. Call it before
  // next().
  std::optional<std::uint64_t> total() const;

 private:
  struct Value {
    std::string text;
    bool too_long = false;
  };
  struct Source {
    std::vector<std::string> words;
    std::size_t next_word = 0;
    std::unique_ptr<LineReader> lines;  // null: the words

    Result<Pull> next(Value& value);
    std::optional<std::uint64_t> total() const;
  };
  using Row = std::vector<Value>;  // a value of each source of a group

  static Result<std::vector<Row>> read_all(std::vector<Source> group);
  Result<Pull> next_outer();

  std::vector<Source> outer_;
  Row outer_row_;                // the values of outer_ so far
  bool outer_complete_ = false;  // outer_row_ has one of each
  std::vector<std::vector<Row>> inner_;
  std::vector<std::size_t> wheel_;  // the row of each inner group that comes next
  std::uint64_t seq_ = 0;
  int waiting_fd_ = -1;
};

}  // namespace jobring::cli
