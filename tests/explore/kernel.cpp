#include "kernel.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <vector>

#include "explorer.hpp"
#include "machine.hpp"

namespace explore {
namespace {

constexpr int kFirst = 1 << 20;  // far above what the real kernel gives
constexpr int kMost = 512;

struct Watch {
  int event;
  epoll_data_t data;
  std::uint64_t seen;
};
struct Descriptor {
  bool event = false;  // an eventfd
  std::uint64_t rings = 0;
  std::vector<Watch> watches;  // if it is an epoll
};

std::vector<Descriptor> descriptors;
char* places = nullptr;  // a byte of the scenario's memory for each: what makes a step on it

bool ours(int fd) {
  return Machine::current != nullptr && fd >= kFirst && fd < kFirst + int(descriptors.size());
}
Descriptor& at(int fd) {
  return descriptors[std::size_t(fd - kFirst)];
}

void step_on(int fd, bool write) {
  Machine& m = *Machine::current;
  const char* place = places + (fd - kFirst);
  if (!m.models(place)) return;
  m.step(place, write, true);
  std::uint32_t id;
  Location& location = m.location(place, 1, id);
  (write ? location.writers : location.readers) |= std::uint8_t(1u << m.self());
  if (m.tracing()) m.trace(write ? "ring" : "wait for", place, 1, std::memory_order_relaxed);
}

bool rung(const Watch& watch) {
  return at(watch.event).rings != watch.seen;
}

int wait_on(int epoll, epoll_event* events, int most) {
  const auto ready = [](const void* argument) {
    for (const Watch& watch : at(*static_cast<const int*>(argument)).watches) {
      if (rung(watch)) return true;
    }
    return false;
  };
  for (const Watch& watch : at(epoll).watches) step_on(watch.event, false);
  Machine::current->wait(ready, &epoll);
  int count = 0;
  for (Watch& watch : at(epoll).watches) {
    if (!rung(watch) || count == most) continue;
    watch.seen = at(watch.event).rings;
    events[count].events = EPOLLIN;
    events[count++].data = watch.data;
  }
  return count;
}

}  // namespace

void reset_kernel(Scenario& scenario) {
  descriptors.clear();
  places = scenario.make<char>(kMost);
  scenario.label(places, kMost, "event");
}

int make_descriptor() {
  require(descriptors.size() < kMost, "few enough descriptors");
  descriptors.emplace_back();
  return kFirst + int(descriptors.size()) - 1;
}

int make_eventfd() {
  const int fd = make_descriptor();
  at(fd).event = true;
  return fd;
}

void ring(int fd) {
  step_on(fd, true);
  if (Machine::current->self() < 0 || Machine::current->models(places)) ++at(fd).rings;
}

std::uint64_t rings_of(int fd) {
  return at(fd).rings;
}

}  // namespace explore

using namespace explore;

extern "C" {

int epoll_wait(int epoll, epoll_event* events, int most, int) {
  return wait_on(epoll, events, most);
}
int epoll_pwait2(int epoll, epoll_event* events, int most, const timespec*, const sigset_t*) {
  return wait_on(epoll, events, most);
}
int epoll_create1(int) noexcept {
  return make_descriptor();
}
int epoll_ctl(int epoll, int, int fd, epoll_event* event) noexcept {
  // Nothing ever comes from the others.
  if (at(fd).event) at(epoll).watches.push_back({fd, event->data, 0});
  return 0;
}
int eventfd(unsigned, int) noexcept {
  return make_eventfd();
}
int sched_yield() noexcept {
  yield();
  return 0;
}
int fallocate(int, int, off_t, off_t) {
  return 0;
}
ssize_t write(int fd, const void* bytes, std::size_t size) {
  if (!ours(fd)) return syscall(SYS_write, fd, bytes, size);
  ring(fd);
  return ssize_t(size);
}
ssize_t read(int fd, void* bytes, std::size_t size) {
  if (!ours(fd)) return syscall(SYS_read, fd, bytes, size);
  errno = EAGAIN;
  return -1;
}
int close(int fd) {
  return fd >= kFirst ? 0 : int(syscall(SYS_close, fd));
}
int fstat(int fd, struct stat* result) noexcept {
  if (!ours(fd)) return int(syscall(SYS_fstat, fd, result));
  errno = EBADF;
  return -1;
}
}
