#pragma once

#include <sys/types.h>

#include <vector>

#include "common/result.hpp"

namespace jobring {

// Who is at the other end of a control socket, as the kernel says.
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups{};  // supplementary
};

// Of a connected unix socket (SO_PEERCRED, SO_PEERGROUPS).
Result<Peer> peer_of(int socket);

}  // namespace jobring
