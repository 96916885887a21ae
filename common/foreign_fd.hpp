// Descriptors that a stranger opened: closing one may take as long as the stranger likes.
//
// close() waits for the peer of a TCP socket with SO_LINGER, for the server of a file system (FUSE,
// NFS), for a serial line to drain. Supervisor and workers must not wait for any of them, so such a
// descriptor is closed by a thread of its own; the common kinds (pipes, terminals, files of local
// file systems), which cannot make anybody wait, are closed on the spot.
//
// Also a socket of our own may hold descriptors: those that its peer sent and nobody received are
// closed by whoever closes it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <utility>

#include "common/unique_fd.hpp"

namespace jobring {

// Closes `fd` without waiting. `uid` is who is to blame if that takes long. Thread-safe.
void close_foreign(UniqueFd fd, uid_t uid);
// The same for one end of a Unix socket of ours that `uid` could send to. Nothing can be received
// from it afterwards, also through duplicates.
void close_connection(UniqueFd socket, uid_t uid);

// How many descriptors of a user wait to be closed; and of all users together. Thread-safe.
std::size_t foreign_closes(uid_t uid);
std::size_t foreign_closes();

// A process that waits for so many is replaced: its end closes them, without waiting for anybody.
inline constexpr std::size_t kForeignClosesMax = 16;

// Owns a stranger's descriptor. Not thread-safe, like UniqueFd.
class ForeignFd {
 public:
  ForeignFd() = default;
  ForeignFd(UniqueFd fd, uid_t uid) : fd_(std::move(fd)), uid_(uid) {}
  ForeignFd(ForeignFd&&) noexcept = default;
  ForeignFd& operator=(ForeignFd&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::move(other.fd_);
      uid_ = other.uid_;
    }
    return *this;
  }
  ~ForeignFd() { close(); }

  int get() const { return fd_.get(); }

 private:
  void close() {
    if (fd_) close_foreign(std::move(fd_), uid_);
  }

  UniqueFd fd_;
  uid_t uid_ = 0;
};

}  // namespace jobring
