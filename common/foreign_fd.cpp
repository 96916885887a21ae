#include "common/foreign_fd.hpp"

#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "common/closing_table.hpp"

namespace jobring {
namespace {

// Character devices by their numbers, Documentation/admin-guide/devices.txt of the kernel: memory
// devices such as /dev/null, /dev/tty and the like, and pseudo-terminals. A serial line is none.
bool closes_at_once(unsigned device_major) {
  return device_major == 1 || device_major == 5 || (device_major >= 136 && device_major <= 143);
}

bool is_local(int fd) {
  constexpr std::array<long, 6> kLocal{EXT4_SUPER_MAGIC, BTRFS_SUPER_MAGIC, XFS_SUPER_MAGIC,
                                       TMPFS_MAGIC,      F2FS_SUPER_MAGIC,  RAMFS_MAGIC};
  struct statfs system;
  return fstatfs(fd, &system) == 0 &&
         std::find(kLocal.begin(), kLocal.end(), long(system.f_type)) != kLocal.end();
}

bool closes_at_once(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return false;
  if (S_ISFIFO(info.st_mode)) return true;
  if (S_ISCHR(info.st_mode)) return closes_at_once(major(info.st_rdev));
  return (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)) && is_local(fd);
}

struct Closing {
  UniqueFd fd;
  uid_t uid;
};

// Outlives everything, for its threads are waited for by nobody.
struct Closer {
  std::mutex mutex;
  std::map<uid_t, std::size_t> pending;
  std::atomic<std::size_t> all = 0;  // changed under the mutex
  std::vector<Closing> parked;       // when the system gave us no thread
};

Closer& closer() {
  static Closer& one = *new Closer;
  return one;
}

void count(uid_t uid) {
  Closer& c = closer();
  const std::lock_guard lock(c.mutex);
  const auto found = c.pending.find(uid);
  if (--found->second == 0) c.pending.erase(found);
  --c.all;
}

void close_and_count(Closing closing) {
  if (close_in_other_table(closing.fd, [uid = closing.uid] { count(uid); })) return;
  closing.fd.reset();  // here it may wait
  count(closing.uid);
}

// True if a thread has taken it over.
bool close_in_thread(Closing& closing) {
  // Signals are for the threads that know what to do with them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = false;
  const int fd = closing.fd.get();
  try {
    std::thread([fd, uid = closing.uid] { close_and_count({UniqueFd(fd), uid}); }).detach();
    (void)closing.fd.release();
    started = true;
  } catch (const std::system_error&) {
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

void close_later(UniqueFd fd, uid_t uid) {
  Closer& c = closer();
  const std::lock_guard lock(c.mutex);
  ++c.pending[uid];
  ++c.all;
  c.parked.push_back({std::move(fd), uid});
  while (!c.parked.empty() && close_in_thread(c.parked.back())) c.parked.pop_back();
}

}  // namespace

void close_foreign(UniqueFd fd, uid_t uid) {
  if (fd && !closes_at_once(fd.get())) close_later(std::move(fd), uid);
}

void close_connection(UniqueFd socket, uid_t uid) {
  if (!socket) return;
  // Nothing comes in any more; so what is not here now never will be.
  shutdown(socket.get(), SHUT_RD);
  // An empty message and the end look alike, but only a message has its sender's credentials; there
  // is no room for them here, and the kernel says so.
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  msghdr first{};
  const ssize_t n = recvmsg(socket.get(), &first, MSG_PEEK | MSG_DONTWAIT);
  const bool at_end = n == 0 && (first.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) == 0;
  const bool empty = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  if (!at_end && !empty) close_later(std::move(socket), uid);
}

std::size_t foreign_closes(uid_t uid) {
  Closer& c = closer();
  const std::lock_guard lock(c.mutex);
  const auto found = c.pending.find(uid);
  return found == c.pending.end() ? 0 : found->second;
}

std::size_t foreign_closes() {
  return closer().all.load(std::memory_order_relaxed);
}

}  // namespace jobring
