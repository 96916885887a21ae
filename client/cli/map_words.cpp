#include "client/cli/map_words.hpp"

namespace jobring::cli {

MapWords split_map_words(const std::vector<std::string>& words) {
  MapWords result;
  bool in_command = true;
  bool files = false;
  bool linked = false;
  for (const std::string& word : words) {
    if (word == ":::" || word == ":::+") {
      in_command = files = false;
      result.sources.push_back({.linked = word.ends_with('+')});
    } else if (word == "::::" || word == "::::+") {
      in_command = false;
      files = true;
      linked = word.ends_with('+');
    } else if (in_command) {
      result.command.push_back(word);
    } else if (files) {
      result.sources.push_back({.linked = linked, .is_file = true, .file = word});
    } else {
      result.sources.back().words.push_back(word);
    }
  }
  // There is nothing that the first one could go in step with.
  if (!result.sources.empty()) result.sources.front().linked = false;
  return result;
}

}  // namespace jobring::cli
