#include "daemon/access.hpp"

#include <grp.h>
#include <pwd.h>
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

}  // namespace jobring
