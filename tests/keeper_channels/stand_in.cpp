#include "tests/keeper_channels/stand_in.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

#include "common/control.hpp"
#include "worker/supervisor_link.hpp"
#include "worker/worker_process.hpp"

using namespace jobring;

namespace {

std::string state_dir;

void note(const char* what) {
  close(open((state_dir + "/" + what).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

volatile std::sig_atomic_t asked_to_end = 0;

void on_term(int) {
  asked_to_end = 1;
}

void lend(const std::string& names, const UniqueFd& session) {
  const UniqueFd to(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = state_dir + "/lend";
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (connect(to.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
  const int fd = session.get();
  (void)send_control(to.get(), names, std::span(&fd, 1));
}

}  // namespace

int main() {
  const int fd = std::atoi(std::getenv("JOBRING_WORKER_FD"));
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  SupervisorLink link{UniqueFd(fd)};
  WorkerProcess process;
  introduce(process, link);
  Order started = link.await<KeeperStart>();
  const auto& start = std::get<KeeperStart>(started.message);
  state_dir = start.state_dir;
  std::string names = std::to_string(start.pools.size()) + " pools";
  for (bool last = false; !last;) {
    const Order order = link.await<KeptChannels>();
    const auto& part = std::get<KeptChannels>(order.message);
    for (const KeptName& name : part.channels)
      names += "," + name.pool + ":" + std::to_string(name.uid) + ":" + std::to_string(name.gid);
    last = part.last;
  }
  const char* mode = std::getenv(test::kModeVariable);
  const bool feeds = mode != nullptr && std::strcmp(mode, "feed") == 0;
  // Asked to end in the midst of a poll only: orders that came before are read first.
  sigset_t term, none;
  sigemptyset(&none);
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  if (!feeds) sigprocmask(SIG_BLOCK, &term, nullptr);
  struct sigaction action {};
  action.sa_handler = on_term;
  if (!feeds) sigaction(SIGTERM, &action, nullptr);
  // Ready before it is of use to a test: what starts is not told of a drain.
  link.report(WorkerHello{kControlVersion, {"keeper"}});
  if (feeds) {
    test::feed(start, std::move(started.fds.at(0)));
  } else {
    lend(names, started.fds.at(0));
    started.fds.erase(started.fds.begin());  // the lock is held
  }
  while (asked_to_end == 0) {
    pollfd ready{link.fd(), POLLIN, 0};
    ppoll(&ready, 1, nullptr, &none);
    while (auto order = link.poll()) {
      if (std::holds_alternative<Drain>(order->message)) note("told to drain");
    }
  }
  note("asked to end");
  // It has to record endings, and that takes as long as there is this file.
  while (access((state_dir + "/record endings").c_str(), F_OK) == 0) usleep(1000);
}
