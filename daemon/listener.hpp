// The daemon's socket in the file system.
#pragma once

#include <string>

#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace jobring {

// Listens at `path`, where there is nothing. `open_to_all`: mode 0666 instead of 0600. Does not
// block.
Result<UniqueFd> listen_at(const std::string& path, bool open_to_all);

// Binds and listens. A lock file beside the socket decides who owns it: a second daemon gets an
// error that names the first; a socket that a dead daemon left behind is replaced. Unlinks both
// when destroyed, and its keeper's (ask_message.hpp).
class Listener {
 public:
  // `open_to_all`: mode 0666 instead of 0600. Makes the socket's directory (not its parents) if it
  // is missing.
  static Result<Listener> bind(const std::string& path, bool open_to_all);
  Listener(Listener&&) = default;
  Listener& operator=(Listener&&) = default;
  ~Listener();

  int fd() const { return socket_.get(); }
  const std::string& path() const { return path_; }

 private:
  Listener() = default;
  std::string path_;
  UniqueFd socket_;
  UniqueFd lock_;
};

}  // namespace jobring
