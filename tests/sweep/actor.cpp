#include "tests/sweep/actor.hpp"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

#include "tests/support/daemon.hpp"

extern char** environ;

namespace jobring::test {
namespace {

constexpr std::size_t kEndedMax = 64;

}  // namespace

Actor::Actor(const std::string& socket, bool connect) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::runtime_error("socketpair");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], kActorLink);
  const std::string path = program("sweep_client");
  char* argv[] = {const_cast<char*>(path.c_str()), const_cast<char*>(socket.c_str()), nullptr};
  const int error = posix_spawn(&pid_, path.c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + path);
  close(ends[1]);
  link_ = ends[0];
  if (connect && !ask({.act = Act::connect})) throw std::runtime_error("a client cannot connect");
}

Actor::~Actor() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(link_);
}

bool Actor::answered() const {
  pollfd ready{link_, POLLIN, 0};
  return poll(&ready, 1, 0) == 1;
}

void Actor::tell(const Order& order) {
  [[maybe_unused]] const ssize_t n = write(link_, &order, sizeof order);
}

std::optional<std::vector<Actor::Ended>> Actor::answer(std::chrono::milliseconds patience) {
  pollfd ready{link_, POLLIN, 0};
  if (poll(&ready, 1, int(patience.count())) != 1) return std::nullopt;
  Ended ended[kEndedMax];
  const ssize_t n = read(link_, ended, sizeof ended);
  if (n <= 0) return std::nullopt;
  return std::vector<Ended>(ended, ended + std::size_t(n) / sizeof(Ended));
}

}  // namespace jobring::test
