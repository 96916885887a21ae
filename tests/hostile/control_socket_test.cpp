// Peers on the control socket that do not speak, speak nonsense, or do not stop speaking.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "tests/hostile/raw_client.hpp"
#include "tests/hostile/stranger.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kGrowthMax = 64 * 1024;  // KiB: the quarantine of freed memory
#else
constexpr std::size_t kGrowthMax = 2 * 1024;  // KiB
#endif

// What the daemon holds before and after somebody was let loose on it.
class Holdings {
 public:
  // `act` is done once before the measure: what the daemon keeps of the first time, such as a
  // doorbell for the uid and the allocator's pages, is no leak.
  Holdings(const OpenDaemon& daemon, uid_t uid, const std::function<bool()>& act)
      : daemon_(daemon) {
    CHECK(Stranger(uid, act).good());
    files_ = settled();
    memory_ = daemon.resident_kib();
  }
  void check_returned() const {
    CHECK(eventually([&] { return daemon_.open_files() == files_; }));
    CHECK(daemon_.resident_kib() < memory_ + kGrowthMax);
  }

 private:
  // The number of open files once it stays: those who have just gone are still being seen off.
  std::size_t settled() const {
    std::size_t files = 0;
    int same = 0;
    eventually([&] {
      const std::size_t now = daemon_.open_files();
      same = now == files ? same + 1 : 0;
      files = now;
      return same == 20;
    });
    return files;
  }

  const OpenDaemon& daemon_;
  std::size_t files_ = 0, memory_ = 0;
};

// Lets a stranger loose, alone and then again while a good client works and others come and go.
void let_loose(OpenDaemon& daemon, const std::function<bool()>& act) {
  const Holdings before(daemon, kStranger, act);
  {
    GoodClient good(daemon.connect());
    Stranger hostile(kStranger, act);
    do {
      good.work(5);
      GoodClient(daemon.connect()).work(1);
    } while (hostile.running());
    CHECK(hostile.good());
    good.work(20);
  }
  before.check_returned();
  daemon.check_unharmed();
}

std::string valid_open() {
  return encode(ClientRequest(OpenRequest{kControlVersion, "default", 8, false, "x"}));
}

}  // namespace

TEST_CASE("a peer that speaks nonsense is cut off with a reason, in its words and in the log") {
  OpenDaemon daemon;
  const std::vector<std::string> nonsense = {
      "x",
      "{",
      "{}",
      "[]",
      "null",
      std::string(1, '\0'),
      valid_open().substr(0, valid_open().size() / 2),
      R"({"op": 7})",
      R"({"op": "fly"})",
      R"({"op": "hello", "version": 1, "handlers": ["echo"]})",  // a worker's words
      R"({"op": "broken", "channel": 0, "reason": "x"})",
      R"({"op": "open", "version": 1, "pool": 3})",
      R"({"op": "open", "version": 99999999999, "pool": "default"})",
      R"({"op": "open", "version": 1, "pool": "default", "slots": -1})",
      R"({"op": "open", "version": 77, "pool": "default"})",
      R"({"op": "kill", "pool": "default", "channel": 1.5})",
      "{\"op\": \"\xff\xfe\"}",
      std::string(60'000, '['),
      std::string(60'000, 'x'),
      R"({"op": ")" + std::string(60'000, 'y') + "\"}",
  };
  let_loose(daemon, [&] {
    for (const std::string& text : nonsense) {
      RawConnection connection(daemon.socket());
      connection.send(text);
      const auto reply = connection.receive();
      if (!reply) throw std::runtime_error("no reason given for " + text.substr(0, 60));
      const auto* error = std::get_if<ErrorReply>(&reply->message);
      if (error == nullptr || error->kind != "protocol" || error->what.size() > 4096 ||
          !connection.hung_up())
        throw std::runtime_error("not cut off for " + text.substr(0, 60));
    }
    return true;
  });
  CHECK(count_of(daemon.log(), "(uid 65534) disconnected: ") == 2 * nonsense.size());
}

TEST_CASE("what a peer says cannot forge a line of the log, nor fill it") {
  OpenDaemon daemon;
  let_loose(daemon, [&] {
    for (const std::string& op : {std::string("x\\n2026-01-01T00:00:00.000 error the disk is gone"),
                                  std::string("\\u001b[2J\\u0007"), std::string(60'000, 'y')}) {
      RawConnection connection(daemon.socket());
      connection.send("{\"op\": \"" + op + "\"}");
      if (!connection.hung_up()) return false;
    }
    return true;
  });
  const std::string log = daemon.log();
  CHECK(count_of(log, "\n2026-01-01T") == 0);
  CHECK(count_of(log, "\x1b") == 0);
  CHECK(log.size() < 20'000);
}

TEST_CASE("a request that cannot be granted is refused, however long the name in it") {
  OpenDaemon daemon;
  let_loose(daemon, [&] {
    for (const std::string& name : {std::string(), std::string("none"), std::string(60'000, 'n'),
                                    std::string("\n\x01\x02"), std::string("defaul\0t", 8)}) {
      RawConnection connection(daemon.socket());
      connection.send(OpenRequest{kControlVersion, name, 8, false, std::string(1000, 'c')});
      const auto reply = connection.receive();
      const auto* error = reply ? std::get_if<ErrorReply>(&reply->message) : nullptr;
      if (error == nullptr || error->kind != "unknown_pool") return false;
      connection.send(PingRequest{});  // refused is not cut off
      if (!connection.receive()) return false;
    }
    return true;
  });
}

TEST_CASE(
    "messages that are too large, empty, or stuffed with descriptors end their connection and leak "
    "nothing") {
  OpenDaemon daemon;
  let_loose(daemon, [&] {
    std::vector<UniqueFd> files;
    std::vector<int> fds;
    for (int i = 0; i < 253; ++i) {
      files.emplace_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
      fds.push_back(files.back().get());
    }
    const std::string ping = encode(ClientRequest(PingRequest{}));
    const auto send = [&](const std::string& text, std::size_t count, bool survives) {
      RawConnection connection(daemon.socket());
      connection.send(text, std::span(fds).first(count));
      if (survives) {
        const auto reply = connection.receive();
        if (!reply) throw std::runtime_error("cut off without need");
      } else if (!connection.hung_up()) {
        throw std::runtime_error("not cut off");
      }
    };
    for (int round = 0; round < 5; ++round) {
      send(ping + std::string(kControlMessageMax, ' '), 0, false);
      send(ping + std::string(150'000, ' '), 253, false);
      send("", 0, false);
      send("", 100, false);
      send(ping, kControlFdsMax + 1, false);
      send(ping, 253, false);
      send(ping, kControlFdsMax, true);  // nobody asked for them; they are closed
      send(valid_open(), 1, false);
      send(valid_open(), kControlFdsMax, false);
      send(encode(ClientRequest(OpenRequest{kControlVersion, "default", 8, true, "x"})), 2, false);
      send(encode(ClientRequest(OpenRequest{kControlVersion, "default", 8, true, "x"})), 4, false);
      send(encode(ClientRequest(OpenRequest{kControlVersion, "default", 8, true, "x"})), 3, true);
    }
    // Many messages, and the peer is gone before they are read.
    for (int round = 0; round < 20; ++round) {
      RawConnection connection(daemon.socket());
      fcntl(connection.fd(), F_SETFL, O_NONBLOCK);
      try {
        for (int i = 0; i < 50; ++i) connection.send(ping, std::span(fds).first(20));
      } catch (const std::runtime_error&) {  // full
      }
    }
    return true;
  });
}

TEST_CASE("a peer that asks and never reads is cut off, and others are served meanwhile") {
  OpenDaemon daemon;
  let_loose(daemon, [&] {
    for (const ClientRequest& request :
         {ClientRequest(PingRequest{}), ClientRequest(StatusRequest{})}) {
      RawConnection connection(daemon.socket());
      const std::string text = encode(request);
      int sent = 0;
      while (sent < 100'000 && connection.send(text)) ++sent;
      if (sent == 100'000) throw std::runtime_error("never cut off");
    }
    return true;
  });
  CHECK(count_of(daemon.log(), "does not read its replies") == 2 * 2);
}

TEST_CASE("a peer that floods the daemon with requests does not keep others waiting") {
  OpenDaemon daemon;
  let_loose(daemon, [&] {
    RawConnection connection(daemon.socket());
    const std::string ping = encode(ClientRequest(PingRequest{})),
                      nothing = encode(ClientRequest(CloseRequest{"x", 1}));
    const auto end = std::chrono::steady_clock::now() + 1s;
    while (std::chrono::steady_clock::now() < end) {
      for (int i = 0; i < 100; ++i) {
        if (!connection.send(nothing)) return false;
      }
      // It reads what it asks for: a peer that does not is another test.
      if (!connection.send(ping) || !connection.receive()) return false;
    }
    return true;
  });
}

TEST_CASE(
    "channels that are opened and forgotten are bounded, and come back when their client goes") {
  OpenDaemon daemon(2, R"(, "max_channels": 20, "slots": 64)");
  let_loose(daemon, [&] {
    for (int round = 0; round < 10; ++round) {
      std::vector<std::unique_ptr<RawConnection>> connections;
      int opened = 0, refused = 0;
      for (int c = 0; c < 3; ++c) {
        connections.push_back(std::make_unique<RawConnection>(daemon.socket()));
        for (int i = 0; i < 17; ++i) {
          connections.back()->send(valid_open());
          const auto reply = connections.back()->receive();
          if (!reply) return false;
          ++(std::holds_alternative<OpenReply>(reply->message) ? opened : refused);
        }
      }
      // 16 of one connection, 20 of one uid. Places of the last round may still be on their way
      // back.
      if (opened > 20 || refused < 31) return false;
      if (opened == 20 && round > 3) return true;
      std::this_thread::sleep_for(20ms);
    }
    return false;
  });
}

TEST_CASE("requests about the channels and jobs of others are ignored") {
  OpenDaemon daemon(2, R"(, "modules": [")" + test_module("faulty") + R"("])");
  Client client = daemon.connect();
  Pool pool = client.pool();
  const std::string go = daemon.dir() / "go";
  REQUIRE(mkfifo(go.c_str(), 0600) == 0);
  const Future running = pool.submit("wait_at_fifo", go);
  CHECK(eventually(
      [&] { return daemon.connect().status_json().find("\"busy\"") != std::string::npos; }));
  let_loose(daemon, [&] {
    RawConnection connection(daemon.socket());
    RawChannel own(connection, 8);
    for (std::uint32_t channel = 0; channel < 600; ++channel) {
      for (std::uint32_t slot = 0; slot < 8; ++slot)
        connection.send(KillRequest{"default", channel, slot, 0, SIGKILL});
      if (channel != own.reply().channel) connection.send(CloseRequest{"default", channel});
    }
    for (const std::uint32_t slot : {8u, 4096u, ~0u}) {
      for (const int signal : {-1, 0, 9, 65, 1 << 30})
        connection.send(KillRequest{"default", own.reply().channel, slot, ~0ull, signal});
    }
    // A word that names a worker which runs somebody else's job.
    for (std::uint32_t owner = 0; owner < 4096; ++owner) {
      own.view().slot(0).state = StateWord(SlotState::running, owner, 7).raw();
      own.view().header().slots_used.set(1);
      connection.send(KillRequest{"default", own.reply().channel, 0, 1, SIGKILL});
      if (owner % 64 == 63) {
        connection.send(PingRequest{});
        if (!connection.receive()) return false;
      }
    }
    return true;
  });
  CHECK(!running.wait_for(std::chrono::nanoseconds(0)));
  write_file(go, "");
  CHECK(running.result().outcome == Outcome::ok);
}

TEST_CASE("a worker is not killed because its client asks a thousand times for a job's end") {
  OpenDaemon daemon(1, R"(, "modules": [")" + test_module("faulty") + R"("])",
                    R"(, "kill_grace": "20s")");
  let_loose(daemon, [&] {
    RawConnection connection(daemon.socket());
    RawChannel channel(connection, 8);
    const std::uint32_t slot = channel.submit(channel.name_handler("sleep_ms"), "600");
    if (!eventually([&] { return channel.view().slot(slot).word().is(SlotState::running); }))
      return false;
    for (int i = 0; i < 3000; ++i) {
      connection.send(KillRequest{"default", channel.reply().channel, slot, 1, 1 + i % 64});
    }
    return eventually([&] { return channel.view().slot(slot).word().is(SlotState::done); });
  });
}

TEST_CASE("credentials come from the kernel, whatever a peer says about itself") {
  OpenDaemon daemon;
  let_loose(daemon, [&] {
    RawConnection connection(daemon.socket());
    const std::string ping = encode(ClientRequest(PingRequest{}));
    const auto send_as = [&](ucred who) {
      iovec part{const_cast<char*>(ping.data()), ping.size()};
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof who)] = {};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_CREDENTIALS;
      header->cmsg_len = CMSG_LEN(sizeof who);
      std::memcpy(CMSG_DATA(header), &who, sizeof who);
      return sendmsg(connection.fd(), &message, MSG_NOSIGNAL) >= 0;
    };
    if (send_as({1, 0, 0})) return false;  // the kernel refuses the lie
    if (!send_as({getpid(), geteuid(), getegid()}) || !connection.receive()) return false;
    const int on = 1;
    setsockopt(connection.fd(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    return connection.send(ping) && connection.receive().has_value();
  });
}

TEST_CASE("a uid that is not on the list gets a reason and nothing else") {
  OpenDaemon daemon;
  const auto knock = [&] {
    for (int i = 0; i < 20; ++i) {
      RawConnection connection(daemon.socket());
      connection.send(valid_open());
      const auto reply = connection.receive();
      const auto* error = reply ? std::get_if<ErrorReply>(&reply->message) : nullptr;
      if (error == nullptr || error->kind != "permission" || !reply->fds.empty() ||
          !connection.hung_up())
        return false;
    }
    return true;
  };
  const Holdings before(daemon, 12345, knock);
  CHECK(Stranger(12345, knock).good());
  before.check_returned();
  daemon.check_unharmed();
}

TEST_CASE("a storm of connections beyond the limits passes, and others come in meanwhile") {
  OpenDaemon daemon(2, "", R"(, "max_clients": 40, "max_clients_per_user": 30)");
  let_loose(daemon, [&] {
    for (int round = 0; round < 5; ++round) {
      std::vector<std::unique_ptr<RawConnection>> connections;
      int refused = 0, served = 0;
      for (int i = 0; i < 100; ++i) {
        connections.push_back(std::make_unique<RawConnection>(daemon.socket()));
        connections.back()->send(PingRequest{});
        const auto reply = connections.back()->receive();
        if (!reply) return false;
        ++(std::holds_alternative<ErrorReply>(reply->message) ? refused : served);
      }
      if (served > 30 || refused < 70) throw std::runtime_error("served " + std::to_string(served));
    }
    return true;
  });
}
