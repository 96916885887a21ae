// One client's control connection: decodes its requests, opens and closes its channels.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/foreign_fd.hpp"
#include "common/messages.hpp"
#include "common/unique_fd.hpp"
#include "daemon/channel.hpp"
#include "daemon/event_loop.hpp"

namespace jobring {

class Pool;

class Session {
 public:
  struct Host {
    EventLoop& loop;
    std::function<Pool*(const std::string& name)> find_pool;  // null: there is none
    // Starts a service that nobody has asked for before.
    std::function<Result<Pool*>(const std::string& name)> pool_to_open;
    std::function<PongReply()> pong;
    std::function<std::string()> status;
    std::function<void(Session*)> ended;  // destroys the session
    std::uint32_t max_channels;
    std::uint32_t max_closes;  // descriptors that wait to be closed, of one user
  };

  // `keeper`: it may open kept channels.
  Session(UniqueFd socket, Peer peer, Host host, bool keeper = false);
  ~Session();

  // Ends it and says why: to the client if it still listens, and in the log.
  void disconnect(const Error& reason);
  bool holds(const std::string& pool, std::uint32_t channel) const {
    return channels_.contains({pool, channel});
  }
  const Peer& peer() const { return peer_; }

 private:
  void on_readable();
  void handle(OpenRequest& request, std::vector<ForeignFd> fds);
  void open_kept(const OpenRequest& request, Pool& pool);
  void handle(const CloseRequest& request);
  void handle(const KillRequest& request);
  void handle(const PingRequest& request);
  void handle(const StatusRequest&);
  std::vector<ForeignFd> foreign(std::vector<UniqueFd> fds) const;
  bool reply(const ClientReply& message, std::span<const int> fds = {});
  void refuse(const Error& error);
  void end();

  UniqueFd socket_;
  Peer peer_;
  Host host_;
  EventLoop::Handle watch_;
  const bool keeper_;
  std::set<std::pair<std::string, std::uint32_t>> channels_;  // pool, channel id
  std::set<std::pair<std::string, std::uint32_t>> kept_;      // those of them that outlive us
  bool over_ = false;
};

}  // namespace jobring
