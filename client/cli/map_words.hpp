// The words of `jobring map` after its options: a command, then sources of inputs.
//     gzip -9 {}  ::: a b  :::+ 1 2  :::: more.txt
#pragma once

#include <string>
#include <vector>

namespace jobring::cli {

// One source: words of the command line (:::) or the lines of a file (::::, -a; "-" is stdin).
struct SourceSpec {
  bool linked = false;  // with a "+": goes in step with the source before it, instead of being
                        // multiplied with it
  bool is_file = false;
  std::vector<std::string> words = {};
  std::string file = {};
};

struct MapWords {
  std::vector<std::string> command;
  std::vector<SourceSpec> sources;
};

// A separator counts wherever it stands as a word of its own. :::: takes every word after it as a
// file.
MapWords split_map_words(const std::vector<std::string>& words);

}  // namespace jobring::cli
