// Client: connects, opens channels, asks the daemon about itself.
#include <unistd.h>

#include <map>
#include <mutex>

#include "client/pool_core.hpp"
#include "common/clock.hpp"

namespace jobring {
namespace {

std::unique_ptr<Channel::Impl> open_or_throw(const std::shared_ptr<detail::ClientCore>& core,
                                             std::string_view pool, const ChannelOptions& options) {
  auto opened = Channel::Impl::open(core, std::string(pool), options);
  if (!opened) detail::throw_error(opened.error());
  return std::move(*opened);
}

}  // namespace

Client Client::connect(const ConnectOptions& options) {
  auto core = detail::connect_core(options);
  if (!core) detail::throw_error(core.error());
  return Client(std::move(*core));
}

Pool Client::pool(std::string_view name) {
  const std::lock_guard lock(core_->pools_mutex);
  auto& known = core_->pools[std::string(name)];
  auto pool = known.lock();
  if (!pool || pool->shut_down()) {
    pool = std::make_shared<detail::PoolCore>(core_, open_or_throw(core_, name, {}));
    known = pool;
  }
  return Pool(std::move(pool));
}

Pool Client::pool(std::string_view name, const ChannelOptions& options) {
  return Pool(std::make_shared<detail::PoolCore>(core_, open_or_throw(core_, name, options)));
}

Channel Client::channel(std::string_view pool, const ChannelOptions& options) {
  return Channel(open_or_throw(core_, pool, options));
}

Pong Client::ping() {
  const std::uint64_t start = now_ns();
  auto answer = core_->request(PingRequest{});
  const std::uint64_t took = now_ns() - start;
  if (!answer) detail::throw_error(answer.error());
  const auto* pong = std::get_if<PongReply>(&answer->reply);
  if (pong == nullptr)
    detail::throw_error({Errc::protocol, "an answer to something else", core_->where(), {}});
  return {pong->version, pong->pid, std::chrono::milliseconds(pong->uptime_ms),
          std::chrono::nanoseconds(took)};
}

std::string Client::status_json() {
  auto answer = core_->request(StatusRequest{});
  if (!answer) detail::throw_error(answer.error());
  if (answer->fds.size() != 1)
    detail::throw_error({Errc::protocol, "a status without its text", core_->where(), {}});
  std::string text;
  char buffer[16384];
  for (off_t at = 0;; at += off_t(text.size()) - at) {
    const ssize_t n = pread(answer->fds[0].get(), buffer, sizeof buffer, at);
    if (n <= 0) break;
    text.append(buffer, std::size_t(n));
  }
  return text;
}

bool Client::is_private() const {
  return core_->is_private();
}

}  // namespace jobring
