#include "tests/keeper_channels/lent_keeper.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "common/control.hpp"
#include "common/keeper_pool.hpp"

namespace jobring::test {

std::string KeeperHouse::noting_pool(unsigned workers, const std::string& more) {
  return R"({"default": {"workers": )" + std::to_string(workers) + R"(, "modules": [")" +
         test_module("noting") + "\"]" + more + "}}";
}

KeeperHouse::KeeperHouse(const std::string& pools, const std::string& mode,
                         const std::string& more) {
  mkdir((dir_ / "state").c_str(), 0700);
  listener_.reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, state("lend").c_str(), state("lend").size() + 1);
  if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener_.get(), 8) != 0)
    throw std::runtime_error("lend");
  setenv("JOBRING_KEEPER", program("test_keeper").c_str(), 1);
  setenv("JOBRING_TEST_KEEPER", mode.c_str(), 1);
  setenv("JOBRING_TEST_NOTES", file("notes").c_str(), 1);
  daemon_ = std::make_unique<Daemon>(
      pools, more + R"(, "keeper": {"state_dir": ")" + (dir_ / "state") + "\"}");
}

void KeeperHouse::start_keeper() {
  daemon_->connect().channel(kKeeperPool);
}

std::shared_ptr<detail::ClientCore> KeeperHouse::borrow() {
  pollfd waiting{listener_.get(), POLLIN, 0};
  if (poll(&waiting, 1, 10'000) != 1) throw std::runtime_error("no keeper came");
  const UniqueFd from(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  auto message = await_control(from.get(), 10'000);
  if (!message || message->fds.size() != 1) throw std::runtime_error("the keeper lends nothing");
  told_ = message->text;
  return std::make_shared<detail::ClientCore>(std::move(message->fds[0]), 0, "jobringd", "keeper");
}

pid_t KeeperHouse::keeper() const {
  const auto status = nlohmann::json::parse(daemon_->connect().status_json());
  for (const auto& pool : status["pools"]) {
    if (pool["name"] == kKeeperPool) return pool["workers"][0]["pid"];
  }
  return 0;
}

void KeeperHouse::kill_keeper() {
  pid_t pid = 0;
  if (!eventually([&] { return (pid = keeper()) != 0; })) throw std::runtime_error("no keeper");
  ::kill(pid, SIGKILL);
  if (!eventually([&] { return keeper() != pid; })) throw std::runtime_error("it lives");
}

std::string KeeperHouse::payload(const std::string& line, const std::string& hold) const {
  return file("notes") + "\n" + line + (hold.empty() ? "" : "\n" + file(hold));
}

unsigned char* channel_memory() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("jobring:channel:default") != line.npos)
      return reinterpret_cast<unsigned char*>(std::stoull(line, nullptr, 16));
  }
  throw std::runtime_error("no channel");
}

KeptChannel open_ours(const std::shared_ptr<detail::ClientCore>& core) {
  auto kept = open_kept(core, "default", getuid(), getgid());
  if (!kept) throw std::runtime_error(kept.error().line());
  return std::move(*kept);
}

LentChannel::LentChannel() : core((house.start_keeper(), house.borrow())), kept(open_ours(core)) {}

}  // namespace jobring::test
