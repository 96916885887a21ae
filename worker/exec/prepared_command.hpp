// A command as execve() wants it: everything that needs memory, done before the child exists.
#pragma once

#include <string>
#include <vector>

#include <jobring/command.hpp>

namespace jobring {

// Points into the Command, and into this process's environment: neither may change while this
// lives.
class PreparedCommand {
 public:
  explicit PreparedCommand(const Command& command);
  PreparedCommand(const PreparedCommand&) = delete;
  PreparedCommand& operator=(const PreparedCommand&) = delete;

  char* const* argv() const { return argv_.data(); }
  char* const* env() const { return env_.data(); }
  // Files to try in this order; never empty. The last entry of paths() is null.
  const char* const* paths() const { return paths_.data(); }

 private:
  void find_env(const Command& command);
  void find_paths(const Command& command);

  std::vector<char*> argv_, env_;
  std::vector<std::string> candidates_;
  std::vector<const char*> paths_;
};

}  // namespace jobring
