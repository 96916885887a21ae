#include "client/cli/attend.hpp"

#include <poll.h>
#include <signal.h>

#include "client/cli/signals.hpp"

namespace jobring::cli {

Attended attend(Channel& channel, JobRef job) {
  StopSignals signals;  // before anybody can know that the job is there
  channel.submit();
  Attended attended = {};
  while (true) {
    channel.arm();
    const auto done = channel.reap(1);
    if (!done.empty()) {
      attended.completion = done.front();
      return attended;
    }
    pollfd fds[] = {{channel.fd(), POLLIN, 0}, {signals.fd(), POLLIN, 0}};
    poll(fds, 2, -1);
    while (const auto signal = signals.next()) {
      if (attended.signal != 0) {
        channel.kill(job, SIGKILL);
        continue;
      }
      attended.signal = *signal;
      if (!channel.cancel(job)) channel.kill(job, *signal);
    }
  }
}

}  // namespace jobring::cli
