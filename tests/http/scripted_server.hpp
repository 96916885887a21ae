// A web server of a test: real sockets on loopback, with TLS if wanted, whose answers the test
// writes byte by byte. One thread a connection.
#pragma once

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
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

  // `pem`: a file with a certificate and its key; empty: no TLS.
  explicit ScriptedServer(Script script, const std::string& pem = {}) : script_(std::move(script)) {
    if (!pem.empty()) {
      tls_.reset(SSL_CTX_new(TLS_server_method()));
      if (SSL_CTX_use_certificate_chain_file(tls_.get(), pem.c_str()) != 1 ||
          SSL_CTX_use_PrivateKey_file(tls_.get(), pem.c_str(), SSL_FILETYPE_PEM) != 1)
        throw std::runtime_error("cannot read " + pem);
    }
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
  std::string url(const std::string& path = "/", const std::string& host = "127.0.0.1") const {
    return (tls_ ? "https://" : "http://") + host + ":" + std::to_string(port_) + path;
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
  // A connection, with TLS or without.
  struct Stream {
    int fd;
    std::unique_ptr<SSL, decltype(&SSL_free)> tls{nullptr, &SSL_free};

    bool more(std::string& got) {
      char bytes[4096];
      const long n =
          tls ? SSL_read(tls.get(), bytes, sizeof bytes) : recv(fd, bytes, sizeof bytes, 0);
      if (n <= 0) return false;
      got.append(bytes, std::size_t(n));
      return true;
    }
    void write(const std::string& bytes) {
      if (tls) {
        SSL_write(tls.get(), bytes.data(), int(bytes.size()));
      } else {
        (void)!send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      }
    }
  };

  void serve(int fd, int number) {
    Stream stream{fd};
    if (tls_) {
      stream.tls.reset(SSL_new(tls_.get()));
      SSL_set_fd(stream.tls.get(), fd);
    }
    if (!tls_ || SSL_accept(stream.tls.get()) == 1) answer_all(stream, number);
    if (tls_) SSL_shutdown(stream.tls.get());
    const std::scoped_lock lock(mutex_);
    std::erase(open_, fd);
    close(fd);
  }
  void answer_all(Stream& stream, int number) {
    std::string got;
    for (int nth = 0;; ++nth) {
      std::size_t end;
      while ((end = got.find("\r\n\r\n")) == got.npos && stream.more(got)) {
      }
      if (end == got.npos) return;
      Request request{got.substr(0, end), {}, number, nth};
      got.erase(0, end + 4);
      std::size_t length = 0;
      if (const auto at = request.head.find("Content-Length: "); at != request.head.npos)
        length = std::stoul(request.head.substr(at + 16));
      while (got.size() < length && stream.more(got)) {
      }
      request.body = got.substr(0, length);
      got.erase(0, length);
      const Answer answer = script_(request);
      if (!answer.bytes.empty()) stream.write(answer.bytes);
      if (answer.close || answer.bytes.empty()) return;
    }
  }

  Script script_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> tls_{nullptr, &SSL_CTX_free};
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0}, most_{0};
  std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::jthread> serving_;
  std::jthread acceptor_;
};

}  // namespace jobring::test
