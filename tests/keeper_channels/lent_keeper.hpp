// A daemon whose keeper is the stand-in. In mode "lend" the test itself plays the keeper, over the
// control socket that the stand-in was given; in mode "feed" the stand-in does.
#pragma once

#include <memory>
#include <string>

#include "client/channel_impl.hpp"
#include "client/kept_channel.hpp"
#include "tests/support/daemon.hpp"

namespace jobring::test {

class KeeperHouse {
 public:
  // `more`: further members of the config, each with a leading comma.
  explicit KeeperHouse(const std::string& pools, const std::string& mode = "lend",
                       const std::string& more = R"(, "kill_grace": "1s")");
  KeeperHouse() : KeeperHouse(noting_pool(2)) {}

  // A pool "default" with the handler "note".
  static std::string noting_pool(unsigned workers, const std::string& more = "");

  const Daemon& daemon() const { return *daemon_; }
  Daemon& daemon() { return *daemon_; }
  std::string file(const std::string& name) const { return dir_ / name; }
  std::string state(const std::string& name) const { return dir_ / ("state/" + name); }
  // The supervisor starts its keeper: the first time because a client asks for it, later because
  // the one before died. Waits until it is there.
  void start_keeper();
  // The socket of the keeper that has started last, as a client's connection.
  std::shared_ptr<detail::ClientCore> borrow();
  // What that keeper was told: "N pools,POOL:UID:GID,..."
  const std::string& told() const { return told_; }
  pid_t keeper() const;  // 0 if there is none
  // SIGKILL, and waits until the supervisor has seen it.
  void kill_keeper();
  std::string payload(const std::string& line, const std::string& hold = "") const;
  // The lines that handlers have noted, as a whole.
  std::string notes() const { return read_file(file("notes")); }

 private:
  TempDir dir_;
  UniqueFd listener_;
  std::string told_;
  std::unique_ptr<Daemon> daemon_;
};

// Where this process has mapped the one channel of pool "default" that it has open.
unsigned char* channel_memory();

// The kept channel of pool "default" for ourselves; it must be had.
KeptChannel open_ours(const std::shared_ptr<detail::ClientCore>& core);

// A house whose keeper we are, with that channel.
struct LentChannel {
  LentChannel();
  KeeperHouse house;
  std::shared_ptr<detail::ClientCore> core;
  KeptChannel kept;
};

}  // namespace jobring::test
