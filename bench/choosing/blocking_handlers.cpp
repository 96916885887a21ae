// The jobs of bench/choosing as a process or thread pool runs them: each keeps its thread.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include <jobring/handler.hpp>

#include "bench/choosing/work.hpp"

namespace {

using namespace bench::choosing;

class Socket {
 public:
  Socket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0) throw std::runtime_error("socket");
    // Reset at its end: a closed connection would keep its port for a minute.
    const linger reset{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

JOBRING_THREAD_SAFE_HANDLER(compute, job) {
  job.reply(std::to_string(compute()));
}

JOBRING_THREAD_SAFE_HANDLER(block, job) {
  std::this_thread::sleep_for(std::chrono::milliseconds(kWaitMs));
}

// The payload is the server's port; the result its answer.
JOBRING_THREAD_SAFE_HANDLER(ask, job) {
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(std::uint16_t(std::stoi(std::string(job.text()))));
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const Socket socket;
  if (connect(socket.fd(), reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0)
    throw std::runtime_error("connect");
  char byte = '?';
  if (write(socket.fd(), &byte, 1) != 1 || read(socket.fd(), &byte, 1) != 1)
    throw std::runtime_error("no answer");
  job.reply({&byte, 1});
}
