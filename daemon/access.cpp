#include "daemon/access.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace jobring {
namespace {

template <class Id>
bool parse_id(const std::string& text, Id& id) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Result<Access> Access::from_config(const Config& config) {
  Access access({}, {});
  for (const std::string& name : config.users) {
    uid_t uid;
    if (!parse_id(name, uid)) {
      const passwd* user = getpwnam(name.c_str());
      if (user == nullptr)
        return Error{Errc::config, "no such user \"" + name + "\"", "/users", {}};
      uid = user->pw_uid;
    }
    access.users_.push_back(uid);
  }
  for (const std::string& name : config.groups) {
    gid_t gid;
    if (!parse_id(name, gid)) {
      const group* found = getgrnam(name.c_str());
      if (found == nullptr)
        return Error{Errc::config, "no such group \"" + name + "\"", "/groups", {}};
      gid = found->gr_gid;
    }
    access.groups_.push_back(gid);
  }
  return access;
}

bool Access::allows(const Peer& peer) const {
  if (peer.uid == 0 || peer.uid == geteuid()) return true;
  if (std::find(users_.begin(), users_.end(), peer.uid) != users_.end()) return true;
  const auto named = [&](gid_t gid) {
    return std::find(groups_.begin(), groups_.end(), gid) != groups_.end();
  };
  return named(peer.gid) || std::any_of(peer.groups.begin(), peer.groups.end(), named);
}

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
