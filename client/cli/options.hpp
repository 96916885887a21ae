// The options of one verb: a thin coat over CLI11, which only options.cpp includes, because it is
// slow to compile. Only the verb that runs builds its options.
//
//     Options options({.verb = "ping", .usage = "[OPTIONS]", .summary = "...", .examples = "..."});
//     bool json = false;
//     options.flag("--json", json, "print a JSON object");
//     std::vector<std::string> words;
//     if (auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/result.hpp"

namespace jobring::cli {

// What follows the verb on the command line.
using Arguments = std::span<char* const>;

struct HelpText {
  const char* verb;
  const char* usage;     // after "jobring VERB"
  const char* summary;   // one or two lines
  const char* examples;  // indented lines
};

class Options {
 public:
  // Where options may stand: anywhere before "--", or only before the first word that is not one
  // (for verbs whose words are a command with options of its own).
  enum class Order { anywhere, before_words };

  explicit Options(const HelpText& text);
  ~Options();

  // `names` is "-k,--keep-order". A value that is given twice: the last one counts; lists collect.
  void flag(const char* names, bool& into, const char* help);
  void text(const char* names, std::string& into, const char* type, const char* help);
  void list(const char* names, std::vector<std::string>& into, const char* type, const char* help);
  void number(const char* names, std::uint64_t& into, std::uint64_t least, std::uint64_t most,
              const char* type, const char* help);
  void duration(const char* names, std::chrono::milliseconds& into, const char* help);
  void size(const char* names, std::uint64_t& into, const char* help);  // bytes
  void choice(const char* names, std::string& into, std::initializer_list<const char*> values,
              const char* help);
  // Anything else: `take` gets the text, and its error is the option's. Given twice: the last one.
  void value(const char* names, std::function<Result<void>(const std::string&)> take,
             const char* type, const char* help);
  // The same, taken each time that it is given, in their order.
  void values(const char* names, std::function<Result<void>(const std::string&)> take,
              const char* type, const char* help);
  // In the help, what is added from here on stands under this heading.
  void section(const char* heading);
  // Whose words these are if not the command line's: "backup.sh: line 3". Errors begin with it.
  void set_where(std::string where);

  // The exit status if the verb is over: 0 after --help (on stdout), 64 after one line on stderr.
  // Otherwise nullopt, and `words` holds what is not an option.
  std::optional<int> parse(Arguments arguments, Order order, std::vector<std::string>& words);

  // One line on stderr that points to the verb's help; returns 64.
  int usage_error(const std::string& what) const;

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace jobring::cli
