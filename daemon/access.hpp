// Who may connect: root, the daemon's own user, and whom the config names.
#pragma once

#include <sys/types.h>

#include <utility>
#include <vector>

#include "common/config/config.hpp"
#include "common/result.hpp"
#include "daemon/peer.hpp"

namespace jobring {

class Access {
 public:
  Access(std::vector<uid_t> users, std::vector<gid_t> groups)
      : users_(std::move(users)), groups_(std::move(groups)) {}
  // Resolves the names of the config. An unknown one is an error.
  static Result<Access> from_config(const Config& config);

  bool allows(const Peer& peer) const;
  // True if anybody beside root and our own user may connect: the socket must then be open to all,
  // and we refuse.
  bool open_to_others() const { return !users_.empty() || !groups_.empty(); }
  const std::vector<uid_t>& users() const { return users_; }
  const std::vector<gid_t>& groups() const { return groups_; }

 private:
  std::vector<uid_t> users_;
  std::vector<gid_t> groups_;
};

}  // namespace jobring
