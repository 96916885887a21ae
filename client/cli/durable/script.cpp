#include "client/cli/durable/script.hpp"

#include <unistd.h>

#include "client/cli/caller.hpp"
#include "client/client_core.hpp"

namespace jobring::cli {

std::optional<ScriptHead> script_of(const std::vector<std::string>& words, bool after_dashes,
                                    const Work& work) {
  if (words.empty() || after_dashes || !work.shell.empty() || !work.handler.empty() ||
      words[0].find('/') == std::string::npos) {
    return std::nullopt;
  }
  auto head = read_script_head(words[0]);
  if (!head) detail::throw_error(head.error());
  return std::move(*head);
}

std::optional<int> add_directives(const std::string& script, const ScriptHead& head,
                                  const HelpText& help,
                                  const std::function<void(Options&)>& add_options,
                                  std::vector<std::string>& before) {
  for (const Directive& directive : head.directives) {
    Options options(help);
    options.set_where(script + ": line " + std::to_string(directive.line));
    add_options(options);
    std::vector<std::string> words = directive.words, rest;
    if (const auto status = options.parse(as_arguments(words), Options::Order::before_words, rest))
      return *status;
    if (!rest.empty()) return options.usage_error("\"" + rest[0] + "\" is no option");
    before.insert(before.end(), words.begin(), words.end());
  }
  return std::nullopt;
}

void settle_script(const ScriptHead& head, const Work& work, std::vector<std::string>& words) {
  const bool by_itself = access(words[0].c_str(), X_OK) == 0 && !head.interpreter.empty();
  if (!work.cwd.empty() && words[0].front() != '/') {
    words[0] = command_of_caller().cwd + "/" + words[0];
  }
  if (by_itself) return;
  if (head.interpreter.empty()) {
    words.insert(words.begin(), "/bin/sh");
  } else {
    words.insert(words.begin(), head.interpreter.begin(), head.interpreter.end());
  }
}

std::vector<char*> as_arguments(std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  return arguments;
}

}  // namespace jobring::cli
