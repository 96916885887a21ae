#include "common/closing_table.hpp"

#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <system_error>
#include <thread>

#include "common/control.hpp"

namespace jobring {
namespace {

std::shared_mutex& gate() {
  static std::shared_mutex& one = *new std::shared_mutex;  // threads use it that nobody waits for
  return one;
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
  if (!send_control(0, "ready")) return;
  auto message = receive_control(0);
  if (!message || !*message || (*message)->fds.size() != 1) return;
  // Not before the sender has closed its own, or that would be the last one.
  spawn_gate().unlock();
  (*message)->fds.clear();  // here it may wait
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
  if (!receive_control(ours.get())) {
    (void)theirs.release();  // it has closed that
    return false;
  }
  theirs.reset();
  if (!send_control(ours.get(), "close", std::array{fd.get()})) return false;
  fd.reset();  // not the last one: the other stays open as long as we hold the gate
  return true;
}

}  // namespace jobring
