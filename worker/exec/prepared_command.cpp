#include "worker/exec/prepared_command.hpp"

#include <unistd.h>

#include <cstring>
#include <string_view>

namespace jobring {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

// execve() takes pointers to non-const for the sake of old C; it does not write.
char* pointer(const std::string& text) {
  return const_cast<char*>(text.c_str());
}

// The length of "NAME=", or of all if there is no '='.
std::size_t name_length(const char* entry) {
  const char* equals = std::strchr(entry, '=');
  return equals != nullptr ? std::size_t(equals - entry) + 1 : std::strlen(entry);
}

}  // namespace

PreparedCommand::PreparedCommand(const Command& command) {
  argv_.reserve(command.argv.size() + 1);
  for (const std::string& arg : command.argv) argv_.push_back(pointer(arg));
  argv_.push_back(nullptr);
  find_env(command);
  find_paths(command);
}

void PreparedCommand::find_env(const Command& command) {
  std::size_t inherited = 0;
  if (!command.env_replaces && environ != nullptr) {
    while (environ[inherited] != nullptr) ++inherited;
  }
  env_.reserve(inherited + command.env.size() + 1);
  env_.assign(environ, environ + inherited);
  for (const std::string& addition : command.env) {
    const std::size_t name = name_length(addition.c_str());
    std::size_t i = 0;
    while (i < inherited && std::strncmp(env_[i], addition.c_str(), name) != 0) ++i;
    if (i < inherited) {
      env_[i] = pointer(addition);
    } else {
      env_.push_back(pointer(addition));
    }
  }
  env_.push_back(nullptr);
}

void PreparedCommand::find_paths(const Command& command) {
  const std::string_view name = command.argv.front();
  if (name.find('/') != name.npos || name.empty()) {
    paths_ = {command.argv.front().c_str(), nullptr};
    return;
  }
  std::string_view path = kDefaultPath;
  for (char* const* entry = env_.data(); *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "PATH=", 5) == 0) {
      path = *entry + 5;
      break;
    }
  }
  for (;;) {
    const std::size_t end = path.find(':');
    const std::string_view directory = path.substr(0, end);
    // An empty entry is the current directory, by POSIX.
    std::string& candidate = candidates_.emplace_back(directory.empty() ? "." : directory);
    candidate.append("/").append(name);
    if (end == path.npos) break;
    path.remove_prefix(end + 1);
  }
  for (const std::string& candidate : candidates_) paths_.push_back(candidate.c_str());
  paths_.push_back(nullptr);
}

}  // namespace jobring
