// Who may connect: root, the daemon's own user, and whom the config names.
#pragma once

#include <sys/types.h>

#include <vector>

#include "common/config/config.hpp"
#include "common/result.hpp"
#include "daemon/channel.hpp"

namespace jobring {

class Access {
 public:
  // Resolves the names of the config. An unknown one is an error.
  static Result<Access> from_config(const Config& config);

  bool allows(const Peer& peer) const;
  // True if anybody beside root and our own user may connect: the socket must then be open to all,
  // and we refuse.
  bool open_to_others() const { return !users_.empty() || !groups_.empty(); }

 private:
  std::vector<uid_t> users_;
  std::vector<gid_t> groups_;
};

// Peer credentials of a connected unix socket, all its groups included (SO_PEERGROUPS).
Result<Peer> peer_of(int socket);

}  // namespace jobring
