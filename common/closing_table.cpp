#include "common/closing_table.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

namespace jobring {
namespace {

std::shared_mutex& gate() {
  static std::shared_mutex& one = *new std::shared_mutex;  // threads use it that nobody waits for
  return one;
}

bool send(int socket, int fd) {
  char byte = 0;
  iovec data{&byte, 1};
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
  return sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
}

// -1: there was none.
int receive(int socket) {
  char byte = 0;
  iovec data{&byte, 1};
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

// A thread with a table of its own, in which there is nothing but stderr and `socket`: closes what
// comes through that. While it makes its copies somebody holds the gate, so none is the last one.
void close_there(int socket, const std::function<void()>& closed) {
  if (syscall(SYS_unshare, CLONE_FILES) != 0) {
    ::close(socket);  // of the table that we share: who waits for us sees the end
    return;
  }
  dup2(socket, 0);
  syscall(SYS_close_range, 1u, 1u, 0u);
  syscall(SYS_close_range, 3u, ~0u, 0u);
  const char ready = 1;
  if (::send(0, &ready, 1, MSG_NOSIGNAL) != 1) return;
  const int fd = receive(0);
  if (fd < 0) return;
  // Not before the sender has closed its own, or that would be the last one.
  spawn_gate().unlock();
  ::close(fd);  // here it may wait
  closed();
}

}  // namespace

std::shared_lock<std::shared_mutex> spawn_gate() {
  return std::shared_lock(gate());
}

bool close_in_other_table(UniqueFd& fd, const std::function<void()>& closed) {
  const std::unique_lock nobody_spawns(gate());
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) return false;
  const UniqueFd ours(sockets[0]);
  UniqueFd theirs(sockets[1]);
  try {
    std::thread(close_there, theirs.get(), closed).detach();
  } catch (const std::system_error&) {
    return false;
  }
  char ready = 0;
  ssize_t n;
  do {
    n = recv(ours.get(), &ready, 1, 0);
  } while (n < 0 && errno == EINTR);
  if (n != 1) {
    (void)theirs.release();  // it has closed that
    return false;
  }
  theirs.reset();
  if (!send(ours.get(), fd.get())) return false;
  fd.reset();  // not the last one: the other stays open as long as we hold the gate
  return true;
}

}  // namespace jobring
