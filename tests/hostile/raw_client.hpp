// A client without the client library: its own words on the control socket, its own hands in the
// shared memory.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/channel_layout.hpp"
#include "common/doorbell.hpp"
#include "common/messages.hpp"
#include "common/pool_page.hpp"
#include "common/segment.hpp"
#include "common/unique_fd.hpp"

namespace jobring::test {

// Throws std::runtime_error where a test cannot go on.
class RawConnection {
 public:
  explicit RawConnection(const std::string& socket);

  int fd() const { return socket_.get(); }
  // False once the daemon has hung up.
  bool send(const std::string& bytes, std::span<const int> fds = {});
  bool send(const ClientRequest& request, std::span<const int> fds = {}) {
    return send(encode(request), fds);
  }
  // The next reply; empty if the daemon hangs up first. Throws after ten seconds of silence.
  struct Reply {
    ClientReply message;
    std::vector<UniqueFd> fds;
  };
  std::optional<Reply> receive();
  // Reads until the daemon hangs up; false if it does not.
  bool hung_up();

 private:
  UniqueFd socket_;
};

// A channel opened by the protocol, all of it mapped.
class RawChannel {
 public:
  RawChannel(RawConnection& connection, std::uint32_t slots, const std::string& pool = "default");

  const ChannelView& view() const { return view_; }
  unsigned char* base() const { return mapping_.as<unsigned char>(); }
  std::size_t size() const { return mapping_.size(); }
  DoorbellPage& doorbell() const { return *doorbell_.as<DoorbellPage>(); }
  const PoolPage& page() const { return *page_.as<PoolPage>(); }
  const OpenReply& reply() const { return reply_; }
  // In the order of the reply: segment, doorbell, pool page, bell, and one event per worker.
  const std::vector<UniqueFd>& fds() const { return fds_; }

  // Submits as a well-behaved client would, in the next slot whatever its state. The handler is an
  // index into names.
  std::uint32_t submit(std::uint16_t handler, std::string_view payload, std::uint32_t priority = 1);
  std::uint16_t name_handler(const std::string& name);
  void ring_workers() const;

 private:
  OpenReply reply_;
  std::vector<UniqueFd> fds_;
  Mapping mapping_, doorbell_, page_;
  ChannelView view_;
  SubmissionProducer<> producers_[kPriorities];
  std::uint32_t next_slot_ = 0;
};

}  // namespace jobring::test
