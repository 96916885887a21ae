#include "client/cli/durable/directives.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/durable/texts.hpp"
#include "common/unique_fd.hpp"

namespace jobring::cli {
namespace {

constexpr std::size_t kHeadMost = 64 * 1024;  // bytes that are looked at
constexpr std::string_view kMark = "#JOBRING";

std::string_view trimmed(std::string_view line) {
  const std::size_t from = line.find_first_not_of(" \t\r");
  if (from == line.npos) return {};
  return line.substr(from, line.find_last_not_of(" \t\r") + 1 - from);
}

// As the kernel does it: the program, then all the rest as one argument.
std::vector<std::string> interpreter_of(std::string_view line) {
  line = trimmed(line.substr(2));
  const std::size_t space = line.find_first_of(" \t");
  std::vector<std::string> words{std::string(line.substr(0, space))};
  if (words[0].empty()) return {};
  if (space != line.npos) words.emplace_back(trimmed(line.substr(space)));
  return words;
}

}  // namespace

Result<ScriptHead> parse_script_head(std::string_view text) {
  ScriptHead head;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    ++number;
    if (line.empty()) continue;
    if (line.front() != '#') break;
    if (number == 1 && line.starts_with("#!")) head.interpreter = interpreter_of(line);
    if (!line.starts_with(kMark)) continue;
    const std::string_view rest = line.substr(kMark.size());
    if (!rest.empty() && rest.front() != ' ' && rest.front() != '\t') continue;  // #JOBRINGS
    auto words = split_words(rest);
    if (!words) {
      words.error().where = "line " + std::to_string(number);
      return words.error();
    }
    if (!words->empty()) head.directives.push_back({number, std::move(*words)});
  }
  return head;
}

Result<std::optional<ScriptHead>> read_script_head(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info = {};
  if (!fd || fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return std::optional<ScriptHead>();
  }
  char first[2] = {};
  // Most commands are no scripts: two bytes tell.
  if (pread(fd.get(), first, 2, 0) != 2 || first[0] != '#') return std::optional<ScriptHead>();
  std::string text(kHeadMost, '\0');
  std::size_t got = 0;
  while (got < text.size()) {
    const ssize_t n = pread(fd.get(), text.data() + got, text.size() - got, off_t(got));
    if (n <= 0) break;
    got += std::size_t(n);
  }
  text.resize(got);
  auto head = parse_script_head(text);
  if (!head) {
    head.error().where = path + ": " + head.error().where;
    return head.error();
  }
  if (first[1] != '!' && head->directives.empty()) return std::optional<ScriptHead>();
  return std::optional(std::move(*head));
}

}  // namespace jobring::cli
