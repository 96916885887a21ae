#include "daemon/peer.hpp"

#include <sys/socket.h>

#include <utility>

namespace jobring {

Result<Peer> peer_of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return system_error("SO_PEERCRED");
  std::vector<gid_t> groups(64);
  size = socklen_t(groups.size() * sizeof(gid_t));
  if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) {
    // ERANGE tells the size that is needed.
    groups.resize(size / sizeof(gid_t));
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) size = 0;
  }
  groups.resize(size / sizeof(gid_t));
  return Peer{credentials.pid, credentials.uid, credentials.gid, std::move(groups)};
}

}  // namespace jobring
