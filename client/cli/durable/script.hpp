// A command line whose command is a script with options of its own (directives.hpp).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/durable/directives.hpp"
#include "client/cli/durable/spec_options.hpp"
#include "client/cli/options.hpp"

namespace jobring::cli {

// The head of the script that `words` name: their first has a slash, nothing said that it is a
// command ("--", -c, --handler), and it is a script. Throws Exception(usage) for a head that makes
// no sense.
std::optional<ScriptHead> script_of(const std::vector<std::string>& words, bool after_dashes,
                                    const Work& work);

// Adds the words of all directives to `before`. Each is read alone first, by options that
// `add_options` makes, so that an error can say where it is; then the exit status is returned.
std::optional<int> add_directives(const std::string& script, const ScriptHead& head,
                                  const HelpText& help,
                                  const std::function<void(Options&)>& add_options,
                                  std::vector<std::string>& before);

// What is to be executed: a script that may not be, or has no #!, is run by its interpreter or by
// sh; its path is from here, whatever --cwd says.
void settle_script(const ScriptHead& head, const Work& work, std::vector<std::string>& words);

// Words as Options::parse() takes them. They must outlive it.
std::vector<char*> as_arguments(std::vector<std::string>& words);

}  // namespace jobring::cli
