// Who may do what, how much of it, and that nothing is left behind.
#include <dirent.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/named/support.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

std::string kind_of(const std::function<void()>& operation) {
  try {
    operation();
  } catch (const Exception& e) {
    return e.kind();
  }
  return "nothing";
}

std::size_t descriptors(pid_t pid) {
  std::size_t count = 0;
  const std::string path = "/proc/" + std::to_string(pid) + "/fd";
  if (DIR* dir = opendir(path.c_str())) {
    while (readdir(dir) != nullptr) ++count;
    closedir(dir);
  }
  return count;
}

// Mappings of jobring's segments.
std::size_t segments(pid_t pid, const char* which = "jobring:") {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find(which) != std::string::npos;
  return count;
}

}  // namespace

TEST_CASE("objects belong to users as files do") {
  REQUIRE_MESSAGE(getuid() == 0, "this test becomes two users, which takes root");
  constexpr uid_t kAlice = 54321, kBob = 54322;
  Daemon daemon(R"({"default": {"workers": 1}})", R"(, "users": ["54321", "54322"])");
  REQUIRE_EQ(chmod(daemon.dir().path().c_str(), 0755), 0);
  Child alice(
      [&](Child& self) {
        Client client = daemon.connect();
        Registry registry(client);
        Lock secret(registry, "secret");
        secret.lock();
        Dict shared(registry, "shared", {.mode = 0740});
        shared.set("k", "v");
        Counter open(registry, "open", {.mode = 0777});
        open.add(1);
        self.say("ready");
        self.listen();
        return kind_of([&] { secret.release(); }) == "nothing" ? 0 : 1;
      },
      kAlice, kAlice);
  REQUIRE_EQ(alice.hear(), "ready");
  Child bob(
      [&](Child& self) {
        Client client = daemon.connect();
        Registry registry(client);
        Dict shared(registry, "shared");
        self.say(kind_of([&] { Lock(registry, "secret").try_lock(); }));
        self.say(kind_of([&] { Lock(registry, "secret").release(); }));
        self.say(kind_of([&] { shared.get("k"); }));
        self.say(kind_of([&] { Counter(registry, "open").add(1); }));
        self.say(kind_of([&] { registry.remove("secret"); }));
        self.say(kind_of([&] { shared.set_access(0777); }));
        self.say(std::to_string(registry.objects().size()));
        return 0;
      },
      kBob, kAlice);  // of her group
  CHECK_EQ(bob.hear(), "permission");
  CHECK_EQ(bob.hear(), "permission");
  CHECK_EQ(bob.hear(), "nothing");
  CHECK_EQ(bob.hear(), "nothing");
  CHECK_EQ(bob.hear(), "permission");
  CHECK_EQ(bob.hear(), "permission");
  CHECK_EQ(bob.hear(), "2");
  CHECK_EQ(bob.wait(), 0);
  Client client = daemon.connect();
  Registry registry(client);  // root may do everything
  CHECK_EQ(registry.objects().size(), 3);
  CHECK_EQ(Counter(registry, "open").get(), 2);
  alice.tell("go");
  CHECK_EQ(alice.wait(), 0);
  CHECK(registry.remove("secret"));
}

TEST_CASE("every limit is refused with a word of its own") {
  Daemon daemon(R"({"default": {"workers": 1}})",
                R"(, "registry": {"objects_per_user": 4, "value_max": "1KiB", "waiters_per_user": 2,
                   "memory": "1MiB", "memory_per_user": "64KiB"})");
  Client client = daemon.connect();
  Registry registry(client);
  for (int i = 0; i < 3; ++i) Counter(registry, "c" + std::to_string(i)).add();
  Dict dict(registry, "d");
  dict.set("k", "v");
  CHECK_EQ(kind_of([&] { Counter(registry, "c3").add(); }), "too_many");
  CHECK_EQ(kind_of([&] { dict.set("k", std::string(2000, 'x')); }), "too_large");
  CHECK_EQ(kind_of([&] { dict.set(std::string(2000, 'x'), ""); }), "too_large");
  CHECK_EQ(kind_of([&] {
             for (int i = 0; i < 1000; ++i) dict.set(std::to_string(i), std::string(1000, 'x'));
           }),
           "full");
  dict.clear();  // what is full can be emptied
  dict.set("k", "v");
  CHECK(registry.remove("c0"));
  Event event(registry, "e");
  const auto a = event.start_wait(), b = event.start_wait(), c = event.start_wait();
  CHECK_EQ(kind_of([&] { c.get(); }), "too_many");
  event.set();
  CHECK(a.get());
  CHECK(b.get());
}

TEST_CASE("a daemon without a registry says so") {
  Daemon daemon(R"({"default": {"workers": 1}})", R"(, "registry": {"enabled": false})");
  Client client = daemon.connect();
  CHECK_EQ(kind_of([&] { Registry registry(client); }), "unknown_pool");
}

TEST_CASE("a private daemon has a registry too") {
  ConnectOptions options;
  options.daemon = ConnectOptions::Daemon::own;
  options.daemon_path = program("jobringd");
  Client client = Client::connect(options);
  CHECK_EQ(client.status_json().find("@registry"), std::string::npos);  // until it is asked for
  Registry registry(client);
  CHECK_EQ(Counter(registry, "c").add(), 1);
}

TEST_CASE("clients that come and go leave no descriptor mapping or session behind") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Counter counter(registry, "c");
  const auto visit = [&](int n) {
    Client visitor = daemon.connect();
    Registry theirs(visitor);
    Lock lock(theirs, "l", {.ephemeral = true});
    lock.lock();
    Semaphore(theirs, "s", 1000000).acquire();
    if (n % 2 == 0) lock.unlock();
    if (n % 3 == 0) (void)Event(theirs, "e").start_wait();  // dropped while it waits
    counter.add();
  };
  for (int i = 0; i < 10; ++i) visit(i);
  const auto settled = [&] {
    return registry_status(daemon)["channels"].size() == 1 && !registry.info("l");
  };
  REQUIRE(eventually(settled));
  const pid_t service = registry_pid(daemon);
  const auto own = descriptors(getpid()), ours = segments(getpid());
  const auto daemon_fds = descriptors(daemon.pid()), daemon_maps = segments(daemon.pid());
  const auto service_fds = descriptors(service), service_maps = segments(service);
  for (int i = 0; i < 100; ++i) visit(i);
  REQUIRE(eventually(settled));
  CHECK_EQ(descriptors(getpid()), own);
  CHECK_EQ(segments(getpid()), ours);
  CHECK(eventually([&] {
    // Not equal: the connections with which we asked whether all is settled may have counted too.
    return descriptors(daemon.pid()) <= daemon_fds && segments(daemon.pid()) <= daemon_maps &&
           descriptors(service) <= service_fds && segments(service) <= service_maps;
  }));
  CHECK_EQ(Semaphore(registry, "s", 1000000).value(), 1000000);
  CHECK_EQ(registry.info("e")->waiters, 0);
  CHECK_EQ(counter.get(), 110);
}

TEST_CASE("a service that sleeps maps a channel while its client opens it") {
  Daemon daemon(R"({"default": {"workers": 1}})");
  Client client = daemon.connect();
  Registry registry(client);
  Counter(registry, "c").add();
  const pid_t service = registry_pid(daemon);
  // Again and again: it may be awake just then, and is not told.
  CHECK(eventually([&] {
    const std::size_t before = segments(service, "jobring:channel");
    Client other = daemon.connect();
    const Channel asks_for_nothing = other.channel("@registry");
    return eventually([&] { return segments(service, "jobring:channel") > before; }, 100ms);
  }));
}

TEST_CASE("callbacks of operations that never end keep no connection alive") {
  Daemon daemon(R"({"default": {"workers": 1}})");
  Client keeper = daemon.connect();
  Registry registry(keeper);
  Lock held(registry, "held");
  held.lock();
  const std::size_t before = descriptors(getpid()), mapped = segments(getpid());
  int lost = 0, others = 0;
  for (int round = 0; round < 3; ++round) {
    Client client = daemon.connect();
    Registry short_lived(client);
    Lock lock(short_lived, "held");
    Condition condition(short_lived, "condition", lock);
    Queue queue(short_lived, "empty");
    const auto count = [&](const auto& pending) {
      try {
        pending.get();
        ++others;
      } catch (const ObjectLost&) {
        ++lost;
      } catch (...) {
        ++others;
      }
    };
    lock.start_acquire().on_ready(count);
    queue.start_get().on_ready(count);
    const auto kept_until_then = queue.start_get();
    kept_until_then.on_ready(count);
  }
  CHECK_EQ(lost, 9);
  CHECK_EQ(others, 0);
  CHECK_EQ(descriptors(getpid()), before);
  CHECK_EQ(segments(getpid()), mapped);
  // Of one whose object and handle are gone, while others of its client live: it is granted.
  bool granted = false;
  Lock(registry, "held").start_acquire().on_ready([&](const Pending<Grant>& pending) {
    granted = bool(pending.get());
  });
  held.release();
  CHECK(eventually([&] {
    registry.pool().poll();
    return granted;
  }));
}

TEST_CASE("requests that make no sense end alone and harm nobody") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Counter(registry, "c").add();
  Channel channel = client.channel("@registry");
  const auto handler = channel.handler("anything");
  const std::string nonsense[] = {"", "x", std::string(64, '\xff'), std::string(64, '\0'),
                                  std::string(100'000, '\x01')};
  for (const std::string& payload : nonsense) {
    REQUIRE(channel.prepare(handler, payload, 0));
    channel.submit();
    REQUIRE(channel.wait(30s));
    CHECK_EQ(int(channel.reap(1)[0].outcome), int(Outcome::bad_request));
  }
  CHECK_EQ(Counter(registry, "c").get(), 1);
}

TEST_CASE("jobs that still run at a drain can use the registry and the daemon ends after them") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Event go(registry, "go");
  go.clear();
  Pool pool = client.pool();
  Future job =
      pool.run({.argv = {program("jobring"), "event", "wait", "--socket", daemon.socket(), "go"}});
  REQUIRE(eventually([&] { return go.info()->waiters == 1; }));
  daemon.signal(SIGTERM);
  REQUIRE(eventually([&] { return daemon.status_number("draining") >= 0; }));
  go.set();
  CHECK_EQ(int(job.result().outcome), int(Outcome::ok));
  CHECK_EQ(daemon.wait_end(), 0);
}
