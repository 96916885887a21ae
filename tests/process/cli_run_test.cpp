// `jobring run` against a real daemon: what docs/cli.md promises of it.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/unique_fd.hpp"
#include "tests/support/place.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;
using Json = nlohmann::json;

TEST_CASE("jobring run exits with the command's own status") {
  Daemon daemon;
  Place place(daemon);
  CHECK(place.jobring({"run", "--", "true"}).status == 0);
  CHECK(place.jobring({"run", "--", "sh", "-c", "exit 3"}).status == 3);
  CHECK(place.jobring({"run", "sh", "-c", "exit 255"}).status == 255);
  CHECK(place.jobring({"run", "-c", "exit $1", "9"}).status == 9);
}

TEST_CASE("jobring run exits with 128+signal when a signal ended the command") {
  Daemon daemon;
  Place place(daemon);
  CHECK(place.jobring({"run", "-c", "kill -TERM $$"}).status == 128 + SIGTERM);
  CHECK(place.jobring({"run", "-c", "kill -KILL $$"}).status == 128 + SIGKILL);
}

TEST_CASE("jobring run exits with 126 or 127 and one line when the command cannot be run") {
  Daemon daemon;
  Place place(daemon);
  write_file(place.dir() / "plain", "no program");
  const Said cannot = place.jobring({"run", "--", place.dir() / "plain"});
  CHECK(cannot.status == 126);
  CHECK_MESSAGE(one_line(cannot.err), cannot.err);
  const Said missing = place.jobring({"run", "--", "no-such-program-anywhere"});
  CHECK(missing.status == 127);
  CHECK_MESSAGE(one_line(missing.err), missing.err);
  CHECK(missing.err.find("no-such-program-anywhere") != std::string::npos);
}

TEST_CASE("jobring run --timeout ends the command and exits with 124") {
  Daemon daemon;
  Place place(daemon);
  const std::string pid_file = place.dir() / "pid";
  // Until the command has time to begin: a machine may be slow.
  for (int ms = 200; read_file(pid_file).empty(); ms *= 3) {
    REQUIRE(ms < 60'000);
    const Said said =
        place.jobring({"run", "--timeout", std::to_string(ms) + "ms", "-c", sleeper(pid_file)});
    CHECK(said.status == 124);
    CHECK_MESSAGE(one_line(said.err), said.err);
  }
  CHECK_FALSE(alive(pid_in(pid_file)));
}

TEST_CASE("jobring run --timeout kills a command that ignores TERM after --kill-after") {
  Daemon daemon;
  Place place(daemon);
  CHECK(place
            .jobring({"run", "--timeout", "100ms", "--kill-after", "100ms", "-c",
                      "trap '' TERM; sleep 1000"})
            .status == 124);
}

TEST_CASE("without a daemon, those verbs that need one exit with 69 and say what to do") {
  Place place;
  for (const Words& words :
       {Words{"run", "--daemon", "--", "true"}, Words{"map", "--daemon", "true"}, Words{"status"},
        Words{"ping"}, Words{"stop"},
        Words{"run", "--socket", place.dir() / "none", "--", "true"}}) {
    CAPTURE(words[0]);
    const Said said = place.jobring(words);
    CHECK(said.status == 69);
    CHECK_MESSAGE(one_line(said.err), said.err);
    CHECK(said.err.find("jobring start") != std::string::npos);
    CHECK(said.out == "");
  }
}

TEST_CASE("a command line that makes no sense gives one line and 64") {
  Place place;
  for (const Words& words :
       {Words{"frobnicate"}, Words{"run"}, Words{"run", "--bogus", "x"}, Words{"run", "--timeout"},
        Words{"run", "--timeout", "5", "--", "true"}, Words{"map", "--jobs", "x", "true"},
        Words{"map", "--jobs", "0", "true"}, Words{"map", "--halt", "sometimes", "true"},
        Words{"map", "--resume", "true"}, Words{"call"}, Words{"status", "word"},
        Words{"stop", "--bogus"}, Words{"start", "word"}, Words{"ping", "word"},
        Words{"run", "--private", "--daemon", "--", "true"},
        Words{"run", "--priority", "urgent", "--", "true"}}) {
    std::string line;
    for (const std::string& word : words) line += word + " ";
    CAPTURE(line);
    const Said said = place.jobring(words);
    CHECK(said.status == 64);
    CHECK_MESSAGE(one_line(said.err), said.err);
    CHECK(said.out == "");
  }
}

TEST_CASE("our stdin, stdout and stderr are the command's") {
  Daemon daemon;
  Place place(daemon);
  const std::string input = numbers(1, 50'000);
  CHECK(place.jobring({"run", "--", "cat"}, input).out == input);
  const Said said = place.jobring({"run", "-c", "echo out; echo err >&2"});
  CHECK(said.out == "out\n");
  CHECK(said.err == "err\n");
}

TEST_CASE("two commands in a pipeline run at the same time on two workers") {
  Daemon daemon;
  Place place(daemon);
  for (int i = 0; i < 40; ++i) {
    const Said said =
        place.run({"timeout", "30", "/bin/sh", "-c",
                   "seq 20000 | \"$0\" run -- cat | \"$0\" run -- tail -n 1", program("jobring")});
    REQUIRE(said.status == 0);
    REQUIRE(said.out == "20000\n");
  }
}

TEST_CASE("the reader of a command's stdout sees its end while another worker is busy") {
  Daemon daemon;
  Place place(daemon);
  const pid_t other = place.jobring_started({"run", "--", "sleep", "1000"});
  REQUIRE(eventually([&] { return busy(daemon); }));
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  {
    const UniqueFd write_end(ends[1]);
    const pid_t pid = place.start({program("jobring"), "run", "--", "echo", "done"},
                                  {null.get(), write_end.get(), null.get()});
    CHECK(wait_exit(pid) == 0);
  }
  char text[16];
  CHECK(read(read_end.get(), text, sizeof text) == 5);
  // Not only when the other command has ended.
  pollfd fd = {read_end.get(), POLLIN, 0};
  REQUIRE(poll(&fd, 1, 10'000) == 1);
  CHECK(read(read_end.get(), text, sizeof text) == 0);
  kill(other, SIGTERM);
  CHECK(wait_exit(other) == 128 + SIGTERM);
}

TEST_CASE("a command that writes to a pipe without a reader ends by SIGPIPE as anywhere") {
  Daemon daemon;
  Place place(daemon);
  const Said said = place.shell("($0 run -- yes; echo $? >&2) | head -n 1");
  CHECK(said.out == "y\n");
  CHECK(said.err == "141\n");
}

TEST_CASE("a command runs in our directory, with our umask and our whole environment") {
  Daemon daemon;
  Place place(daemon);
  place.set("ONLY_OURS", "two\nlines = here");
  const Said said = place.shell(
      "cd \"$HOME\" && umask 0027; env -0 | sort -z > a; $0 run -- env -0 | sort -z > b; "
      "cmp a b; $0 run pwd; $0 run -c umask; "
      "$0 run --cwd / pwd");
  CHECK(said.err == "");
  CHECK(said.out == place.dir().path() + "\n0027\n/\n");
  CHECK(read_file(place.dir() / "b").find("ONLY_OURS=two\nlines = here") != std::string::npos);
  CHECK(place
            .run({"env", "-i", program("jobring"), "run", "--socket", daemon.socket(), "--",
                  "/usr/bin/env"})
            .out == "");
}

TEST_CASE("SIGINT to jobring run ends the command and exits with 130") {
  Daemon daemon;
  Place place(daemon);
  const std::string pid_file = place.dir() / "pid";
  const pid_t client = place.jobring_started({"run", "-c", sleeper(pid_file)});
  const pid_t command = pid_in(pid_file);
  kill(client, SIGINT);
  CHECK(wait_exit(client) == 130);
  CHECK(eventually([&] { return !alive(command); }));
}

TEST_CASE("a second signal kills a command that ignores the first") {
  Daemon daemon;
  Place place(daemon);
  const std::string pid_file = place.dir() / "pid";
  const pid_t client = place.jobring_started({"run", "-c", "trap '' INT; " + sleeper(pid_file)});
  const pid_t command = pid_in(pid_file);
  kill(client, SIGINT);
  // It has seen the first: two that are pending would be one.
  REQUIRE(eventually([&] {
    const std::string status = read_file("/proc/" + std::to_string(client) + "/status");
    return status.find("\nShdPnd:\t0000000000000000\n") != std::string::npos;
  }));
  CHECK_FALSE(eventually([&] { return !alive(command); }, 200ms));
  kill(client, SIGINT);
  CHECK(wait_exit(client) == 130);
  CHECK(eventually([&] { return !alive(command); }));
}

TEST_CASE("a command that waits for a worker is withdrawn by SIGINT and never runs") {
  Daemon daemon(R"({"default": {"workers": 1}})");
  Place place(daemon);
  const std::string pid_file = place.dir() / "pid";
  const pid_t first = place.jobring_started({"run", "-c", sleeper(pid_file)});
  pid_in(pid_file);
  const pid_t second = place.jobring_started({"run", "--", "touch", place.dir() / "touched"});
  REQUIRE(eventually([&] { return pool_number(daemon, "queued") == 1; }));
  kill(second, SIGINT);
  CHECK(wait_exit(second) == 130);
  kill(first, SIGINT);
  CHECK(wait_exit(first) == 130);
  CHECK(place.jobring({"run", "true"}).status == 0);
  CHECK_FALSE(std::filesystem::exists(place.dir() / "touched"));
}

TEST_CASE("SIGKILL of jobring run ends the command") {
  Daemon daemon;
  Place place(daemon);
  const std::string pid_file = place.dir() / "pid";
  const pid_t client = place.jobring_started({"run", "-c", sleeper(pid_file)});
  const pid_t command = pid_in(pid_file);
  kill(client, SIGKILL);
  CHECK(wait_exit(client) == 128 + SIGKILL);
  CHECK(eventually([&] { return !alive(command); }));
  CHECK(place.jobring({"run", "echo", "on"}).out == "on\n");
}

TEST_CASE("run --json reports on stderr, and the command keeps its own output") {
  Daemon daemon;
  Place place(daemon);
  const Said said = place.jobring({"run", "--json", "-c", "echo out; exit 4"});
  CHECK(said.status == 4);
  CHECK(said.out == "out\n");
  const Json report = Json::parse(said.err, nullptr, false);
  REQUIRE(report.is_object());
  CHECK(report["status"] == 4);
  CHECK(report["pid"].get<int>() > 0);
  for (const char* name : {"wall_us", "user_us", "system_us", "max_rss_kib"})
    CHECK(report[name].is_number());
}

TEST_CASE("make builds a program with CC=\"jobring run -- gcc\"") {
  Daemon daemon;
  Place place(daemon);
  std::string objects, sum = "0", declarations;
  for (int i = 1; i <= 12; ++i) {
    const std::string n = std::to_string(i);
    write_file(place.dir() / ("f" + n + ".c"), "int f" + n + "(void) { return " + n + "; }\n");
    objects += " f" + n + ".o";
    sum += " + f" + n + "()";
    declarations += "int f" + n + "(void);\n";
  }
  write_file(place.dir() / "main.c", "#include <stdio.h>\n" + declarations +
                                         "int main(void) { printf(\"%d\\n\", " + sum +
                                         "); return 0; }\n");
  write_file(place.dir() / "Makefile", "total: main.o" + objects + "\n\t$(CC) -o $@ $^\n");
  const Said said = place.run(
      {"make", "-j4", "-C", place.dir().path(), "CC=" + program("jobring") + " run -- gcc"});
  CHECK_MESSAGE(said.status == 0, said.err);
  CHECK(place.run({place.dir() / "total"}).out == "78\n");
  CHECK(pool_number(daemon, "jobs") == 14);
}

TEST_CASE("a compiler error reaches make through jobring run") {
  Daemon daemon;
  Place place(daemon);
  write_file(place.dir() / "wrong.c", "int main(void) { return nothing; }\n");
  const Said said = place.run(
      {"make", "-C", place.dir().path(), "CC=" + program("jobring") + " run -- gcc", "wrong"});
  CHECK(said.status == 2);
  CHECK(said.err.find("nothing") != std::string::npos);
}
