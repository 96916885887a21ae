// `jobring map` against a real daemon: what docs/cli.md promises of it.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/support/place.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;
using Json = nlohmann::json;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

Words words_of(const std::string& line, char separator) {
  Words words;
  std::istringstream stream(line);
  for (std::string word; std::getline(stream, word, separator);) words.push_back(word);
  return words;
}

}  // namespace

TEST_CASE("map replaces each place by the part of the input it names") {
  Daemon daemon;
  Place place(daemon);
  CHECK(place.jobring({"map", "echo", "{} {.} {/} {//} {/.} {#}", ":::", "dir/a.tar.gz"}).out ==
        "dir/a.tar.gz dir/a.tar a.tar.gz dir a.tar 1\n");
  CHECK(place.jobring({"map", "echo", "x", ":::", "a b"}).out == "x a b\n");
  CHECK(place.jobring({"map", "-k", "echo", "{2}-{1}", ":::", "a", "b", ":::", "1", "2"}).out ==
        "1-a\n2-a\n1-b\n2-b\n");
  CHECK(place.jobring({"map", "-k", "echo", "{1}{2}", ":::", "a", "b", ":::+", "1", "2"}).out ==
        "a1\nb2\n");
}

TEST_CASE("an input is one word, whatever bytes it has") {
  Daemon daemon;
  Place place(daemon);
  const std::string nasty = "a  b'\"$(echo c)`d`\\;&*?\t{}";
  CHECK(place.jobring({"map", "printf", "%s|", ":::", nasty}).out == nasty + "|");
  CHECK(place.jobring({"map", "--shell", "printf '%s|' {}", ":::", nasty}).out == nasty + "|");
}

TEST_CASE("map reads lines of stdin, of files, and NUL-terminated inputs") {
  Daemon daemon;
  Place place(daemon);
  write_file(place.dir() / "list", "one\n\nthree");
  const std::string expected = "<one>\n<>\n<three>\n";
  CHECK(place.jobring({"map", "-k", "echo", "<{}>"}, "one\n\nthree\n").out == expected);
  CHECK(place.jobring({"map", "-k", "-a", place.dir() / "list", "echo", "<{}>"}).out == expected);
  CHECK(place.jobring({"map", "-k", "echo", "<{}>", "::::", place.dir() / "list"}).out == expected);
  CHECK(place.jobring({"map", "-k0", "echo", "<{}>"}, std::string("a\nb\0c\0", 6)).out ==
        "<a\nb>\n<c>\n");
  CHECK(place.jobring({"map", "-k"}, "echo first | tr f F\nexit 0\necho $((2+3))\n").out ==
        "First\n5\n");
  const Said none = place.jobring({"map", "-a", place.dir() / "missing", "echo"});
  CHECK(none.status != 0);
  CHECK_MESSAGE(one_line(none.err), none.err);
}

TEST_CASE("map -k prints in the order of the inputs although later jobs end first") {
  Daemon daemon(R"({"default": {"workers": 4}})");
  Place place(daemon);
  const Said said =
      place.jobring({"map", "-k", "--shell", "case {} in [1-4]) sleep 0.{}; esac; echo {}"},
                    "4\n3\n2\n1\n" + numbers(5, 60));
  CHECK(said.status == 0);
  CHECK(said.out == "4\n3\n2\n1\n" + numbers(5, 60));
}

TEST_CASE("without -k the quick jobs' output comes first") {
  Daemon daemon;
  Place place(daemon);
  // The slow one waits until the quick one has ended and is in the log, below its head.
  const std::string log = place.dir() / "log";
  const std::string slow =
      "until [ \"$(wc -l < " + log + ")\" -ge 2 ] 2>/dev/null; do sleep 0.01; done; echo slow";
  CHECK(place.jobring({"map", "--joblog", log, "--shell", ":::", slow, "echo quick"}).out ==
        "quick\nslow\n");
}

TEST_CASE("the outputs of two jobs are never mixed") {
  Daemon daemon(R"({"default": {"workers": 4}})");
  Place place(daemon);
  const Said said = place.jobring(
      {"map", "--shell",
       "i=0; while [ $i -lt 200 ]; do echo {} $i; i=$((i+1)); [ $((i % 40)) = 0 ] && sleep 0.02; "
       "done; true"},
      numbers(1, 12));
  CHECK(said.status == 0);
  const auto lines = lines_of(said.out);
  REQUIRE(lines.size() == 12 * 200);
  std::set<std::string> jobs;
  for (std::size_t block = 0; block < 12; ++block) {
    const std::string job = words_of(lines[block * 200], ' ')[0];
    CHECK(jobs.insert(job).second);
    for (std::size_t i = 0; i < 200; ++i)
      REQUIRE(lines[block * 200 + i] == job + " " + std::to_string(i));
  }
}

TEST_CASE("map exits with the number of failed jobs, at most 101") {
  Daemon daemon;
  Place place(daemon);
  CHECK(place.jobring({"map", "-q", "--shell", "exit {}", ":::", "0", "1", "0", "7"}).status == 2);
  CHECK(place.jobring({"map", "-q", "false"}, numbers(1, 150)).status == 101);
  CHECK(place.jobring({"map", "true"}, "").status == 0);
}

TEST_CASE("--halt now,fail=1 ends the running jobs and exits with the failing job's status") {
  Daemon daemon;
  Place place(daemon);
  const std::string pid_file = place.dir() / "pid";
  const Said said = place.jobring(
      {"map", "-q", "--halt", "now,fail=1", "--shell", ":::", sleeper(pid_file),
       "while [ ! -s " + pid_file + " ]; do sleep 0.01; done; exit 5",
       "touch " + (place.dir() / "late"), "touch " + (place.dir() / "late"), "sleep 1000"});
  CHECK(said.status == 5);
  CHECK_FALSE(alive(pid_in(pid_file)));
}

TEST_CASE("--halt soon,fail=1 lets the running jobs finish and starts no more") {
  Daemon daemon;
  Place place(daemon);
  const std::string started = place.dir() / "started";
  const Said said =
      place.jobring({"map", "-q", "-j2", "--halt", "soon,fail=1", "--shell",
                     ":::", "while [ ! -e " + started + " ]; do sleep 0.01; done; exit 6",
                     "touch " + started + "; sleep 0.3; echo finished", "echo 3", "echo 4"});
  CHECK(said.status == 6);
  CHECK(said.out.find("finished\n") != std::string::npos);
  CHECK(said.out.find("4\n") == std::string::npos);
}

TEST_CASE("--dry-run prints the commands and needs no daemon") {
  Place place;
  const Said said =
      place.jobring({"map", "--dry-run", "touch", (place.dir() / "x") + "{}", ":::", "1", "a b"});
  CHECK(said.status == 0);
  CHECK(lines_of(said.out).size() == 2);
  CHECK(lines_of(said.out)[0] == "touch " + (place.dir() / "x1"));
  CHECK_FALSE(std::filesystem::exists(place.dir() / "x1"));
  CHECK(jobring_processes(place).empty());
}

TEST_CASE("--joblog has the columns of GNU parallel") {
  Daemon daemon;
  Place place(daemon);
  const std::string log = place.dir() / "log";
  place.jobring(
      {"map", "-q", "-j1", "--joblog", log, "--shell", "printf abc; exit {}", ":::", "0", "3"});
  place.jobring(
      {"map", "-q", "-j1", "--joblog", log + "2", "--shell", "kill -9 $$ {}", ":::", "0"});
  const auto lines = lines_of(read_file(log));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand");
  const Words second = words_of(lines[2], '\t');
  REQUIRE(second.size() == 9);
  CHECK(second[0] == "2");
  CHECK(second[1] == ":");
  CHECK(std::abs(std::stod(second[2]) - double(time(nullptr))) < 60);
  CHECK(second[5] == "3");
  CHECK(second[6] == "3");
  CHECK(second[7] == "0");
  CHECK(second[8] == "printf abc; exit 3");
  const Words killed = words_of(lines_of(read_file(log + "2"))[1], '\t');
  CHECK(killed[6] == "137");
  CHECK(killed[7] == "9");
}

TEST_CASE("--resume runs what the joblog has not, and adds to it") {
  Daemon daemon;
  Place place(daemon);
  const std::string log = place.dir() / "log";
  const Words command = {"map", "-q", "-k", "--joblog", log, "--resume", "echo"};
  CHECK(place.jobring(command, numbers(1, 5)).out == numbers(1, 5));
  CHECK(place.jobring(command, numbers(1, 8)).out == numbers(6, 8));
  CHECK(lines_of(read_file(log)).size() == 9);
  CHECK(place.jobring(command, numbers(1, 8)).out == "");
}

TEST_CASE("--resume after kill -9 of map runs each of the rest, and none twice of those logged") {
  Daemon daemon;
  Place place(daemon);
  const std::string log = place.dir() / "log", list = place.dir() / "list";
  write_file(list, numbers(1, 60));
  const Words command = {"map", "-q",       "--joblog",
                         log,   "--resume", "--shell",
                         "-a",  list,       "sleep 0.02; echo {} >> " + (place.dir() / "ran")};
  const pid_t first = place.jobring_started(command);
  REQUIRE(eventually([&] { return lines_of(read_file(log)).size() > 10; }));
  kill(first, SIGKILL);
  wait_exit(first);
  const std::size_t logged = lines_of(read_file(log)).size() - 1;
  CHECK(place.jobring(command).status == 0);
  std::set<std::string> jobs;
  for (const std::string& line : lines_of(read_file(log))) jobs.insert(words_of(line, '\t')[0]);
  CHECK(jobs.size() == 61);
  CHECK(lines_of(read_file(log)).size() == 61);
  const auto ran = lines_of(read_file(place.dir() / "ran"));
  CHECK(std::set<std::string>(ran.begin(), ran.end()).size() == 60);
  // At most the two that ran when it was killed ran twice, and those that ended unlogged.
  CHECK(ran.size() <= 60 + (60 - logged));
}

TEST_CASE("map --timeout ends each job that takes too long, and only those") {
  Daemon daemon;
  Place place(daemon);
  const std::string log = place.dir() / "log";
  const Said said = place.jobring({"map", "-k", "--timeout", "2s", "--joblog", log, "--shell",
                                   "sleep {}; echo {}", ":::", "1000", "0"});
  CHECK(said.status == 1);
  CHECK(said.out == "0\n");
  CHECK_MESSAGE(one_line(said.err), said.err);
  CHECK(read_file(log).find("\t124\t") != std::string::npos);
}

TEST_CASE("--tag starts each line with the input and a tab") {
  Daemon daemon;
  Place place(daemon);
  CHECK(place.jobring({"map", "-k", "--tag", "--shell", "echo x; echo {}", ":::", "a", "b"}).out ==
        "a\tx\na\ta\nb\tx\nb\tb\n");
}

TEST_CASE("map --json prints one object per job with the documented fields") {
  Daemon daemon;
  Place place(daemon);
  const Said said = place.jobring(
      {"map", "--json", "-k", "--shell", "echo {}; echo e >&2; exit 2", ":::", "a", "\xff"});
  CHECK(said.status == 2);
  const auto lines = lines_of(said.out);
  REQUIRE(lines.size() == 2);
  for (const std::string& line : lines) {
    const Json job = Json::parse(line, nullptr, false);
    REQUIRE_MESSAGE(job.is_object(), line);
    for (const char* name :
         {"seq",          "args",         "command",          "started",         "outcome",
          "status",       "signal",       "attempts",         "worker",          "queued_us",
          "run_us",       "pid",          "wall_us",          "user_us",         "system_us",
          "max_rss_kib",  "timed_out",    "killed",           "stdout",          "stderr",
          "stdout_total", "stderr_total", "stdout_truncated", "stderr_truncated"}) {
      CHECK_MESSAGE(job.contains(name), name);
    }
    CHECK(job["status"] == 2);
    CHECK(job["stderr"] == "e\n");
  }
  CHECK(Json::parse(lines[0])["stdout"] == "a\n");
  CHECK(Json::parse(lines[1])["stdout"] == "\xef\xbf\xbd\n");
}

TEST_CASE("map --retries runs a failing job again") {
  Daemon daemon;
  Place place(daemon);
  const std::string tries = place.dir() / "tries";
  const Said said =
      place.jobring({"map", "-q", "--retries", "3", "--shell",
                     "echo x >> " + tries + "; [ $(wc -l < " + tries + ") = {} ]", ":::", "3"});
  CHECK(said.status == 0);
  CHECK(read_file(tries) == "x\nx\nx\n");
}

TEST_CASE("two hundred thousand lines through a handler come back in order in bounded memory") {
  Daemon daemon;
  Place place(daemon);
  const std::string input = numbers(1, 200'000);
  const Said said = place.jobring({"map", "-k", "--handler", "echo"}, input);
  CHECK(said.status == 0);
  CHECK(said.out.size() == input.size());
  CHECK((said.out == input));
  MESSAGE("max RSS " << said.max_rss_kib << " KiB");
  CHECK(said.max_rss_kib < 64 * 1024);
}

TEST_CASE("Ctrl-C ends map with 130 and leaves no child") {
  Daemon daemon;
  Place place(daemon);
  const std::string dir = place.dir().path();
  const pid_t client =
      place.jobring_started({"map", "-q", "--shell", "echo $$ > " + dir + "/pid{}; exec sleep 1000",
                             ":::", "1", "2", "3"});
  const pid_t first = pid_in(dir + "/pid1"), second = pid_in(dir + "/pid2");
  kill(client, SIGINT);
  CHECK(wait_exit(client) == 130);
  CHECK(eventually([&] { return !alive(first) && !alive(second); }));
  CHECK(eventually([&] { return pool_number(daemon, "queued") == 0; }));
  CHECK_FALSE(std::filesystem::exists(dir + "/pid3"));
}

TEST_CASE("map ends with 141 when nobody reads its output any more") {
  Daemon daemon;
  Place place(daemon);
  const Said said = place.shell("(yes | $0 map -q echo; echo $? >&2) | head -n 1");
  CHECK(said.out == "y\n");
  CHECK(said.err == "141\n");
}
