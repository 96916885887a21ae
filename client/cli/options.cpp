#include "client/cli/options.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "common/config/suggest.hpp"
#include "common/config/units.hpp"
#include "common/result.hpp"

namespace jobring::cli {
namespace {

// CLI11's own usage line cannot show words that it does not parse.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter(std::string usage, std::string examples)
      : usage_(std::move(usage)), examples_(std::move(examples)) {
    column_width(28);
    label("OPTIONS", "options");
  }
  std::string make_usage(const CLI::App*, std::string) const override { return usage_; }
  std::string make_footer(const CLI::App*) const override { return examples_; }

 private:
  std::string usage_;
  std::string examples_;
};

std::string long_name(const CLI::Option& option) {
  const std::string name = option.get_name(false, true);
  const std::size_t comma = name.rfind(',');
  return comma == std::string::npos ? name : name.substr(comma + 1);
}

}  // namespace

struct Options::Parser {
  CLI::App app;
  std::string verb;
  std::string where;
  std::string section = "Options";

  // One more argument taken from the command line as an option, or as the value of one. Returns
  // what is wrong with it.
  std::optional<std::string> take_option(Arguments arguments, std::size_t& next,
                                         std::vector<std::string>& taken) const;
  bool takes_value(const CLI::Option& option) const { return option.get_items_expected_min() > 0; }
  std::string unknown(const std::string& name) const;
};

Options::Options(const HelpText& text) : parser_(std::make_unique<Parser>()) {
  CLI::App& app = parser_->app;
  parser_->verb = text.verb;
  app.description(text.summary);
  app.set_help_flag("-h,--help", "print this help");
  app.formatter(std::make_shared<HelpFormatter>(
      std::string("\nUsage: jobring ") + text.verb + " " + text.usage + "\n",
      std::string("Examples:\n") + text.examples));
}

Options::~Options() = default;

void Options::section(const char* heading) {
  parser_->section = heading;
}

void Options::set_where(std::string where) {
  parser_->where = std::move(where);
}

void Options::flag(const char* names, bool& into, const char* help) {
  parser_->app.add_flag(names, into, help)->group(parser_->section);
}

void Options::text(const char* names, std::string& into, const char* type, const char* help) {
  parser_->app.add_option(names, into, help)
      ->option_text(type)
      ->group(parser_->section)
      ->take_last();
}

void Options::list(const char* names, std::vector<std::string>& into, const char* type,
                   const char* help) {
  parser_->app.add_option(names, into, help)
      ->option_text(type)
      ->group(parser_->section)
      ->allow_extra_args(false);
}

void Options::number(const char* names, std::uint64_t& into, std::uint64_t least,
                     std::uint64_t most, const char* type, const char* help) {
  parser_->app.add_option(names, into, help)
      ->option_text(type)
      ->group(parser_->section)
      ->check(CLI::Range(least, most))
      ->take_last();
}

void Options::duration(const char* names, std::chrono::milliseconds& into, const char* help) {
  parser_->app
      .add_option_function<std::string>(
          names,
          [&into](const std::string& value) {
            const auto parsed = parse_duration(value);
            if (!parsed) throw CLI::ValidationError(parsed.error().line());
            // Rounded up: "1us" must not turn into "none".
            into = std::chrono::ceil<std::chrono::milliseconds>(*parsed);
          },
          help)
      ->option_text("DURATION")
      ->group(parser_->section)
      ->take_last();
}

void Options::size(const char* names, std::uint64_t& into, const char* help) {
  parser_->app
      .add_option_function<std::string>(
          names,
          [&into](const std::string& value) {
            const auto parsed = parse_size(value);
            if (!parsed) throw CLI::ValidationError(parsed.error().line());
            into = *parsed;
          },
          help)
      ->option_text("SIZE")
      ->group(parser_->section)
      ->take_last();
}

void Options::choice(const char* names, std::string& into,
                     std::initializer_list<const char*> values, const char* help) {
  std::vector<std::string> allowed(values.begin(), values.end());
  parser_->app.add_option(names, into, help)
      ->option_text(CLI::detail::join(allowed, "|"))
      ->group(parser_->section)
      ->check(CLI::IsMember(allowed))
      ->take_last();
}

void Options::value(const char* names, std::function<Result<void>(const std::string&)> take,
                    const char* type, const char* help) {
  parser_->app
      .add_option_function<std::string>(
          names,
          [take = std::move(take)](const std::string& value) {
            auto taken = take(value);
            if (!taken) throw CLI::ValidationError(taken.error().line());
          },
          help)
      ->option_text(type)
      ->group(parser_->section)
      ->take_last();
}

void Options::values(const char* names, std::function<Result<void>(const std::string&)> take,
                     const char* type, const char* help) {
  parser_->app
      .add_option_function<std::vector<std::string>>(
          names,
          [take = std::move(take)](const std::vector<std::string>& all) {
            for (const std::string& value : all) {
              auto taken = take(value);
              if (!taken) throw CLI::ValidationError(taken.error().line());
            }
          },
          help)
      ->option_text(type)
      ->group(parser_->section)
      ->allow_extra_args(false);
}

std::string Options::Parser::unknown(const std::string& name) const {
  std::string what = "unknown option \"" + name + "\"";
  if (name.size() < 3) return what;  // every letter is near to every other
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options()) known.push_back(long_name(*option));
  const std::string near = nearest(name, known);
  if (!near.empty()) what += "; did you mean \"" + near + "\"?";
  return what;
}

std::optional<std::string> Options::Parser::take_option(Arguments arguments, std::size_t& next,
                                                        std::vector<std::string>& taken) const {
  const std::string argument = arguments[next++];
  const CLI::Option* last = nullptr;
  bool value_inside = false;
  if (argument.starts_with("--")) {
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    last = app.get_option_no_throw(name);
    if (last == nullptr) return unknown(name);
    value_inside = equals != std::string::npos;
  } else {
    // -abc is -a -b -c, up to the first that takes a value: -j4.
    for (std::size_t i = 1; i < argument.size(); ++i) {
      const std::string name{'-', argument[i]};
      last = app.get_option_no_throw(name);
      if (last == nullptr) return unknown(name);
      if (takes_value(*last)) {
        value_inside = i + 1 < argument.size();
        break;
      }
    }
  }
  taken.push_back(argument);
  if (!takes_value(*last) || value_inside) return std::nullopt;
  if (next == arguments.size()) return "option \"" + argument + "\" needs a value";
  taken.push_back(arguments[next++]);
  return std::nullopt;
}

std::optional<int> Options::parse(Arguments arguments, Order order,
                                  std::vector<std::string>& words) {
  std::vector<std::string> taken;
  for (std::size_t i = 0; i < arguments.size();) {
    const std::string_view argument = arguments[i];
    if (argument == "--") {
      words.insert(words.end(), arguments.begin() + std::ptrdiff_t(i) + 1, arguments.end());
      break;
    }
    // -2 is a number; -0 is an option of some verbs.
    const bool number = argument.size() > 1 && argument[1] >= '1' && argument[1] <= '9';
    if (argument.size() > 1 && argument[0] == '-' && !number) {
      if (auto wrong = parser_->take_option(arguments, i, taken)) return usage_error(*wrong);
    } else if (order == Order::before_words) {
      words.insert(words.end(), arguments.begin() + std::ptrdiff_t(i), arguments.end());
      break;
    } else {
      words.emplace_back(argument);
      ++i;
    }
  }
  try {
    std::reverse(taken.begin(), taken.end());  // CLI11 takes them from the back
    parser_->app.parse(std::move(taken));
  } catch (const CLI::CallForHelp&) {
    std::fputs(parser_->app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::ParseError& e) {
    return usage_error(e.what());
  }
  return std::nullopt;
}

int Options::usage_error(const std::string& what) const {
  const std::string where = parser_->where.empty() ? "" : parser_->where + ": ";
  std::fprintf(stderr, "jobring %s: %s%s; see `jobring %s --help`\n", parser_->verb.c_str(),
               where.c_str(), what.c_str(), parser_->verb.c_str());
  return exit_status(Errc::usage);
}

}  // namespace jobring::cli
