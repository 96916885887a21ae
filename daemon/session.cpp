#include "daemon/session.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/control.hpp"
#include "daemon/log.hpp"
#include "daemon/pool.hpp"

namespace jobring {
namespace {

// The status text may be longer than a control message: it travels as a memfd.
Result<UniqueFd> text_file(const std::string& text) {
  UniqueFd fd(memfd_create("jobring:status", MFD_CLOEXEC));
  if (!fd) return system_error("memfd_create");
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = write(fd.get(), text.data() + done, text.size() - done);
    if (n < 0) return system_error("write", "status");
    done += std::size_t(n);
  }
  return fd;
}

}  // namespace

Session::Session(UniqueFd socket, Peer peer, Host host, bool keeper)
    : socket_(std::move(socket)), peer_(peer), host_(std::move(host)), keeper_(keeper) {
  fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
  watch_ = host_.loop.watch(socket_.get(), [this] { on_readable(); });
}

Session::~Session() {
  for (const auto& [pool, channel] : channels_) {
    Pool* p = host_.find_pool(pool);
    if (p == nullptr) continue;
    if (kept_.contains({pool, channel})) {
      p->leave_kept(channel);
    } else {
      p->close_channel(channel);
    }
  }
  watch_.reset();
  close_connection(std::move(socket_), peer_.uid);
}

void Session::end() {
  if (over_) return;
  over_ = true;
  watch_.reset();
  // Not from within our own callback.
  host_.loop.post([this, ended = host_.ended] { ended(this); });
}

void Session::disconnect(const Error& reason) {
  log::warning("client pid " + std::to_string(peer_.pid) + " (uid " + std::to_string(peer_.uid) +
               ") disconnected: " + reason.line());
  (void)send_control(socket_.get(), encode(ClientReply(to_reply(reason))));
  end();
}

void Session::on_readable() {
  // A bounded number of messages a turn, so that a client that floods us does not keep us from the
  // others.
  for (int i = 0; i < 8 && !over_; ++i) {
    std::vector<UniqueFd> refused;
    auto received = receive_control(socket_.get(), &refused);
    const auto dropped = foreign(std::move(refused));
    if (!received) {
      if (received.error().code == Errc::no_daemon) return end();
      return disconnect(received.error());
    }
    if (!*received) return;
    auto fds = foreign(std::move((*received)->fds));
    auto request = decode_client_request((*received)->text);
    if (!request) return disconnect(request.error());
    if (auto* open = std::get_if<OpenRequest>(&*request)) {
      handle(*open, std::move(fds));
    } else {
      std::visit(
          [&](auto& r) {
            if constexpr (!std::is_same_v<std::decay_t<decltype(r)>, OpenRequest>) handle(r);
          },
          *request);
    }
  }
}

std::vector<ForeignFd> Session::foreign(std::vector<UniqueFd> fds) const {
  std::vector<ForeignFd> theirs;
  for (UniqueFd& fd : fds) theirs.emplace_back(std::move(fd), peer_.uid);
  return theirs;
}

bool Session::reply(const ClientReply& message, std::span<const int> fds) {
  auto sent = send_control(socket_.get(), encode(message), fds);
  if (!sent && !over_) {
    if (sent.error().code == Errc::full) {
      log::warning("client pid " + std::to_string(peer_.pid) +
                   " disconnected: it does not read its replies");
    }
    end();
  }
  return sent.ok();
}

void Session::refuse(const Error& error) {
  reply(to_reply(error));
}

void Session::handle(OpenRequest& request, std::vector<ForeignFd> fds) {
  if (request.version != kControlVersion) {
    return disconnect({Errc::protocol,
                       "the client speaks control version " + std::to_string(request.version) +
                           ", this daemon speaks " + std::to_string(kControlVersion),
                       {},
                       "install both from one release"});
  }
  if (fds.size() != (request.pass_stdio ? 3u : 0u)) {
    return disconnect({Errc::protocol,
                       "an open request came with " + std::to_string(fds.size()) + " descriptors",
                       {},
                       {}});
  }
  if (request.kept && !keeper_)
    return disconnect({Errc::protocol, "only the keeper has kept channels", {}, {}});
  auto pool = host_.pool_to_open(request.pool);
  if (!pool) return refuse(pool.error());
  if (request.kept) return open_kept(request, **pool);
  if (channels_.size() >= host_.max_channels) {
    return refuse({Errc::full,
                   "this client already has " + std::to_string(host_.max_channels) + " channels",
                   {},
                   "close some, or raise max_channels_per_client"});
  }
  if (!fds.empty() && foreign_closes(peer_.uid) >= host_.max_closes) {
    return refuse({Errc::full,
                   "the descriptors that this user passed before take too long to close",
                   {},
                   "pass pipes, terminals or local files"});
  }
  auto opened = (*pool)->open_channel(request, peer_, std::move(fds));
  if (!opened) return refuse(opened.error());
  channels_.emplace(request.pool, opened->reply.channel);
  // The client first: it has more to do before it can go on.
  if (reply(opened->reply, opened->fds)) (*pool)->offer_to_sleeper(opened->reply.channel);
}

void Session::open_kept(const OpenRequest& request, Pool& pool) {
  if (pool.is_service())
    return refuse({Errc::unknown_pool, "durable jobs do not run here", "pool " + request.pool, {}});
  auto opened = pool.open_kept(request, peer_.pid);
  if (!opened) return refuse(opened.error());
  channels_.emplace(request.pool, opened->reply.channel);
  kept_.emplace(request.pool, opened->reply.channel);
  reply(opened->reply, opened->fds);
}

void Session::handle(const CloseRequest& request) {
  kept_.erase({request.pool, request.channel});
  if (channels_.erase({request.pool, request.channel}) == 0) return;
  if (Pool* pool = host_.find_pool(request.pool)) pool->close_channel(request.channel);
}

void Session::handle(const KillRequest& request) {
  if (!holds(request.pool, request.channel)) return;
  if (Pool* pool = host_.find_pool(request.pool)) pool->kill_job(request);
}

void Session::handle(const PingRequest& request) {
  if (const Pool* pool = request.pool.empty() ? nullptr : host_.find_pool(request.pool)) {
    if (const auto refusal = pool->refusal()) return refuse(*refusal);
  }
  reply(host_.pong());
}

void Session::handle(const StatusRequest&) {
  auto file = text_file(host_.status());
  if (!file) return refuse(file.error());
  reply(StatusReply{}, std::array{file->get()});
}

}  // namespace jobring
