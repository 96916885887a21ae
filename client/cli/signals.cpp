#include "client/cli/signals.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "common/result.hpp"

#include <jobring/jobring.hpp>

namespace jobring::cli {
namespace {

constexpr int kStop[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr std::size_t kStops = sizeof kStop / sizeof kStop[0];

// A pipe carries the numbers in the order of their arrival; the handler may only write().
int pipe_ends[2] = {-1, -1};
struct sigaction before[kStops];

void remember(int signal) {
  const int error = errno;
  const auto byte = static_cast<unsigned char>(signal);
  // A full pipe holds enough requests to stop already.
  if (write(pipe_ends[1], &byte, 1) < 0) errno = error;
}

}  // namespace

StopSignals::StopSignals() {
  if (pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    const Error error = system_error("pipe");
    throw Exception(exit_status(error.code), to_string(error.code), error.line());
  }
  for (std::size_t i = 0; i < kStops; ++i) {
    sigaction(kStop[i], nullptr, &before[i]);
    if (before[i].sa_handler == SIG_IGN) continue;
    struct sigaction action = {};
    action.sa_handler = remember;  // without SA_RESTART: see the header
    sigaction(kStop[i], &action, nullptr);
  }
}

StopSignals::~StopSignals() {
  for (std::size_t i = 0; i < kStops; ++i) sigaction(kStop[i], &before[i], nullptr);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

int StopSignals::fd() const {
  return pipe_ends[0];
}

std::optional<int> StopSignals::next() {
  unsigned char byte = 0;
  if (read(pipe_ends[0], &byte, 1) != 1) return std::nullopt;
  return byte;
}

}  // namespace jobring::cli
