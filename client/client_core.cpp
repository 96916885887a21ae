#include "client/client_core.hpp"

#include <poll.h>
#include <sys/wait.h>

#include "common/control.hpp"
#include "common/pidfd.hpp"

namespace jobring::detail {
namespace {

// How long a daemon may take to answer a control request: it never blocks, so this means that it is
// stopped or gone mad.
constexpr int kAnswerTimeout = 30'000;  // milliseconds
constexpr int kDaemonEndTimeout = 5'000;

}  // namespace

void throw_error(const Error& error) {
  throw Exception(exit_status(error.code), to_string(error.code), error.line());
}

ClientCore::ClientCore(UniqueFd socket, pid_t private_daemon, std::string where, std::string name)
    : socket_(std::move(socket)),
      daemon_(private_daemon),
      where_(std::move(where)),
      name_(std::move(name)) {}

ClientCore::~ClientCore() {
  socket_.reset();
  if (daemon_ <= 0) return;
  // A private daemon ends when its socket closes. It is our child: wait, so that it leaves neither
  // zombie nor workers.
  const UniqueFd pidfd = open_pidfd(daemon_);
  pollfd ended{pidfd.get(), POLLIN, 0};
  if (pidfd && poll(&ended, 1, kDaemonEndTimeout) == 1) waitpid(daemon_, nullptr, 0);
}

Result<ClientCore::Answer> ClientCore::request(const ClientRequest& message,
                                               std::span<const int> fds) {
  const std::lock_guard lock(mutex_);
  if (!connected())
    return Error{
        Errc::no_daemon, last_words_.empty() ? "the daemon is gone" : last_words_, where_, {}};
  if (auto sent = send_control(socket_.get(), encode(message), fds); !sent) {
    if (sent.error().code != Errc::no_daemon) return sent.error();
    // It may have refused us and hung up before we asked: its reason waits to be read.
  }
  auto received = await_control(socket_.get(), kAnswerTimeout);
  if (!received) {
    connected_.store(false, std::memory_order_release);
    Error error = received.error();
    error.where = where_;
    if (error.code == Errc::no_daemon) error.what = "the daemon went away";
    return error;
  }
  auto reply = decode_client_reply(received->text);
  if (!reply) return reply.error();
  if (const auto* error = std::get_if<ErrorReply>(&*reply)) return from_reply(*error);
  return Answer{std::move(*reply), std::move(received->fds)};
}

void ClientCore::tell(const ClientRequest& message) {
  const std::lock_guard lock(mutex_);
  if (connected()) (void)send_control(socket_.get(), encode(message));
}

void ClientCore::disconnected() {
  const std::lock_guard lock(mutex_);
  if (!connected()) return;
  while (true) {
    auto received = await_control(socket_.get(), 0);
    if (!received) break;
    auto reply = decode_client_reply(received->text);
    if (!reply) continue;
    if (const auto* error = std::get_if<ErrorReply>(&*reply))
      last_words_ = from_reply(*error).line();
  }
  connected_.store(false, std::memory_order_release);
}

bool ClientCore::check_connection() {
  if (!connected()) return false;
  pollfd hangup{socket_.get(), POLLRDHUP, 0};
  if (poll(&hangup, 1, 0) > 0 && (hangup.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
    disconnected();
  return connected();
}

Error ClientCore::gone() const {
  const std::lock_guard lock(mutex_);
  return {Errc::no_daemon, last_words_.empty() ? "the daemon went away" : last_words_, where_, {}};
}

Error ClientCore::closed(const std::string& pool) {
  const auto answer = request(PingRequest{pool});
  if (!answer) return answer.error();
  return {Errc::no_daemon, "takes no more jobs", "pool " + pool, "see `jobring status`"};
}

}  // namespace jobring::detail
