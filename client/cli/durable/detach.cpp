#include "client/cli/durable/detach.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

namespace jobring::cli {
namespace {

constexpr int kStop[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// The handler may only write() and _exit(), so its words are ready beforehand.
char words[512];
std::size_t length = 0;
struct sigaction before[std::size(kStop)];

void detach(int signal) {
  (void)!write(STDERR_FILENO, words, length);
  _exit(128 + signal);
}

}  // namespace

DetachOnSignal::DetachOnSignal(const std::string& message) {
  length = std::min(message.size(), sizeof words);
  std::copy_n(message.begin(), length, words);
  for (std::size_t i = 0; i < std::size(kStop); ++i) {
    sigaction(kStop[i], nullptr, &before[i]);
    if (before[i].sa_handler == SIG_IGN) continue;
    struct sigaction action = {};
    action.sa_handler = detach;
    sigaction(kStop[i], &action, nullptr);
  }
}

DetachOnSignal::~DetachOnSignal() {
  for (std::size_t i = 0; i < std::size(kStop); ++i) sigaction(kStop[i], &before[i], nullptr);
}

}  // namespace jobring::cli
