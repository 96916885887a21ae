#include "common/control.hpp"

#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <cstring>

#include "common/clock.hpp"

namespace jobring {
namespace {

constexpr std::size_t kFdsPerMessage = 253;  // SCM_MAX_FD of the kernel, see unix(7)
static_assert(kControlFdsMax <= kFdsPerMessage);

}  // namespace

Result<void> send_control(int socket, std::string_view text, std::span<const int> fds) {
  if (text.size() > kControlMessageMax || fds.size() > kControlFdsMax) {
    return Error{Errc::internal, "control message too large", {}, {}};
  }
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kControlFdsMax * sizeof(int))];
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  for (;;) {
    if (sendmsg(socket, &message, MSG_NOSIGNAL) >= 0) return {};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
      return Error{Errc::full, "the peer does not read its messages", {}, {}};
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) {
      return Error{Errc::no_daemon, "the other end is gone", {}, {}};
    }
    return system_error("sendmsg", "control socket");
  }
}

Result<std::optional<ControlMessage>> receive_control(int socket, std::vector<UniqueFd>* refused) {
  static thread_local char buffer[kControlMessageMax];
  iovec part{buffer, sizeof buffer};
  // Room for all that the kernel lets one message carry: what it has no room for it closes itself,
  // and that is closing a stranger's descriptor (foreign_fd.hpp).
  alignas(cmsghdr) char control[CMSG_SPACE(kFdsPerMessage * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n;
  bool was_reset = false;
  for (;;) {
    n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (n >= 0) break;
    if (errno == EINTR) continue;
    // A peer that closed without reading all we sent resets the connection; what it had said before
    // that is still there.
    if (errno != ECONNRESET || was_reset) break;
    was_reset = true;
  }
  if (n < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::optional<ControlMessage>();
    if (errno == ECONNRESET) return Error{Errc::no_daemon, "the other end is gone", {}, {}};
    return system_error("recvmsg", "control socket");
  }
  ControlMessage received;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    int fds[kFdsPerMessage];
    std::memcpy(fds, CMSG_DATA(header), count * sizeof(int));
    for (std::size_t i = 0; i < count; ++i) received.fds.emplace_back(fds[i]);
  }
  const bool too_many = received.fds.size() > kControlFdsMax;
  // An empty message would look the same; nobody of ours sends one.
  const bool ended = n == 0;
  if (refused != nullptr && (ended || too_many || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))))
    *refused = std::move(received.fds);
  if (ended) return Error{Errc::no_daemon, "the other end is gone", {}, {}};
  if (message.msg_flags & MSG_CTRUNC) {
    return Error{
        Errc::full, "out of file descriptors: those of a control message are lost", {}, {}};
  }
  if (too_many || (message.msg_flags & MSG_TRUNC)) {
    return Error{
        Errc::protocol, "a control message is too large or carries too many descriptors", {}, {}};
  }
  received.text.assign(buffer, std::size_t(n));
  return std::optional<ControlMessage>(std::move(received));
}

Result<ControlMessage> await_control(int socket, int timeout_ms, std::uint64_t look_ns) {
  for (const std::uint64_t until = now_ns() + look_ns; timeout_ms != 0 && now_ns() < until;) {
    pollfd ready{socket, POLLIN, 0};
    if (poll(&ready, 1, 0) > 0) break;
    sched_yield();
  }
  for (;;) {
    pollfd waited{socket, POLLIN, 0};
    const int ready = poll(&waited, 1, timeout_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return system_error("poll", "control socket");
    if (ready == 0) return Error{Errc::timeout, "no answer in time", {}, {}};
    auto message = receive_control(socket);
    if (!message) return message.error();
    if (*message) return std::move(**message);
  }
}

}  // namespace jobring
