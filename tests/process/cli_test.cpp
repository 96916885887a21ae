// The jobring command against a real daemon: what docs/cli.md promises.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "common/unique_fd.hpp"
#include "tests/support/daemon.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;
using Json = nlohmann::json;
using Words = std::vector<std::string>;

namespace {

struct Said {
  int status;
  std::string out, err;
  long max_rss_kib;  // of the command itself
};

// A user's place: HOME and the XDG directories in a directory of its own, so that no daemon of this
// machine is found.
class Place {
 public:
  Place() {
    set("HOME", dir_.path());
    set("XDG_RUNTIME_DIR", dir_.path());
    set("XDG_STATE_HOME", dir_.path());
  }
  explicit Place(const Daemon& daemon) : Place() { set("JOBRING_SOCKET", daemon.socket()); }

  void set(const std::string& name, const std::string& value) { variables_[name] = value; }
  const TempDir& dir() const { return dir_; }
  std::string socket() const { return dir_ / "jobring/socket"; }

  // `stdio` are the three descriptors that the program gets.
  pid_t start(const Words& argv, const int (&stdio)[3]) const {
    Words words = argv;
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid > 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // A group of its own, as a shell with a terminal does.
    setpgid(0, 0);
    for (int fd = 0; fd < 3; ++fd) {
      if (stdio[fd] == fd)
        fcntl(fd, F_SETFD, 0);
      else
        dup2(stdio[fd], fd);
    }
    unsetenv("JOBRING_SOCKET");
    unsetenv("JOBRING_CONFIG");
    unsetenv("JOBRING_DAEMON");
    unsetenv("MAKEFLAGS");
    for (const auto& [name, value] : variables_) setenv(name.c_str(), value.c_str(), 1);
    execvp(pointers[0], pointers.data());
    _exit(127);
  }

  // Runs to the end; `input` is its stdin. Output goes to files: no pipe to fill.
  Said run(const Words& argv, const std::string& input = "") const {
    TempDir io;
    write_file(io / "in", input);
    const UniqueFd in(open((io / "in").c_str(), O_RDONLY | O_CLOEXEC));
    const UniqueFd out(open((io / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const UniqueFd err(open((io / "err").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const pid_t pid = start(argv, {in.get(), out.get(), err.get()});
    int status = 0;
    rusage usage = {};
    while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
    }
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(io / "out"),
            read_file(io / "err"), usage.ru_maxrss};
  }

  Said jobring(Words words, const std::string& input = "") const {
    words.insert(words.begin(), program("jobring"));
    return run(words, input);
  }
  Said shell(const std::string& line) const {
    return run({"/bin/sh", "-c", line, program("jobring")});  // $0 is jobring
  }
  // In the background, silent.
  pid_t jobring_started(Words words) const {
    words.insert(words.begin(), program("jobring"));
    const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    return start(words, {null.get(), null.get(), null.get()});
  }

 private:
  TempDir dir_;
  std::map<std::string, std::string> variables_;
};

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

std::string numbers(int from, int to) {
  std::string text;
  for (int i = from; i <= to; ++i) text += std::to_string(i) + "\n";
  return text;
}

bool one_line(const std::string& text) {
  return text.size() > 1 && text.find('\n') == text.size() - 1;
}

// Commands write their pid to a file when they run.
pid_t pid_in(const std::string& file) {
  REQUIRE(eventually([&] { return read_file(file).ends_with('\n'); }));
  return pid_t(std::stol(read_file(file)));
}

std::string sleeper(const std::string& pid_file) {
  return "echo $$ > " + pid_file + "; exec sleep 1000";
}

// The daemons and workers whose environment names this place as HOME.
std::vector<pid_t> jobring_processes(const Place& place) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string environment = read_file(entry.path() / "environ");
    const pid_t pid = pid_t(std::stol(name));
    if (environment.find("HOME=" + place.dir().path()) != std::string::npos && alive(pid))
      found.push_back(pid);
  }
  return found;
}

std::string faulty_pool(int workers = 2) {
  return R"({"default": {"workers": )" + std::to_string(workers) + R"(, "modules": [")" +
         test_module("faulty") + "\"]}}";
}

// Whatever happens in a test, the daemon that `jobring start` left behind goes.
struct StopAtEnd {
  const Place& place;
  ~StopAtEnd() {
    for (const pid_t pid : jobring_processes(place)) kill(pid, SIGKILL);
  }
};

// Of the first pool as a whole, not of its workers or channels.
long pool_number(const Daemon& daemon, const char* key) {
  return Json::parse(daemon.connect().status_json())["pools"][0][key].get<long>();
}

bool busy(const Daemon& daemon) {
  return daemon.connect().status_json().find("\"busy\"") != std::string::npos;
}

}  // namespace

// ---- run ----

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
  const Said said = place.jobring({"run", "--timeout", "200ms", "-c", sleeper(pid_file)});
  CHECK(said.status == 124);
  CHECK_MESSAGE(one_line(said.err), said.err);
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
        place.run({"timeout", "5", "/bin/sh", "-c",
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
  // Not only one day: at once.
  pollfd fd = {read_end.get(), POLLIN, 0};
  REQUIRE(poll(&fd, 1, 1000) == 1);
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

// ---- map ----

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
  CHECK(place.jobring({"map", "--shell", "sleep {}; echo {}", ":::", "0.4", "0"}).out ==
        "0\n0.4\n");
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
  const Said said = place.jobring({"map", "-k", "--timeout", "300ms", "--joblog", log, "--shell",
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
  CHECK(pool_number(daemon, "queued") == 0);
  CHECK_FALSE(std::filesystem::exists(dir + "/pid3"));
}

TEST_CASE("map ends with 141 when nobody reads its output any more") {
  Daemon daemon;
  Place place(daemon);
  const Said said = place.shell("(yes | $0 map -q echo; echo $? >&2) | head -n 1");
  CHECK(said.out == "y\n");
  CHECK(said.err == "141\n");
}

// ---- call ----

TEST_CASE("call prints the handler's result as it is, for a payload from anywhere") {
  Daemon daemon;
  Place place(daemon);
  const std::string bytes("a\0b\n\xff", 5);
  CHECK(place.jobring({"call", "echo", "hello"}).out == "hello");
  CHECK(place.jobring({"call", "echo"}, bytes).out == bytes);
  CHECK(place.jobring({"call", "echo", "-"}, bytes).out == bytes);
  write_file(place.dir() / "payload", bytes);
  CHECK(place.jobring({"call", "echo", "--file", place.dir() / "payload"}).out == bytes);
  const Json job = Json::parse(place.jobring({"call", "--json", "echo", "x"}).out, nullptr, false);
  CHECK(job["outcome"] == "ok");
  CHECK(job["result"] == "x");
}

TEST_CASE("call of an unknown handler or pool says so in one line and exits with 65") {
  Daemon daemon;
  Place place(daemon);
  const Said handler = place.jobring({"call", "nosuch", "x"});
  CHECK(handler.status == 65);
  CHECK_MESSAGE(one_line(handler.err), handler.err);
  CHECK(handler.err.find("nosuch") != std::string::npos);
  const Said pool = place.jobring({"call", "--pool", "elsewhere", "echo", "x"});
  CHECK(pool.status == 65);
  CHECK_MESSAGE(one_line(pool.err), pool.err);
  CHECK(pool.err.find("elsewhere") != std::string::npos);
}

TEST_CASE("call exits with 128+signal when the handler's worker crashed") {
  Daemon daemon(faulty_pool());
  Place place(daemon);
  const Said crash = place.jobring({"call", "crash", ""});
  CHECK(crash.status == 128 + SIGSEGV);
  CHECK(crash.err.find("crash") != std::string::npos);
  CHECK(place.jobring({"call", "abort", ""}).status == 128 + SIGABRT);
  CHECK(place.jobring({"call", "exit", "3"}).status == 70);
  const Said failed = place.jobring({"call", "throw_std", "why"});
  CHECK(failed.status == 1);
  CHECK(failed.err.find("thrown: why") != std::string::npos);
  CHECK(place.jobring({"call", "--timeout", "100ms", "spin", ""}).status == 124);
}

// ---- status, ping, start, stop ----

TEST_CASE("status --json has the documented fields and a busy worker's current job") {
  Daemon daemon;
  Place place(daemon);
  const std::string pid_file = place.dir() / "pid";
  const pid_t client = place.jobring_started({"run", "-c", sleeper(pid_file)});
  pid_in(pid_file);
  const Said said = place.jobring({"status", "--json"});
  CHECK(said.status == 0);
  const Json status = Json::parse(said.out, nullptr, false);
  REQUIRE(status.is_object());
  const auto has = [](const Json& object, const std::vector<const char*>& names) {
    for (const char* name : names) CHECK_MESSAGE(object.contains(name), name);
  };
  has(status, {"version", "pid", "uptime_ms", "socket", "clients", "draining", "pools"});
  CHECK(status["pid"] == daemon.pid());
  CHECK(status["socket"] == daemon.socket());
  const Json& pool = status["pools"][0];
  has(pool, {"name", "state", "workers", "channels", "jobs", "failed", "crashes", "queued"});
  CHECK(pool["workers"].size() == 2);
  int busy_workers = 0;
  for (const Json& worker : pool["workers"]) {
    has(worker, {"index", "pid", "state", "jobs", "failed", "busy_us", "stolen", "sleeps",
                 "rss_kib", "restarts", "current"});
    if (worker["state"] != "busy") {
      CHECK(worker["current"].is_null());
      continue;
    }
    ++busy_workers;
    has(worker["current"], {"channel", "slot", "handler", "client", "running_ms"});
    CHECK(worker["current"]["handler"] == "exec");
  }
  CHECK(busy_workers == 1);
  REQUIRE(pool["channels"].size() == 1);
  has(pool["channels"][0],
      {"id", "client", "client_pid", "uid", "slots", "submitted", "completed", "queued"});
  CHECK(pool["channels"][0]["client_pid"] == client);

  const Said table = place.jobring({"status"});
  CHECK(table.status == 0);
  CHECK(table.out.find("pool default: running") != std::string::npos);
  CHECK(table.out.find("exec for ") != std::string::npos);
  CHECK(table.out.find('\x1b') == std::string::npos);
  kill(client, SIGTERM);
  wait_exit(client);
}

TEST_CASE("ping tells version and pid of the daemon") {
  Daemon daemon;
  Place place(daemon);
  const Said said = place.jobring({"ping"});
  CHECK(said.status == 0);
  CHECK(said.out.find(std::to_string(daemon.pid())) != std::string::npos);
  const Json pong = Json::parse(place.jobring({"ping", "--json"}).out, nullptr, false);
  CHECK(pong["pid"] == daemon.pid());
  CHECK(pong["round_trip_ns"].get<long>() > 0);
}

TEST_CASE("start puts one daemon into the background, however often, stop ends it") {
  Place place;
  const StopAtEnd cleanup{place};
  const Said first = place.jobring({"start", "--json"});
  REQUIRE_MESSAGE(first.status == 0, first.err);
  const Json started = Json::parse(first.out, nullptr, false);
  CHECK(started["socket"] == place.socket());
  CHECK(started["already_running"] == false);
  const pid_t pid = started["pid"].get<pid_t>();
  CHECK(getsid(pid) == pid);
  const Json again = Json::parse(place.jobring({"start", "--json"}).out, nullptr, false);
  CHECK(again["already_running"] == true);
  CHECK(again["pid"] == pid);
  CHECK(place.jobring({"run", "--daemon", "echo", "hi"}).out == "hi\n");
  CHECK(place.jobring({"stop"}).status == 0);
  CHECK_FALSE(alive(pid));
  CHECK(eventually([&] { return jobring_processes(place).empty(); }));
  CHECK_FALSE(std::filesystem::exists(place.socket()));
  CHECK(place.jobring({"stop"}).status == 69);
  CHECK(std::filesystem::exists(place.dir() / "jobring/jobringd.log"));
}

TEST_CASE("start that fails shows the daemon's last words and exits with 69") {
  Place place;
  const StopAtEnd cleanup{place};
  const Said said = place.jobring({"start", "--daemon-path", "/bin/false"});
  CHECK(said.status == 69);
  CHECK(said.err.find("status 1") != std::string::npos);
  write_file(place.dir() / "bad.json", R"({"pols": {}})");
  const Said config = place.jobring({"start", "--config", place.dir() / "bad.json"});
  CHECK(config.status == 78);
  CHECK(config.err.find("pols") != std::string::npos);
}

TEST_CASE("stop lets the running command finish, stop --now kills it") {
  Place place;
  const StopAtEnd cleanup{place};
  REQUIRE(place.jobring({"start"}).status == 0);
  const pid_t client = place.jobring_started(
      {"run", "-c",
       "echo $$ > " + (place.dir() / "pid") + "; sleep 0.4; touch " + (place.dir() / "finished")});
  pid_in(place.dir() / "pid");
  CHECK(place.jobring({"stop"}).status == 0);
  CHECK(wait_exit(client) == 0);
  CHECK(std::filesystem::exists(place.dir() / "finished"));

  REQUIRE(place.jobring({"start"}).status == 0);
  const pid_t second = place.jobring_started({"run", "-c", sleeper(place.dir() / "pid2")});
  const pid_t command = pid_in(place.dir() / "pid2");
  CHECK(place.jobring({"stop", "--now"}).status == 0);
  CHECK(wait_exit(second) != 0);
  CHECK(eventually([&] { return !alive(command); }));
}

TEST_CASE("stop --wait gives up with 124, and the daemon that drains still answers stop --now") {
  Place place;
  const StopAtEnd cleanup{place};
  REQUIRE(place.jobring({"start"}).status == 0);
  const pid_t client = place.jobring_started({"run", "-c", sleeper(place.dir() / "pid")});
  const pid_t command = pid_in(place.dir() / "pid");
  CHECK(place.jobring({"stop", "--wait", "100ms"}).status == 124);
  const Said status = place.run({"timeout", "2", program("jobring"), "status", "--json"});
  CHECK(status.status == 0);
  CHECK(status.out.find("\"draining\":true") != std::string::npos);
  CHECK(place.run({"timeout", "2", program("jobring"), "stop", "--now"}).status == 0);
  CHECK(wait_exit(client) != 0);
  CHECK(eventually([&] { return !alive(command); }));
}

// ---- the private daemon ----

TEST_CASE("map works without set-up when no daemon listens, and leaves nothing behind") {
  Place place;
  const StopAtEnd cleanup{place};
  const Said said = place.jobring({"map", "-k", "echo", "{}", ":::", "1", "2", "3"});
  CHECK(said.status == 0);
  CHECK(said.out == "1\n2\n3\n");
  CHECK(said.err == "");
  CHECK(eventually([&] { return jobring_processes(place).empty(); }, 2s));
  CHECK_FALSE(std::filesystem::exists(place.socket()));
}

TEST_CASE("a private daemon and its command end when jobring is killed") {
  Place place;
  const StopAtEnd cleanup{place};
  const std::string pid_file = place.dir() / "pid";
  const pid_t client = place.jobring_started({"run", "--private", "-c", sleeper(pid_file)});
  const pid_t command = pid_in(pid_file);
  kill(client, SIGKILL);
  wait_exit(client);
  CHECK(eventually([&] { return !alive(command) && jobring_processes(place).empty(); }));
}

TEST_CASE("the output of a private map ends for its reader when map ends") {
  Place place;
  const StopAtEnd cleanup{place};
  CHECK(place.shell("$0 map -k echo ::: a b | cat").out == "a\nb\n");
  CHECK(place.jobring({"run", "--", "cat"}, "through\n").out == "through\n");
}
