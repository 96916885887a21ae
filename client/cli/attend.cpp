#include "client/cli/attend.hpp"

#include <poll.h>
#include <signal.h>

#include <unistd.h>

#include <cstdio>
#include <string>

#include "client/cli/human.hpp"
#include "client/cli/signals.hpp"
#include "client/cli/terminal.hpp"

namespace jobring::cli {
namespace {

constexpr int kProgressEvery = 200;  // milliseconds

class ProgressLine {
 public:
  ~ProgressLine() {
    if (rewrites_ && !shown_.empty()) std::fputc('\n', stderr);
  }
  void show(const Progress& progress) {
    const std::string line = progress_text(progress.done, progress.total, one_line(progress.text));
    if (line == shown_) return;
    std::fprintf(stderr, rewrites_ ? "\r%s\033[K" : "%s\n", line.c_str());
    std::fflush(stderr);
    shown_ = line;
  }

 private:
  // It comes from a handler: no escape sequence of it reaches a terminal.
  static std::string one_line(std::string text) {
    for (char& c : text) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    return text;
  }
  const bool rewrites_ = is_terminal(STDERR_FILENO);
  std::string shown_;
};

}  // namespace

Attended attend(Channel& channel, JobRef job, bool show_progress) {
  ProgressLine line;
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
    if (show_progress) {
      if (const auto progress = channel.progress(job)) line.show(*progress);
    }
    poll(fds, 2, show_progress ? kProgressEvery : -1);
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
