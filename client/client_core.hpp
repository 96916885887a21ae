// The connection to a daemon: its control socket, and the process of a private daemon.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <jobring/jobring.hpp>

#include "common/messages.hpp"
#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace jobring::detail {

// Thread-safe.
class ClientCore {
 public:
  ClientCore(UniqueFd socket, pid_t private_daemon, std::string where, std::string name);
  ~ClientCore();

  struct Answer {
    ClientReply reply;
    std::vector<UniqueFd> fds;
  };
  // Sends a request and waits for its reply. An ErrorReply comes back as the error it carries.
  Result<Answer> request(const ClientRequest& message, std::span<const int> fds = {});
  // Sends without waiting for anything.
  void tell(const ClientRequest& message);

  int socket() const { return socket_.get(); }
  bool connected() const { return connected_.load(std::memory_order_acquire); }
  // Call when the socket hung up. Takes the daemon's last words, if it left any.
  void disconnected();
  // Looks whether it hung up; never blocks.
  bool check_connection();
  Error gone() const;  // what to tell those who still want something
  // What to tell those who want something of a pool that takes no more jobs. Asks the daemon.
  Error closed(const std::string& pool);
  bool is_private() const { return daemon_ > 0; }
  const std::string& where() const { return where_; }
  const std::string& name() const { return name_; }

  // The pools that are open, by name: Client::pool() gives the same one twice. The same of durable
  // jobs.
  std::mutex pools_mutex;
  std::map<std::string, std::weak_ptr<PoolCore>> pools;
  std::weak_ptr<DurableCore> durable;

 private:
  mutable std::mutex mutex_;
  UniqueFd socket_;
  pid_t daemon_;
  std::string where_;
  std::string name_;
  std::atomic<bool> connected_{true};
  std::string last_words_;
};

[[noreturn]] void throw_error(const Error& error);

// Where a daemon is looked for that is not started for us, the first place first.
std::vector<std::string> sockets_of(const ConnectOptions& options);
// Connects to a socket of a daemon, whoever listens there.
Result<UniqueFd> connect_to(const std::string& path);
// Finds or starts a daemon (ConnectOptions).
Result<std::shared_ptr<ClientCore>> connect_core(const ConnectOptions& options);

}  // namespace jobring::detail
