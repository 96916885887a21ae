// The verbs lock, queue, event, dict and objects, as a shell uses them.
#include "tests/named/support.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

struct Shell {
  Daemon daemon;
  // A shell command in which `jobring` is ours.
  Ran operator()(const std::string& command) const {
    return run_program({"/usr/bin/env", "JOBRING_SOCKET=" + daemon.socket(),
                        "PATH=" + std::string(JOBRING_BIN_DIR) + ":/usr/bin:/bin", "/bin/sh", "-c",
                        command});
  }
};

}  // namespace

TEST_CASE("jobring lock runs one command at a time and tells its status") {
  const Shell shell;
  CHECK_EQ(shell("jobring lock l -- sh -c 'exit 7'").status, 7);
  CHECK_EQ(shell("jobring lock l -- sh -c 'kill -TERM $$'").status, 143);
  CHECK_EQ(shell("jobring lock l -- no-such-command 2>/dev/null").status, 127);
  CHECK_EQ(shell("jobring lock l 2>/dev/null").status, 64);
  // While it is held, another one does not get it; and it is free afterwards.
  const Ran nested = shell(
      "jobring lock l -- sh -c 'jobring lock -n l -- true 2>/dev/null; echo $?;"
      "jobring lock -w 20ms -E 9 l -- true 2>/dev/null; echo $?'; jobring lock -n l -- echo free");
  CHECK_EQ(nested.output, "75\n9\nfree\n");
  const Ran token = shell("jobring lock l -- sh -c 'test $JOBRING_LOCK_TOKEN -gt 0 && echo ok'");
  CHECK_EQ(token.output, "ok\n");
  CHECK_EQ(shell("jobring objects --json").output, "[]\n");
}

TEST_CASE("a jobring lock that is killed gives the lock to the next and takes its command along") {
  const Shell shell;
  const std::string pid_file = shell.daemon.dir() / "pid";
  const pid_t holder =
      spawn({program("jobring"), "lock", "--socket", shell.daemon.socket(), "l", "--", "sh", "-c",
             "echo $$ > " + pid_file + ".new; mv " + pid_file + ".new " + pid_file +
                 "; exec sleep 1000"});
  REQUIRE(eventually([&] { return !read_file(pid_file).empty(); }));
  const pid_t command = std::stoi(read_file(pid_file));
  CHECK_EQ(shell("jobring lock -n l -- true").status, 75);
  // Without anybody in line the lock, which is ephemeral, would go with its holder.
  const std::string out = shell.daemon.dir() / "out";
  const pid_t next = spawn({program("jobring"), "lock", "--socket", shell.daemon.socket(), "l",
                            "--", "sh", "-c", "echo $JOBRING_LOCK_OWNER_DIED"},
                           out);
  REQUIRE(eventually([&] {
    return shell("jobring objects --json").output.find("\"waiters\":1") != std::string::npos;
  }));
  kill(holder, SIGKILL);
  wait_exit(holder);
  CHECK_EQ(wait_exit(next), 0);
  CHECK_EQ(read_file(out), "1\n");
  CHECK(eventually([&] { return !alive(command); }));
}

TEST_CASE("jobring lock says that its lock is lost when the registry dies") {
  const Shell shell;
  const std::string out = shell.daemon.dir() / "out";
  const pid_t holder = spawn({program("jobring"), "lock", "--strict", "--socket",
                              shell.daemon.socket(), "l", "--", "sleep", "1000"},
                             out);
  REQUIRE(eventually([&] { return shell("jobring lock -n l -- true").status == 75; }));
  kill(registry_pid(shell.daemon), SIGKILL);
  CHECK_EQ(wait_exit(holder), 143);
  CHECK(read_file(out).find("was lost") != std::string::npos);
}

TEST_CASE("items go through jobring queue in order and line by line") {
  const Shell shell;
  CHECK_EQ(shell("seq 1 2000 | jobring queue put q; jobring queue len q").output, "2000\n");
  CHECK_EQ(shell("jobring queue get q; jobring queue get -c 2 q").output, "1\n2\n3\n");
  CHECK_EQ(shell("jobring queue get -c 0 -n q | tail -n 1").output, "2000\n");
  CHECK_EQ(shell("jobring queue get -n q").status, 75);
  CHECK_EQ(shell("jobring queue get -w 20ms q").status, 75);
  CHECK_EQ(shell("jobring queue put q 'a b' c; jobring queue get --json q").output,
           "{\"value\":\"a b\",\"redelivered\":false}\n");
  CHECK_EQ(shell("jobring queue put --capacity 1 small x && jobring queue put -n small y").status,
           75);
  CHECK_NE(shell("jobring queue len none").status, 0);
}

TEST_CASE("jobring event lets a waiting command go on") {
  const Shell shell;
  CHECK_EQ(shell("jobring event wait -n e").status, 75);
  CHECK_EQ(shell("(jobring event wait e && echo went on) & jobring event set e; wait").output,
           "went on\n");
  CHECK_EQ(shell("jobring event is-set e").status, 0);
  CHECK_EQ(shell("jobring event clear e; jobring event is-set e").status, 1);
}

TEST_CASE("jobring dict reads changes lists and watches") {
  const Shell shell;
  CHECK_EQ(shell("jobring dict set d a 1; printf '2\\n3' | jobring dict set d b -").status, 0);
  CHECK_EQ(shell("jobring dict get d a; jobring dict get d b").output, "1\n2\n3\n");
  CHECK_EQ(shell("jobring dict get d none").status, 1);
  CHECK_EQ(
      shell("jobring dict incr d n; jobring dict incr d n 41; jobring dict incr d n -2").output,
      "1\n42\n40\n");
  CHECK_EQ(shell("jobring dict del d b; jobring dict list d").output, "a\t1\nn\t40\n");
  CHECK_EQ(shell("jobring dict list --json d").output, "{\"a\":\"1\",\"n\":\"40\"}\n");
  CHECK_EQ(shell("jobring dict watch -a -c 2 d").output, "a\t1\nn\t40\n");
  CHECK_EQ(shell("jobring dict watch -w 20ms d").status, 75);
  const Ran watched = shell(
      "jobring dict watch --json -c 1 -w 30s d > out & "
      "for i in $(seq 1000); do jobring objects | grep -q 'd .*dict .* 1  ' && break; done; "
      "jobring dict set d a 9; wait; cat out; rm out");
  CHECK(watched.output.find("\"key\":\"a\",\"value\":\"9\"") != std::string::npos);
  const Ran objects = shell("jobring objects");
  CHECK(objects.output.find("NAME") != std::string::npos);
  CHECK_EQ(shell("jobring objects --remove d && jobring objects --remove d").status, 1);
}
