// A web server of a test: real sockets on loopback, whose answers the test writes byte by byte. One
// thread a connection.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace jobring::test {

class ScriptedServer {
 public:
  struct Request {
    std::string head;  // with the request line, without the empty line
    std::string body;
    int connection;  // 0, 1, ... in the order in which they were accepted
    int nth;         // on its connection
  };
  // The bytes to answer with; empty: close without an answer. `close` ends the connection after it.
  struct Answer {
    std::string bytes;
    bool close = false;
  };
  using Script = std::function<Answer(const Request&)>;

  explicit ScriptedServer(Script script) : script_(std::move(script)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener_, 512) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("cannot listen");
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this] { accept_all(); });
  }
  ~ScriptedServer() {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    close(listener_);
    {
      const std::scoped_lock lock(mutex_);
      for (const int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    serving_.clear();  // joins
  }
  std::string url(const std::string& path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  int port() const { return port_; }
  int connections() const { return connections_; }
  int most_at_once() const { return most_; }

  static std::string ok(const std::string& body, const std::string& more_headers = "") {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           more_headers + "\r\n" + body;
  }
  static std::string redirect(int status, const std::string& to) {
    return "HTTP/1.1 " + std::to_string(status) + " Moved\r\nContent-Length: 0\r\nLocation: " + to +
           "\r\n\r\n";
  }

 private:
  void accept_all() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const std::scoped_lock lock(mutex_);
      open_.push_back(fd);
      const int number = connections_++;
      most_ = std::max<int>(most_, int(open_.size()));
      serving_.emplace_back([this, fd, number] { serve(fd, number); });
    }
  }
  void serve(int fd, int number) {
    std::string got;
    for (int nth = 0;; ++nth) {
      std::size_t end;
      while ((end = got.find("\r\n\r\n")) == got.npos && more(fd, got)) {
      }
      if (end == got.npos) break;
      Request request{got.substr(0, end), {}, number, nth};
      got.erase(0, end + 4);
      std::size_t length = 0;
      if (const auto at = request.head.find("Content-Length: "); at != request.head.npos)
        length = std::stoul(request.head.substr(at + 16));
      while (got.size() < length && more(fd, got)) {
      }
      request.body = got.substr(0, length);
      got.erase(0, length);
      const Answer answer = script_(request);
      if (!answer.bytes.empty())
        (void)!send(fd, answer.bytes.data(), answer.bytes.size(), MSG_NOSIGNAL);
      if (answer.close || answer.bytes.empty()) break;
    }
    const std::scoped_lock lock(mutex_);
    std::erase(open_, fd);
    close(fd);
  }
  static bool more(int fd, std::string& got) {
    char bytes[4096];
    const ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    got.append(bytes, std::size_t(n));
    return true;
  }

  Script script_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0}, most_{0};
  std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::jthread> serving_;
  std::jthread acceptor_;
};

}  // namespace jobring::test
