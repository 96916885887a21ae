#include "daemon/listener.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "common/ask_message.hpp"

namespace jobring {

namespace {

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error{
        Errc::config,
        "a socket's path has 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes",
        path,
        {}};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

}  // namespace

Result<UniqueFd> listen_at(const std::string& path, bool open_to_all) {
  const auto address = address_of(path);
  if (!address) return address.error();
  UniqueFd listening(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listening) return system_error("socket");
  const mode_t old = umask(0177);  // nobody gets in before the mode is right
  const int bound =
      ::bind(listening.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  umask(old);
  if (bound != 0) return system_error("bind", path);
  if (open_to_all && chmod(path.c_str(), 0666) != 0) return system_error("chmod", path);
  if (listen(listening.get(), 512) != 0) return system_error("listen", path);
  return listening;
}

Result<Listener> Listener::bind(const std::string& path, bool open_to_all) {
  if (const auto fits = address_of(path); !fits) return fits.error();
  const std::size_t slash = path.rfind('/');
  if (slash != std::string::npos && slash > 0) {
    const std::string directory = path.substr(0, slash);
    if (mkdir(directory.c_str(), open_to_all ? 0755 : 0700) != 0 && errno != EEXIST)
      return system_error("mkdir", directory);
  }
  Listener listener;
  const std::string lock_path = path + ".lock";
  // The lock, not the socket, tells whether a daemon lives: the kernel drops it at death, whatever
  // the death was.
  for (;;) {
    listener.lock_.reset(
        ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!listener.lock_) return system_error("open", lock_path);
    if (flock(listener.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
      char pid[32] = {};
      [[maybe_unused]] const ssize_t n = pread(listener.lock_.get(), pid, sizeof pid - 1, 0);
      return Error{Errc::config,
                   "another jobringd (pid " + std::string(pid, std::strcspn(pid, "\n")) +
                       ") already listens",
                   path, "stop it, or choose another \"socket\""};
    }
    // A daemon that just ended may have removed the file between our open and our lock: then this
    // lock guards nothing.
    struct stat ours, named;
    if (fstat(listener.lock_.get(), &ours) == 0 && stat(lock_path.c_str(), &named) == 0 &&
        ours.st_ino == named.st_ino)
      break;
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(listener.lock_.get(), 0) != 0 ||
      pwrite(listener.lock_.get(), pid.data(), pid.size(), 0) < 0) {
    return system_error("write", lock_path);
  }
  struct stat info;
  if (lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode))
      return Error{Errc::config, "is not a socket, and is in the way", path,
                   "move it, or choose another \"socket\""};
    if (unlink(path.c_str()) != 0) return system_error("remove the socket of a dead daemon", path);
  }
  auto listening = listen_at(path, open_to_all);
  if (!listening) return listening.error();
  listener.socket_ = std::move(*listening);
  listener.path_ = path;
  return listener;
}

Listener::~Listener() {
  if (path_.empty() || !socket_) return;
  unlink(path_.c_str());
  unlink(ask_socket_of(path_).c_str());
  // While we still hold the lock, so that nobody can have taken it on this name.
  unlink((path_ + ".lock").c_str());
}

}  // namespace jobring
