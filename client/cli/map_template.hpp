// A command with places for inputs:
//     {}   the input              {.}   without its extension      {#}  the job's number, from 1
//     {/}  its last path part     {//}  its directory              {/.} last part without extension
//     {2} {2.} {2/} {2//} {2/.}   the same of the second source
// A name's leading dot starts no extension. With several sources {} stands for all: as a word of
// its own it becomes one word each, inside a word they are joined by spaces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jobring::cli {

// One job's input: a value of each source.
struct MapInput {
  std::uint64_t seq = 0;  // from 1
  std::vector<std::string> values;
  bool too_long = false;  // a value was cut when it was read
};

class MapTemplate {
 public:
  // If no word has a place, a last word {} is added.
  explicit MapTemplate(const std::vector<std::string>& words);

  // The words to run. A place of a source that does not exist is empty.
  std::vector<std::string> expand(const MapInput& input) const;
  // The same as one text, words joined by spaces; with `quote` the values are quoted for a shell,
  // the rest is not.
  std::string expand_text(const MapInput& input, bool quote) const;

 private:
  enum class Part { literal, whole, no_extension, base, directory, base_no_extension, number };
  struct Piece {
    Part part = Part::literal;
    std::size_t source = 0;  // from 1; 0: all
    std::string text;        // of a literal
  };
  using Word = std::vector<Piece>;

  static Word parse(std::string_view word);
  static bool parse_place(std::string_view inside, Piece& piece);
  static std::string take(Part part, const std::string& value);
  static void append(std::string& text, const Piece& piece, const MapInput& input, bool quote);

  std::vector<Word> words_;
};

}  // namespace jobring::cli
