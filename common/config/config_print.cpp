// The table of keys as text: --print-config, config.example.json and docs/config.md.
#include <sstream>
#include <type_traits>

#include "common/config/config_schema.hpp"
#include "common/config/json_tree.hpp"

namespace jobring {
namespace {

constexpr std::size_t kWidth = 100;

// `text` as // comments of at most kWidth columns.
void print_comment(std::ostream& out, const std::string& text, const std::string& indent) {
  std::istringstream words(text);
  std::string line;
  for (std::string word; words >> word;) {
    if (!line.empty() && indent.size() + 3 + line.size() + 1 + word.size() > kWidth) {
      out << indent << "// " << line << "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  out << indent << "// " << line << "\n";
}

template <class Owner>
std::string type_and_range(const Key<Owner>& key) {
  return key.type + (key.type.empty() || key.range.empty() ? "" : ", ") + key.range;
}

// ---- settings

class Printer {
 public:
  explicit Printer(std::ostream& out) : out_(out) {}

  template <class Owner>
  void object(const std::vector<Key<Owner>>& keys, const Owner& owner, const std::string& indent,
              bool comments) {
    out_ << "{\n";
    const std::string inner = indent + "  ";
    for (const Key<Owner>& key : keys) {
      if (comments && &key != &keys.front()) out_ << "\n";
      if (comments) {
        print_comment(out_, key.meaning, inner);
        if (key.write)
          print_comment(out_, type_and_range(key) + "; default " + key.default_value(), inner);
        if (!key.example.empty()) print_comment(out_, "example: " + key.example, inner);
      }
      out_ << inner << json_quote(key.name) << ": ";
      switch (key.kind) {
        case Key<Owner>::Kind::value:
          out_ << key.write(owner);
          break;
        case Key<Owner>::Kind::section:
          object(key.keys, owner, inner, comments);
          break;
        case Key<Owner>::Kind::pools:
          if constexpr (std::is_same_v<Owner, Config>) pools(owner, inner);
          break;
      }
      out_ << (&key == &keys.back() ? "\n" : ",\n");
    }
    out_ << indent << "}";
  }

 private:
  // The keys of all pools are the same: the first one's comments do for all.
  void pools(const Config& config, const std::string& indent) {
    out_ << "{\n";
    for (const PoolConfig& pool : config.pools) {
      out_ << indent << "  " << json_quote(pool.name) << ": ";
      object(pool_keys(), pool, indent + "  ", &pool == &config.pools.front());
      out_ << (&pool == &config.pools.back() ? "\n" : ",\n");
    }
    out_ << indent << "}";
  }

  std::ostream& out_;
};

std::string print_settings(const Config& config, const std::string& introduction) {
  std::ostringstream out;
  print_comment(out, introduction, "");
  Printer(out).object(daemon_keys(), config, "", true);
  out << "\n";
  return out.str();
}

// ---- reference

// A table cell: '|' would end it, and '<' or '*' would be markup.
std::string cell(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*' || c == '_') result += '\\';
    result += c;
  }
  return result;
}

std::string code(const std::string& text) {
  return text.empty() ? "" : "`" + text + "`";
}

template <class Owner>
void print_table(std::ostream& out, const std::vector<Key<Owner>>& keys,
                 const std::string& prefix) {
  out << "| key | type and range | default | meaning |\n|---|---|---|---|\n";
  for (const Key<Owner>& key : keys) {
    if (key.kind == Key<Owner>::Kind::section) {
      out << "| " << code(prefix + key.name) << " | object | | See [" << prefix << key.name << "](#"
          << prefix << key.name << "). |\n";
      continue;
    }
    out << "| " << code(prefix + key.name) << " | " << cell(type_and_range(key)) << " | "
        << code(key.default_value()) << " | " << cell(key.meaning);
    if (!key.example.empty()) out << " Example: " << code(key.example);
    out << " |\n";
  }
  out << "\n";
  for (const Key<Owner>& key : keys) {
    if (key.kind != Key<Owner>::Kind::section) continue;
    out << "### " << prefix << key.name << "\n\n" << key.meaning << "\n\n";
    print_table(out, key.keys, prefix + key.name + ".");
  }
}

constexpr const char* kIntroduction = R"(# The config file

<!-- Written by `jobringd --config-reference > docs/config.md` from the table in common/config/config_schema.cpp. -->

`jobringd --config FILE` reads one file of settings; without it the defaults below hold. Every key may be left out.

- The file is JSON with `//` and `/* */` comments, in UTF-8, at most 1 MiB. JSON knows no trailing commas.
- A **duration** is a string of whole numbers with units `d h m s ms us ns`, the largest first: `"50us"`, `"30s"`, `"1h30m"`.
- A **size** is a string of one whole number with a unit: `B`, `KiB MiB GiB TiB` (powers of 1024), or `KB MB GB TB` (powers of
  1000): `"64MiB"`.
- Only 0 needs no unit. `30`, `"64M"` (MiB or MB?) and fractions such as `"1.5s"` are refused; the message says what to write.
- Relative paths are relative to the directory of the config file.
- `jobringd --config FILE --check-config` names every mistake with its place, what was found and what is allowed:
  `/pools/default/workers: found 500; allowed: a whole number from 1 to 128, or "auto"`.
- `jobringd --config FILE --print-config` prints the settings in force, defaults included, as such a file.
- `config.example.json` holds every key with its default.

A small one:

```json
{
  // The unix group that may use this daemon.
  "groups": ["users"],
  "pools": {
    "default": {},
    "slow": {"workers": 2, "nice": 10, "limits": {"cpu": "1h", "core": "0B"}}
  }
}
```

)";

}  // namespace

std::string print_config(const Config& config) {
  return print_settings(
      config,
      "The settings in force, defaults included. The keys are explained in docs/config.md.");
}

std::string config_example() {
  Config config = default_config();
  config.pools.front().workers = 0;  // written as "auto"
  config.pools.front().threads = 0;
  return print_settings(config,
                        "Settings of jobringd, every key with its default: delete what you do not "
                        "change. This is JSON with "
                        "comments and without trailing commas. Durations are \"50us\", \"30s\", "
                        "\"1h30m\"; sizes are \"64MiB\" "
                        "(1024) or \"1GB\" (1000). `jobringd --config FILE --check-config` names "
                        "every mistake. More in "
                        "docs/config.md.");
}

std::string config_reference() {
  std::ostringstream out;
  out << kIntroduction << "## The daemon\n\n";
  print_table(out, daemon_keys(), "");
  out << "## A pool\n\nThe keys of each object in `pools`.\n\n";
  print_table(out, pool_keys(), "");
  std::string text = out.str();
  text.pop_back();  // the last table's blank line
  return text;
}

}  // namespace jobring
