// The keeper's own socket (common/ask_message.hpp), from its side.
//
// Nobody waits for anybody here: a connection has its request in it or is looked at again when it
// has; an answer goes out whole or its client has gone. What a client may make us keep is bounded:
// so many connections, of each user, with one request each. Where something is wrong with one we
// hang up, and where something is wrong with the socket we do without: then all clients use
// channels.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/messages.hpp"
#include "common/unique_fd.hpp"
#include "daemon/access.hpp"

namespace jobring::keeper {

// Not thread-safe.
class AskSocket {
 public:
  // Listens if it is told where. Tells in a line on stderr why it does not.
  explicit AskSocket(const KeeperStart& start);
  ~AskSocket();
  AskSocket(const AskSocket&) = delete;
  AskSocket& operator=(const AskSocket&) = delete;

  // Readable while there is something to look at; -1: there never will be.
  int fd() const { return epoll_.get(); }

  struct Asked {
    std::uint64_t id = 0;  // never used again
    uid_t uid = 0;
    gid_t gid = 0;
    std::string request;
  };
  // What has been asked since the last look, at most a few dozen.
  std::vector<Asked> look();
  // And hangs up. Nothing if its client has gone.
  void answer(std::uint64_t id, std::string_view bytes);

 private:
  struct Connection {
    UniqueFd socket;
    uid_t uid = 0;
    gid_t gid = 0;
    bool asked = false;
  };
  void close();
  void accept(std::vector<Asked>& asked);
  bool make_room(uid_t uid);
  void receive(std::uint64_t id, std::vector<Asked>& asked);

  std::string path_;
  Access access_;
  UniqueFd epoll_, listening_;
  std::map<std::uint64_t, Connection> connections_;  // by id: the oldest first
  std::uint64_t last_id_ = 0;
};

}  // namespace jobring::keeper
