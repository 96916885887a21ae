// The system calls through which the mortal keeper changes its store, rings its bells and reads its
// clocks: the program's own definitions go before those of libc, for SQLite's library as well.
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/durable/mortal.hpp"

using jobring::test::fate;
using jobring::test::FateWords;
using jobring::test::Step;
using jobring::test::step;

namespace {

bool refuses(std::atomic<std::int32_t> FateWords::*error) {
  FateWords* const words = fate();
  if (words == nullptr || words->*error == 0) return false;
  ++words->refused;
  errno = words->*error;
  return true;
}

ssize_t store_write(int fd, const void* bytes, size_t size, off64_t at) {
  step(Step::write);
  if (refuses(&FateWords::write_error)) return -1;
  const ssize_t written = syscall(SYS_pwrite64, fd, bytes, size, at);
  const int error = errno;
  if (fate() != nullptr) fate()->unsynced = true;
  step(Step::written);
  errno = error;
  return written;
}

int store_sync(int fd, long call) {
  step(Step::sync);
  if (refuses(&FateWords::sync_error)) return -1;
  const int synced = int(syscall(call, fd));
  const int error = errno;
  if (fate() != nullptr && synced == 0) fate()->unsynced = false;
  step(Step::synced);
  errno = error;
  return synced;
}

}  // namespace

extern "C" {

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  return store_write(fd, bytes, size, at);
}

int fdatasync(int fd) {
  return store_sync(fd, SYS_fdatasync);
}

int fsync(int fd) {
  return store_sync(fd, SYS_fsync);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  // An eventfd takes words of this size; SQLite and the log write otherwise.
  if (size == sizeof(std::uint64_t)) step(Step::ring);
  return syscall(SYS_write, fd, bytes, size);
}

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const int got = int(syscall(SYS_clock_gettime, clock, now));
  const FateWords* const words = fate();
  if (got != 0 || clock != CLOCK_REALTIME || words == nullptr) return got;
  constexpr std::int64_t kSecond = 1'000'000'000, kMillisecond = 1'000'000;
  std::int64_t ns = now->tv_sec * kSecond + now->tv_nsec;
  if (const std::int64_t fixed = words->real_ms; fixed != 0) ns = fixed * kMillisecond;
  ns += words->real_offset_ms * kMillisecond;
  now->tv_sec = time_t(ns / kSecond);
  now->tv_nsec = long(ns % kSecond);
  return 0;
}
}
