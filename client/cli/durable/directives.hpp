// Options in a script's own head:
//
//     #!/bin/sh
//     #JOBRING --name nightly --retries 3
//     #JOBRING --tag 'my backup'
//
// They stand in the comments before the first line that is neither empty nor a comment, are split
// into words as a shell does it, and mean what they mean on the command line, which wins.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace jobring::cli {

struct Directive {
  std::size_t line = 0;  // from 1
  std::vector<std::string> words;
};

struct ScriptHead {
  std::vector<std::string> interpreter;  // of its #! line; empty: it has none
  std::vector<Directive> directives;
};

// Error: usage, a quote that is not closed.
Result<ScriptHead> parse_script_head(std::string_view text);

// The head of the file, if it is a script: a regular file that begins with #! or whose comments
// hold directives. nullopt: it is not, or cannot be read.
Result<std::optional<ScriptHead>> read_script_head(const std::string& path);

}  // namespace jobring::cli
