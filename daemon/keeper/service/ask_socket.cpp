#include "daemon/keeper/service/ask_socket.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "common/ask_message.hpp"
#include "common/control.hpp"
#include "daemon/listener.hpp"
#include "worker/wait_set.hpp"

namespace jobring::keeper {
namespace {

constexpr std::uint64_t kListening = 0;  // no id of a connection
constexpr int kLooksMost = 32;           // connections in one look
constexpr std::size_t kConnectionsMost = 256;
constexpr std::ptrdiff_t kOfUserMost = 64;  // but of root and our own user

}  // namespace

AskSocket::AskSocket(const KeeperStart& start)
    : path_(start.ask_socket), access_(start.users, start.groups) {
  if (path_.empty()) return;
  unlink(path_.c_str());  // of the keeper before us; the daemon's lock says that it is ours
  auto listening = listen_at(path_, access_.open_to_others());
  if (!listening) {
    std::fprintf(stderr, "submissions need channels: %s\n", listening.error().line().c_str());
    return;
  }
  listening_ = std::move(*listening);
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_ || !watch(epoll_.get(), listening_.get(), kListening)) close();
}

AskSocket::~AskSocket() {
  close();
}

// No more come.
void AskSocket::close() {
  if (!listening_) return;
  unlink(path_.c_str());
  listening_.reset();
}

std::vector<AskSocket::Asked> AskSocket::look() {
  std::vector<Asked> asked;
  if (!epoll_) return asked;
  epoll_event events[kLooksMost];
  const int count = epoll_wait(epoll_.get(), events, kLooksMost, 0);
  for (int i = 0; i < count; ++i) {
    if (events[i].data.u64 == kListening) {
      accept(asked);
    } else {
      receive(events[i].data.u64, asked);
    }
  }
  return asked;
}

void AskSocket::accept(std::vector<Asked>& asked) {
  for (int i = 0; i < kLooksMost; ++i) {
    UniqueFd socket(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
      std::fprintf(stderr, "submissions need channels from now on: %s\n",
                   system_error("accept", path_).line().c_str());
      return close();
    }
    const auto peer = peer_of(socket.get());
    if (!peer || !access_.allows(*peer) || !make_room(peer->uid)) continue;
    const std::uint64_t id = ++last_id_;
    if (!watch(epoll_.get(), socket.get(), id)) continue;
    connections_.emplace(id, Connection{std::move(socket), peer->uid, peer->gid});
    receive(id, asked);
  }
}

// For one more of this user: the oldest that has asked nothing gives way.
bool AskSocket::make_room(uid_t uid) {
  const bool trusted = uid == 0 || uid == geteuid();
  const auto of_user = [&](const auto& c) { return c.second.uid == uid; };
  const bool user_full =
      !trusted && std::count_if(connections_.begin(), connections_.end(), of_user) >= kOfUserMost;
  if (!user_full && connections_.size() < kConnectionsMost) return true;
  const auto idle = std::find_if(connections_.begin(), connections_.end(), [&](const auto& c) {
    return !c.second.asked && (!user_full || of_user(c));
  });
  if (idle == connections_.end()) return false;
  connections_.erase(idle);
  return true;
}

void AskSocket::receive(std::uint64_t id, std::vector<Asked>& asked) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;  // gave way in this look
  Connection& from = found->second;
  auto received = receive_control(from.socket.get());
  if (received && !*received) return;
  const auto request = received ? decode_ask((*received)->text) : std::nullopt;
  // Its end, too: what it has asked is done all the same.
  if (!request || from.asked) {
    connections_.erase(found);
    return;
  }
  from.asked = true;
  asked.push_back({id, from.uid, from.gid, std::string(*request)});
}

void AskSocket::answer(std::uint64_t id, std::string_view bytes) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  (void)send_control(found->second.socket.get(), encode_ask(bytes));
  connections_.erase(found);
}

}  // namespace jobring::keeper
