#include "common/closing_table.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

namespace jobring {
namespace {

std::shared_mutex& gate() {
  static std::shared_mutex& one = *new std::shared_mutex;  // threads use it that nobody waits for
  return one;
}

using Closed = std::function<void()>;

// What goes through the socket beside the descriptor. The receiver owns it.
struct Parcel {
  Closed* closed;
};

bool send(int socket, int fd, Parcel parcel) {
  iovec data{&parcel, sizeof parcel};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == ssize_t(sizeof parcel);
}

// -1: there was no descriptor in it.
int receive(int socket, Parcel& parcel) {
  iovec data{&parcel, sizeof parcel};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n;
  do {
    n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  int fd = -1;
  const cmsghdr* head = CMSG_FIRSTHDR(&message);
  if (n > 0 && head != nullptr && head->cmsg_type == SCM_RIGHTS)
    std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
  return fd;
}

void close_and_tell(int fd, Parcel parcel) {
  const std::unique_ptr<Closed> closed(parcel.closed);
  // Not before the sender has closed its own, or that would be the last one.
  spawn_gate().unlock();
  if (fd >= 0) ::close(fd);  // here it may wait
  (*closed)();
}

// The other table. Its threads never end.
class OtherTable {
 public:
  // With the gate held exclusively, so that no copy made here is ever the last one.
  OtherTable() {
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) return;
    UniqueFd ours(sockets[0]), theirs(sockets[1]);
    try {
      std::thread([socket = theirs.get()] { run(socket); }).detach();
    } catch (const std::system_error&) {
      return;
    }
    // It has a table of its own now, or has given up.
    char ready = 0;
    ssize_t n;
    do {
      n = recv(ours.get(), &ready, 1, 0);
    } while (n < 0 && errno == EINTR);
    if (n == 1 && ready != 0) ours_ = std::move(ours);
  }
  bool there() const { return bool(ours_); }
  bool take(int fd, Parcel parcel) { return send(ours_.get(), fd, parcel); }

 private:
  static void run(int socket) {
    char ready = syscall(SYS_unshare, CLONE_FILES) == 0 ? 1 : 0;
    if (ready != 0) {
      // Keeps stderr, for what sanitizers have to say.
      dup2(socket, 0);
      syscall(SYS_close_range, 3u, ~0u, 0u);
      socket = 0;
    }
    if (::send(socket, &ready, 1, MSG_NOSIGNAL) != 1 || ready == 0) return;
    for (;;) {
      Parcel parcel{};
      const int fd = receive(socket, parcel);
      if (parcel.closed == nullptr) return;
      try {
        std::thread(close_and_tell, fd, parcel).detach();
      } catch (const std::system_error&) {
        close_and_tell(fd, parcel);
      }
    }
  }

  UniqueFd ours_;
};

}  // namespace

std::shared_lock<std::shared_mutex> spawn_gate() {
  return std::shared_lock(gate());
}

bool close_in_other_table(UniqueFd& fd, const std::function<void()>& closed) {
  const std::unique_lock nobody_spawns(gate());
  static OtherTable& table = *new OtherTable;
  if (!table.there()) return false;
  auto parcel = std::make_unique<Closed>(closed);
  if (!table.take(fd.get(), {parcel.get()})) return false;
  (void)parcel.release();
  fd.reset();  // not the last one: the other stays open as long as we hold the gate
  return true;
}

}  // namespace jobring
