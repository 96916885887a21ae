// Real daemon, real workers: what a client may rely on while nobody dies.
#include <doctest/doctest.h>
#include <poll.h>

#include <map>
#include <set>
#include <thread>

#include "common/exec_codec.hpp"
#include "tests/support/daemon.hpp"
#include "tests/support/gate.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

std::string pools_with(const std::string& module, int workers = 2, const std::string& more = "") {
  return R"({"default": {"workers": )" + std::to_string(workers) + R"(, "modules": [")" +
         test_module(module) + R"("])" + more + "}}";
}

}  // namespace

TEST_CASE("a job goes to a worker and its result comes back") {
  Daemon daemon;
  Pool pool = daemon.connect().pool();
  CHECK(pool.call("echo", "hello") == "hello");
  CHECK(pool.call("echo", "") == "");
  const std::string large(1 << 20, 'x');
  CHECK(pool.call("echo", large) == large);
  for (const std::size_t size : {191, 192, 193, 4095, 4096, 4097})
    CHECK(pool.call("echo", std::string(size, 'y')).size() == size);
}

TEST_CASE("a handler of a module maps over many inputs, in order") {
  Daemon daemon(pools_with("square"));
  Pool pool = daemon.connect().pool();
  CHECK(pool.call("square", "7") == "49");
  std::vector<std::string> inputs, expected;
  for (long i = 0; i < 20'000; ++i) {
    inputs.push_back(std::to_string(i));
    expected.push_back(std::to_string(i * i));
  }
  CHECK(pool.map("square", inputs) == expected);
}

TEST_CASE("map throws the first failure and withdraws the rest") {
  Daemon daemon(pools_with("square"));
  Pool pool = daemon.connect().pool();
  std::vector<std::string> inputs(5000, "3");
  inputs[100] = "three";
  CHECK_THROWS_AS(pool.map("square", inputs), JobFailed);
  CHECK(pool.map("square", {"4"}) == std::vector<std::string>{"16"});
}

TEST_CASE("more futures than slots: nothing blocks for ever, nothing is lost") {
  Daemon daemon(R"({"default": {"workers": 2, "slots": 8}})");
  Pool pool = daemon.connect().pool();
  std::vector<Future> futures;
  for (int i = 0; i < 1000; ++i) futures.push_back(pool.submit("echo", std::to_string(i)));
  for (int i = 0; i < 1000; ++i) REQUIRE(futures[std::size_t(i)].get() == std::to_string(i));
}

TEST_CASE("try_submit says full instead of waiting, submit_for gives up in time") {
  Daemon daemon(pools_with("faulty", 1, R"(, "slots": 2)"));
  Pool pool = daemon.connect().pool();
  const Future a = pool.submit("spin", ""), b = pool.submit("spin", "");
  CHECK_FALSE(pool.try_submit("echo", "x").has_value());
  CHECK_FALSE(pool.submit_for(50ms, "echo", "x").has_value());
  a.kill();
  b.kill();
  CHECK(pool.submit("echo", "x").get() == "x");
}

TEST_CASE("as_completed returns every future once, the quick ones first") {
  Daemon daemon(pools_with("faulty", 2));
  Pool pool = daemon.connect().pool();
  const Gate gate(daemon.dir(), "gate");
  std::vector<Future> futures{gate.job(pool)};
  for (int i = 0; i < 20; ++i) futures.push_back(pool.submit("echo", "q"));
  AsCompleted done(futures);
  for (int i = 0; i < 20; ++i) CHECK(done.next()->get() == "q");
  CHECK_FALSE(done.next(1ms));
  gate.open();
  CHECK(*done.next() == futures[0]);
  CHECK_FALSE(done.next());
}

TEST_CASE("wait_for tells a job that runs from one that ended") {
  Daemon daemon(pools_with("faulty"));
  Pool pool = daemon.connect().pool();
  const Gate gate(daemon.dir(), "gate");
  const Future held = gate.job(pool);
  CHECK_FALSE(held.wait_for(20ms));
  CHECK_FALSE(held.ready());
  gate.open();
  CHECK(held.wait_for(10s));
  const Future slept = pool.submit("sleep_ms", "100");
  CHECK(slept.wait_for(10s));
  CHECK(slept.result().ran >= 100ms);
}

TEST_CASE("a queued job can be cancelled and never runs, a running one cannot") {
  Daemon daemon(pools_with("faulty", 1));
  Pool pool = daemon.connect().pool();
  const Future running = pool.submit("spin", "");
  REQUIRE(eventually(
      [&] { return daemon.connect().status_json().find("\"busy\"") != std::string::npos; }));
  const Future queued = pool.submit("echo", "x");
  CHECK(queued.cancel());
  CHECK(queued.result().outcome == Outcome::cancelled);
  CHECK_FALSE(queued.cancel());
  CHECK_FALSE(running.cancel());
  running.kill();
  CHECK(running.wait_for(10s));
  CHECK(pool.call("echo", "on") == "on");
}

TEST_CASE("cancelling and submitting again and again does not wear the ring out") {
  Daemon daemon(pools_with("faulty", 1, R"(, "slots": 16)"));
  Pool pool = daemon.connect().pool();
  const Future running = pool.submit("spin", "");
  for (int i = 0; i < 500; ++i) {
    const auto f = pool.submit_for(5s, "echo", "x");
    REQUIRE(f.has_value());
    f->cancel();
  }
  running.kill();
  CHECK(pool.call("echo", "on") == "on");
}

TEST_CASE("a job that is not started by its deadline is not started") {
  Daemon daemon(pools_with("faulty", 1));
  Pool pool = daemon.connect().pool();
  const Gate gate(daemon.dir(), "gate");
  const Future running = gate.job(pool);
  JobOptions soon;
  soon.start_within = 10ms;
  const Future late = pool.submit("echo", "x", soon);
  std::this_thread::sleep_for(20ms);  // until its deadline is over
  gate.open();
  CHECK(late.result().outcome == Outcome::expired);
  CHECK(running.result().ok());
}

TEST_CASE("higher priorities go first, the lowest is not starved") {
  // One look in 32 starts at the lowest priority; a look finds a batch, so batches of one job.
  Daemon daemon(pools_with("faulty", 1, R"(, "batch": 1)"));
  Client client = daemon.connect();
  Channel channel = client.channel();
  const auto sleep = channel.handler("sleep_ms"), echo = channel.handler("echo");
  REQUIRE(channel.prepare(sleep, "50", 0));
  channel.submit();
  JobOptions low, high;
  low.priority = Priority::low;
  high.priority = Priority::high;
  constexpr int kEach = 200;
  for (int i = 0; i < kEach; ++i) {
    REQUIRE(channel.prepare(echo, "l", 1, low));
    REQUIRE(channel.prepare(echo, "h", 2, high));
  }
  channel.submit();
  std::vector<std::uint64_t> order;
  while (channel.outstanding() != 0) {
    channel.wait();
    for (const Completion& c : channel.reap()) order.push_back(c.tag);
  }
  REQUIRE(order.size() == 2 * kEach + 1);
  int high_in_first_half = 0, low_in_first_half = 0;
  for (std::size_t i = 1; i <= kEach; ++i)
    (order[i] == 2 ? high_in_first_half : low_in_first_half)++;
  CHECK(high_in_first_half > kEach / 2);
  CHECK(low_in_first_half > 0);
}

TEST_CASE("a client with a deep backlog does not starve another") {
  Daemon daemon(pools_with("faulty", 1, R"(, "batch": 1)"));
  Client greedy_client = daemon.connect("greedy"), modest_client = daemon.connect("modest");
  Channel greedy = greedy_client.channel();
  Pool modest = modest_client.pool();
  // Who ran when is told by the jobs, which leave a letter each; all of them wait behind the gate.
  const std::string order = daemon.dir() / "order";
  const auto note = [&](const std::string& letter) {
    return Command{.argv = {"sh", "-c", "echo " + letter + " >> " + order}};
  };
  const Gate gate(daemon.dir(), "gate");
  REQUIRE(greedy.prepare(greedy.handler("wait_at_fifo"), gate.path(), 0));
  const std::string greedy_note = encode(note("g"));
  for (int i = 0; i < 60; ++i) REQUIRE(greedy.prepare(greedy.handler("exec"), greedy_note, 0));
  greedy.submit();
  std::vector<Future> few;
  for (int i = 0; i < 5; ++i) few.push_back(modest.run(note("m")));
  gate.open();
  for (const Future& f : few) CHECK(f.result().ok());
  greedy.cancel_all();
  const std::string letters = read_file(order);
  CAPTURE(letters);
  // Fair turns: the modest one waited for a few jobs, not for dozens.
  CHECK(letters.rfind('m') / 2 < 20);
}

TEST_CASE("jobs that wait behind a slow one of the same batch are taken over by an idle worker") {
  Daemon daemon(pools_with("faulty", 2));
  Client client = daemon.connect();
  Channel channel = client.channel();
  const auto slow = channel.handler("wait_at_fifo"), echo = channel.handler("echo");
  // Teach the workers that jobs are short, so that they take batches.
  for (int i = 0; i < 200'000;) {
    while (channel.outstanding() < 1024 && channel.prepare(echo, "x", 0)) ++i;
    channel.submit();
    channel.wait();
    channel.reap();
  }
  while (channel.outstanding() != 0) {
    channel.wait();
    channel.reap();
  }
  const Gate gate(daemon.dir(), "gate");
  REQUIRE(channel.prepare(slow, gate.path(), 1));
  for (int i = 0; i < 60; ++i) REQUIRE(channel.prepare(echo, "x", 2));
  channel.submit();
  for (int quick = 0; quick < 60;) {
    REQUIRE(channel.wait(10s));
    for (const Completion& c : channel.reap()) {
      CHECK(c.tag == 2);
      ++quick;
    }
  }
  gate.open();
  REQUIRE(channel.wait(10s));
  CHECK(channel.reap().size() == 1);
}

TEST_CASE("a pool works from many threads at once") {
  Daemon daemon;
  Pool pool = daemon.connect().pool();
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const std::string text = std::to_string(t) + ":" + std::to_string(i);
        right += pool.call("echo", text) == text;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 2000);
}

TEST_CASE("the descriptor for event loops turns readable when a job ends, and quiet after poll()") {
  Daemon daemon(pools_with("faulty"));
  Pool pool = daemon.connect().pool();
  pollfd fd{pool.fd(), POLLIN, 0};
  pool.poll();
  CHECK(poll(&fd, 1, 0) == 0);
  for (int round = 0; round < 50; ++round) {
    const Future f = pool.submit("sleep_ms", round % 10 == 0 ? "20" : "0");
    std::size_t done = 0;
    while (done == 0) {
      REQUIRE(poll(&fd, 1, 10'000) == 1);
      done = pool.poll();
    }
    CHECK(f.ready());
  }
  CHECK(poll(&fd, 1, 0) == 0);
}

TEST_CASE("commands run with their arguments, environment, directory and input") {
  Daemon daemon;
  Pool pool = daemon.connect().pool();
  Command command;
  command.argv = {"sh", "-c", "pwd; echo $GREETING; cat; echo oops >&2; exit 3"};
  command.cwd = "/usr";
  command.env = {"GREETING=hi there"};
  command.stdin_text = "fed";
  const Future f = pool.run(command);
  const JobResult& result = f.result();
  CHECK(result.outcome == Outcome::failed);
  CHECK(result.detail == 3);
  const CommandResult ran = result.command();
  CHECK(ran.out == "/usr\nhi there\nfed");
  CHECK(ran.err == "oops\n");
  CHECK(ran.report.shell_status() == 3);
  CHECK(pool.run({.argv = {"true"}}).result().ok());
}

TEST_CASE("a command over its time is ended with its whole process group") {
  Daemon daemon(R"({"default": {"workers": 1}})", R"(, "kill_grace": "100ms")");
  Pool pool = daemon.connect().pool();
  const std::string pid_file = daemon.dir() / "pid";
  JobOptions options;
  // Until it has time to start what is to be ended with it: a machine may be slow.
  for (options.timeout = 200ms; read_file(pid_file).empty(); options.timeout *= 3) {
    REQUIRE(options.timeout < 60s);
    const Future f = pool.run(
        {.argv = {"sh", "-c",
                  "trap '' TERM; sleep 1000 & echo $! > " + pid_file + "; wait; sleep 1000"}},
        options);
    CHECK(f.result().outcome == Outcome::timed_out);
    CHECK(f.result().command().report.shell_status() == 124);
  }
  const pid_t grandchild = std::stoi(read_file(pid_file));
  CHECK(eventually([&] { return !alive(grandchild); }));
}

TEST_CASE("a running command is stopped on request") {
  Daemon daemon(R"({"default": {"workers": 1}})");
  Pool pool = daemon.connect().pool();
  const Future f = pool.run({.argv = {"sleep", "1000"}});
  REQUIRE(eventually(
      [&] { return daemon.connect().status_json().find("\"busy\"") != std::string::npos; }));
  f.kill(2);
  REQUIRE(f.wait_for(10s));
  CHECK(f.result().outcome == Outcome::killed);
  CHECK(f.result().detail == -2);
}

TEST_CASE(
    "a function stops when asked, one that does not is killed with its worker, and the pool "
    "carries on") {
  Daemon daemon(pools_with("faulty", 1), R"(, "kill_grace": "100ms")");
  Pool pool = daemon.connect().pool();
  // By its name: a worker may count as busy for a moment after the job before.
  const auto runs = [&](const std::string& handler) {
    return eventually([&] {
      return daemon.connect().status_json().find("\"" + handler + "\"") != std::string::npos;
    });
  };
  const Future polite = pool.submit("spin", "");
  REQUIRE(runs("spin"));
  polite.kill();
  REQUIRE(polite.wait_for(10s));
  const std::vector<pid_t> before = daemon.workers();
  const Future stubborn = pool.submit("stubborn", "");
  REQUIRE(runs("stubborn"));
  stubborn.kill();
  REQUIRE(stubborn.wait_for(10s));
  CHECK(stubborn.result().outcome == Outcome::killed);
  CHECK(pool.call("echo", "on") == "on");
  CHECK(daemon.workers() != before);
}

TEST_CASE("a function over its time is asked to stop, then killed") {
  Daemon daemon(pools_with("faulty", 1), R"(, "kill_grace": "100ms")");
  Pool pool = daemon.connect().pool();
  JobOptions options;
  options.timeout = 100ms;
  const Future polite = pool.submit("spin", "", options),
               stubborn = pool.submit("stubborn", "", options);
  CHECK(polite.result().outcome == Outcome::timed_out);
  CHECK(stubborn.result().outcome == Outcome::timed_out);
  CHECK(pool.call("echo", "on") == "on");
}

TEST_CASE("what a client does wrong is one clear error and harms nothing") {
  Daemon daemon(pools_with("faulty", 1, R"(, "max_payload": "4KiB", "max_result": "1KiB")"));
  Client client = daemon.connect();
  try {
    client.pool("fast");
    FAIL("opened a pool that is not there");
  } catch (const Exception& e) {
    CHECK(std::string(e.kind()) == "unknown_pool");
    CHECK(std::string(e.what()).find("default") != std::string::npos);
  }
  Pool pool = client.pool();
  CHECK_THROWS_WITH_AS(pool.submit("echo", std::string(4097, 'x')),
                       doctest::Contains("max_payload"), Exception);
  CHECK_THROWS_AS(pool.submit(std::string(48, 'h'), ""), Exception);
  CHECK_THROWS_AS(pool.submit("", ""), Exception);
  const Future unknown = pool.submit("no_such_handler", "");
  CHECK(unknown.result().outcome == Outcome::unknown_handler);
  CHECK(unknown.result().text().find("echo") != std::string::npos);
  CHECK(pool.submit("echo", std::string(2000, 'x')).result().outcome == Outcome::result_too_big);
  CHECK(pool.submit("too_big", "").result().outcome == Outcome::result_too_big);
  CHECK(pool.submit("exec", "not a command").result().outcome == Outcome::bad_request);
  CHECK(pool.submit("throw_std", "").result().outcome == Outcome::failed);
  CHECK(pool.submit("throw_int", "").result().outcome == Outcome::failed);
  CHECK_THROWS_AS(pool.call("throw_std", ""), JobFailed);
  CHECK(pool.call("echo", "on") == "on");
}

TEST_CASE("workers are replaced after max_jobs, without losing a job") {
  Daemon daemon(R"({"default": {"workers": 2, "max_jobs": 10}})");
  Pool pool = daemon.connect().pool();
  for (int i = 0; i < 300; ++i) REQUIRE(pool.call("echo", std::to_string(i)) == std::to_string(i));
  CHECK(daemon.status_number("restarts") + daemon.status_number("restarts", 1) >= 10);
  CHECK(daemon.status_number("crashes") == 0);
}

#ifndef __SANITIZE_THREAD__  // whose own memory hides the worker's
TEST_CASE(
    "a worker that grew above max_rss is replaced, what it shares with clients does not count") {
  Daemon daemon(pools_with("faulty", 1, R"(, "max_rss": "48MiB")"));
  Pool pool = daemon.connect().pool();
  const std::string large(1 << 20, 'x');
  std::vector<Future> futures;
  for (int i = 0; i < 60; ++i) futures.push_back(pool.submit("echo", large));
  for (const Future& f : futures) REQUIRE(f.get().size() == large.size());
  CHECK(daemon.status_number("restarts") == 0);
  CHECK(pool.submit("leak", "64").result().ok());
  CHECK(eventually([&] {
    // Memory is looked at after a job, ten times a second at most.
    return pool.call("echo", "x") == "x" && daemon.status_number("restarts") == 1;
  }));
  CHECK(daemon.status_number("crashes") == 0);
}
#endif

TEST_CASE("an idle daemon and its workers do not wake up") {
  Daemon daemon;
  Pool pool = daemon.connect().pool();
  CHECK(pool.call("echo", "x") == "x");
  std::vector<pid_t> all = daemon.workers();
  REQUIRE(all.size() == 2);
  all.push_back(daemon.pid());
  const auto switches = [&] {
    long total = 0;
    for (const pid_t pid : all) {
      const std::string status = read_file("/proc/" + std::to_string(pid) + "/status");
      total += std::atol(status.c_str() + status.find("voluntary_ctxt_switches:") + 24);
    }
    return total;
  };
  REQUIRE(eventually(
      [&] { return daemon.connect().status_json().find("\"idle\"") == std::string::npos; }));
  long before = -1;
  // It may take a moment to settle; then nothing may happen for a whole second.
  CHECK(eventually([&] {
    before = switches();
    std::this_thread::sleep_for(1s);
    return switches() == before;
  }));
}

TEST_CASE("large payloads do not keep more memory than extent_cache allows") {
  Daemon daemon(
      R"({"default": {"workers": 1, "slots": 64, "max_payload": "1MiB", "max_result": "1MiB", "extent_cache": "4MiB"}})");
  Pool pool = daemon.connect().pool();
  const std::string large(1 << 20, 'x');
  for (int round = 0; round < 10; ++round) {
    std::vector<Future> futures;
    for (int i = 0; i < 40; ++i) futures.push_back(pool.submit("echo", large));
    for (const Future& f : futures) REQUIRE(f.get().size() == large.size());
  }
  for (int i = 0; i < 4; ++i) REQUIRE(pool.call("echo", "small") == "small");
  const auto shared_kib = [&] {
    const std::string status = read_file("/proc/self/status");
    return std::atol(status.c_str() + status.find("RssShmem:") + 9);
  };
  CHECK(shared_kib() < 16 * 1024);  // 80 MiB were touched
}
