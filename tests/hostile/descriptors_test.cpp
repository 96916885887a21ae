// What a client can do with the descriptors it was given.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <thread>

#include "tests/hostile/raw_client.hpp"
#include "tests/hostile/stranger.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

std::string proc_fd(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

// Prints what went through that should have been refused.
bool refused(bool went_through, const char* what) {
  if (went_through) std::fprintf(stderr, "not refused: %s\n", what);
  return !went_through;
}

bool size_is_fixed(int segment) {
  struct stat info;
  if (fstat(segment, &info) != 0) return false;
  const off_t size = info.st_size;
  bool all = refused(ftruncate(segment, 0) == 0, "shrink to nothing");
  all &= refused(ftruncate(segment, size / 2) == 0, "shrink by half");
  all &= refused(ftruncate(segment, size + 4096) == 0, "grow");
  all &= refused(fallocate(segment, 0, 0, size + 4096) == 0, "grow by fallocate");
  all &= refused(fallocate(segment, FALLOC_FL_COLLAPSE_RANGE, 0, 4096) == 0, "collapse");
  for (const int seal :
       {F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_FUTURE_WRITE})
    all &= refused(fcntl(segment, F_ADD_SEALS, seal) == 0, "a further seal");
  all &= fstat(segment, &info) == 0 && info.st_size == size;
  return all;
}

bool cannot_be_written(int fd, const void* mapped, std::size_t size) {
  const char byte = 1;
  iovec from{const_cast<char*>(&byte), 1};
  bool all = refused(write(fd, &byte, 1) >= 0, "write");
  all &= refused(pwrite(fd, &byte, 1, 0) >= 0, "pwrite");
  all &= refused(pwritev2(fd, &from, 1, 0, 0) >= 0, "pwritev2");
  all &= refused(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED,
                 "map for writing");
  all &=
      refused(mprotect(const_cast<void*>(mapped), size, PROT_READ | PROT_WRITE) == 0, "mprotect");
  for (const int mode : {O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC, O_RDONLY})
    all &= refused(open(proc_fd(fd).c_str(), mode) >= 0, "open again through /proc");
  all &= refused(truncate(proc_fd(fd).c_str(), 0) == 0, "truncate through /proc");
  all &= refused(fchmod(fd, 0666) == 0, "fchmod");
  all &= refused(fchown(fd, geteuid(), getegid()) == 0, "fchown");
  all &= refused(linkat(AT_FDCWD, proc_fd(fd).c_str(), AT_FDCWD, "/tmp/jobring-linked",
                        AT_SYMLINK_FOLLOW) == 0,
                 "link");
  all &= refused(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0,
                 "punch a hole");
  // Access cannot be added to a descriptor; the attempt is ignored.
  fcntl(fd, F_SETFL, O_RDWR);
  all &= refused(pwrite(fd, &byte, 1, 0) >= 0, "pwrite after F_SETFL");

  // The advice that gives pages of a shared mapping back is a write.
  all &= refused(madvise(const_cast<void*>(mapped), 4096, MADV_REMOVE) == 0, "MADV_REMOVE");
  all &= refused(remap_file_pages(const_cast<void*>(mapped), 4096, 0, 0, 0) == 0 &&
                     mprotect(const_cast<void*>(mapped), 4096, PROT_WRITE) == 0,
                 "remap");
  return all;
}

}  // namespace

TEST_CASE("no segment can be shrunk, grown or sealed by its client") {
  OpenDaemon daemon;
  Stranger hostile(kStranger, [&] {
    RawConnection connection(daemon.socket());
    RawChannel channel(connection, 8);
    return size_is_fixed(channel.fds()[0].get()) && size_is_fixed(channel.fds()[1].get()) &&
           size_is_fixed(channel.fds()[2].get());
  });
  CHECK(hostile.good());
  GoodClient(daemon.connect()).work(10);
  daemon.check_unharmed();
}

TEST_CASE("the pool page cannot be made writable by a client, in no way that the kernel offers") {
  OpenDaemon daemon;
  Stranger hostile(kStranger, [&] {
    RawConnection connection(daemon.socket());
    RawChannel channel(connection, 8);
    return cannot_be_written(channel.fds()[2].get(), &channel.page(), sizeof(PoolPage));
  });
  CHECK(hostile.good());
  daemon.check_unharmed();
}

TEST_CASE("a client cannot reach into the processes of the daemon") {
  OpenDaemon daemon;
  std::vector<pid_t> targets = daemon.workers();
  targets.push_back(daemon.pid());
  Stranger hostile(kStranger, [&] {
    bool all = true;
    for (const pid_t pid : targets) {
      const std::string proc = "/proc/" + std::to_string(pid);
      char byte = 0;
      iovec local{&byte, 1}, remote{&byte, 1};
      all &= refused(open((proc + "/mem").c_str(), O_RDWR) >= 0, "its memory");
      all &= refused(access((proc + "/fd/0").c_str(), F_OK) == 0, "its descriptors");
      all &= refused(process_vm_writev(pid, &local, 1, &remote, 1, 0) >= 0 || errno != EPERM,
                     "process_vm_writev");
      all &= refused(::kill(pid, 0) == 0, "signals");
    }
    return all;
  });
  CHECK(hostile.good());
  daemon.check_unharmed();
}

TEST_CASE(
    "a client cannot make workers or supervisor wait on its bell, however it fills or empties it") {
  OpenDaemon daemon(2, R"(, "modules": [")" + test_module("faulty") + R"("])");
  GoodClient good(daemon.connect());
  Stranger hostile(kStranger, [&] {
    RawConnection connection(daemon.socket());
    RawChannel channel(connection, 64);
    const std::uint16_t echo = channel.name_handler("echo"), crash = channel.name_handler("crash");
    // Without O_NONBLOCK, which belongs to the open file and so to all who share it, a write to a
    // full eventfd waits.
    const int bell = channel.fds()[3].get();
    fcntl(bell, F_SETFL, 0);
    const std::uint64_t full = ~std::uint64_t{0} - 1;
    if (::send(bell, &full, sizeof full, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == ENOTSOCK) {
      [[maybe_unused]] const ssize_t n = write(bell, &full, sizeof full);
    }
    // A completion rings the client, if it says that it waits; and the death of a worker rings
    // every client.
    for (int i = 0; i < 200; ++i) {
      channel.view().header().waiting = WaitingWord::until(std::uint64_t(i) + 1);
      channel.submit(echo, "x");
      if (i % 50 == 49) channel.submit(crash, "");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  });
  while (hostile.running()) good.work(5);
  CHECK(hostile.good());
  good.work(50);
  daemon.connect().ping();
  CHECK(alive(daemon.pid()));
  CHECK(daemon.status_number("crashes") >= 1);
}

TEST_CASE("a client that empties its uid's events, or hangs up its bell, harms only its own uid") {
  OpenDaemon daemon(2, R"(, "spin": "0s")");
  GoodClient good(daemon.connect());
  Stranger hostile(kStranger, [&] {
    RawConnection connection(daemon.socket());
    RawChannel channel(connection, 64);
    const std::uint16_t echo = channel.name_handler("echo");
    shutdown(channel.fds()[3].get(), SHUT_RDWR);
    for (std::size_t e = 4; e < channel.fds().size(); ++e) {
      const std::uint64_t full = ~std::uint64_t{0} - 1;
      [[maybe_unused]] const ssize_t n = write(channel.fds()[e].get(), &full, sizeof full);
    }
    for (int i = 0; i < 300; ++i) {
      channel.view().header().waiting = WaitingWord::until(std::uint64_t(i) + 1);
      channel.submit(echo, "x");
      std::uint64_t count;
      for (std::size_t e = 4; e < channel.fds().size(); ++e) {
        [[maybe_unused]] const ssize_t n = read(channel.fds()[e].get(), &count, sizeof count);
      }
    }
    return true;
  });
  while (hostile.running()) good.work(5);
  CHECK(hostile.good());
  good.work(50);
  daemon.check_unharmed();
}
