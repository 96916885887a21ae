// What a loop that serves channels sleeps on: its control socket here, its events by watch_event()
// (channel_table.hpp).
#pragma once

#include <sys/epoll.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <utility>

#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace jobring {

// The data of an event that says that the control socket is readable; all others are rings.
inline constexpr std::uint64_t kControlEvent = ~std::uint64_t{0};

// Level-triggered, with `which` as the data of its events. False: errno says why not.
inline bool watch(int epoll, int fd, std::uint64_t which) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = which;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

inline Result<UniqueFd> make_epoll(int control) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll || !watch(epoll.get(), control, kControlEvent)) return system_error("epoll");
  return epoll;
}

// For a worker that has said that it is ready: without one it cannot go on.
inline UniqueFd or_leave(Result<UniqueFd> epoll) {
  if (epoll) return std::move(*epoll);
  std::fprintf(stderr, "%s\n", epoll.error().line().c_str());
  _exit(exit_status(epoll.error().code));
}

}  // namespace jobring
