#include "tests/hostile/raw_client.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "common/control.hpp"

namespace jobring::test {

RawConnection::RawConnection(const std::string& path)
    : socket_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("connect: " + std::string(std::strerror(errno)));
}

bool RawConnection::send(const std::string& bytes, std::span<const int> fds) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  for (;;) {
    if (sendmsg(socket_.get(), &message, MSG_NOSIGNAL) >= 0) return true;
    if (errno == EPIPE || errno == ECONNRESET) return false;
    if (errno != EINTR) throw std::runtime_error("sendmsg: " + std::string(std::strerror(errno)));
  }
}

std::optional<RawConnection::Reply> RawConnection::receive() {
  auto received = await_control(socket_.get(), 10'000);
  if (!received) {
    if (received.error().code == Errc::no_daemon) return std::nullopt;
    throw std::runtime_error("no reply: " + received.error().line());
  }
  auto reply = decode_client_reply(received->text);
  if (!reply) throw std::runtime_error("the reply makes no sense: " + received->text);
  return Reply{std::move(*reply), std::move(received->fds)};
}

bool RawConnection::hung_up() {
  try {
    while (receive()) {
    }
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

RawChannel::RawChannel(RawConnection& connection, std::uint32_t slots, const std::string& pool) {
  if (!connection.send(OpenRequest{kControlVersion, pool, slots, false, "hostile"}))
    throw std::runtime_error("the daemon hung up before the open");
  auto reply = connection.receive();
  if (!reply) throw std::runtime_error("the daemon hung up instead of opening");
  if (const auto* error = std::get_if<ErrorReply>(&reply->message))
    throw std::runtime_error(error->what);
  reply_ = std::get<OpenReply>(reply->message);
  fds_ = std::move(reply->fds);
  const ChannelShape shape{reply_.slots, reply_.max_payload, reply_.max_result};
  const auto map = [&](std::size_t fd, std::size_t size, Mapping::Access access) {
    auto mapping = Mapping::map(fds_.at(fd).get(), size, access);
    if (!mapping) throw std::runtime_error(mapping.error().line());
    return std::move(*mapping);
  };
  mapping_ = map(0, ChannelLayout(shape).total, Mapping::Access::read_write);
  doorbell_ = map(1, sizeof(DoorbellPage), Mapping::Access::read_write);
  page_ = map(2, sizeof(PoolPage), Mapping::Access::read_only);
  view_ = ChannelView(mapping_.base(), shape);
  for (std::uint32_t p = 0; p < kPriorities; ++p) producers_[p] = view_.submission_producer(p);
}

std::uint16_t RawChannel::name_handler(const std::string& name) {
  ChannelHeader& header = view_.header();
  const std::uint32_t index = header.handler_count.load();
  std::strncpy(header.handler_names[index], name.c_str(), kHandlerNameMax);
  header.handler_count = index + 1;
  return std::uint16_t(index);
}

std::uint32_t RawChannel::submit(std::uint16_t handler, std::string_view payload,
                                 std::uint32_t priority) {
  const std::uint32_t index = next_slot_++ % reply_.slots;
  Slot& slot = view_.slot(index);
  std::memcpy(view_.payload(index, payload.size()), payload.data(), payload.size());
  view_.header().slots_used.set(reply_.slots);
  slot.payload_len.set(std::uint32_t(payload.size()));
  slot.handler.set(handler);
  slot.flags.set(0);
  slot.timeout_ms.set(0);
  slot.deadline_ns.set(0);
  slot.kill_request = 0;
  const StateWord queued = slot.word().to(SlotState::queued);
  slot.job.set(std::uint32_t(queued.generation()));
  slot.state.store(queued.raw(), std::memory_order_release);
  producers_[priority].put(SubmissionWord(index, queued.generation()));
  producers_[priority].publish();
  doorbell().set_ready(priority, reply_.ready_bit);
  ring_workers();
  return index;
}

void RawChannel::ring_workers() const {
  const std::uint64_t one = 1;
  for (std::size_t i = 4; i < fds_.size(); ++i) {
    [[maybe_unused]] const ssize_t n = write(fds_[i].get(), &one, sizeof one);
  }
}

}  // namespace jobring::test
