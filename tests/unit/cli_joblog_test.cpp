#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <set>

#include "client/cli/joblog.hpp"

using namespace jobring::cli;

namespace {

struct TempPath {
  std::string path = "/tmp/jobring-joblog-test-XXXXXX";
  TempPath() { close(mkstemp(path.data())); }
  ~TempPath() { unlink(path.c_str()); }
  std::string text() const {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& text) const { std::ofstream(path) << text; }
};

JobLogEntry entry(std::uint64_t seq) {
  return {.seq = seq,
          .started = 1376577364.974,
          .runtime = 0.03,
          .received = 10,
          .status = 3,
          .signal = 0,
          .command = "exit 3"};
}

}  // namespace

TEST_CASE("a line of the job log has GNU parallel's nine columns") {
  CHECK(format(entry(1)) == "1\t:\t1376577364.974\t     0.030\t0\t10\t3\t0\texit 3\n");
}

TEST_CASE("a command with tabs and newlines stays one line of nine columns") {
  JobLogEntry e = entry(2);
  e.command = "printf 'a\tb\n'";
  CHECK(format(e) == "2\t:\t1376577364.974\t     0.030\t0\t10\t3\t0\tprintf 'a\\tb\\n'\n");
}

TEST_CASE("a new log starts with the header, a resumed one goes on") {
  const TempPath file;
  file.write("old\n");
  SeqSet done;
  auto log = JobLog::open(file.path, false, done);
  REQUIRE(log);
  log->add(entry(1));
  log->add(entry(3));
  REQUIRE(log->flush());
  CHECK(file.text() == std::string(kJobLogHeader) + format(entry(1)) + format(entry(3)));

  auto resumed = JobLog::open(file.path, true, done);
  REQUIRE(resumed);
  CHECK(done.contains(1));
  CHECK_FALSE(done.contains(2));
  CHECK(done.contains(3));
  resumed->add(entry(2));
  REQUIRE(resumed->flush());
  CHECK(file.text() ==
        std::string(kJobLogHeader) + format(entry(1)) + format(entry(3)) + format(entry(2)));
}

TEST_CASE("a line that a crash tore off is not believed, and the next one starts afresh") {
  const TempPath file;
  file.write(std::string(kJobLogHeader) + format(entry(1)) + "2\t:\t13765");
  SeqSet done;
  auto log = JobLog::open(file.path, true, done);
  REQUIRE(log);
  CHECK(done.contains(1));
  CHECK_FALSE(done.contains(2));
  log->add(entry(2));
  REQUIRE(log->flush());
  CHECK(file.text().ends_with("\n2\t:\t13765\n" + format(entry(2))));
}

TEST_CASE("only a line with a number and all columns counts as done") {
  CHECK(parse_joblog_seq("7\t:\t1\t2\t3\t4\t5\t6\tcmd") == 7);
  CHECK_FALSE(parse_joblog_seq(kJobLogHeader));
  CHECK_FALSE(parse_joblog_seq("7x\t:\t1\t2\t3\t4\t5\t6\tcmd"));
  CHECK_FALSE(parse_joblog_seq("7\t:\t1\t2"));
  CHECK_FALSE(parse_joblog_seq(""));
}

TEST_CASE("a set of neighbours takes one range, in whatever order they come") {
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t n = 1; n <= 2000; ++n) numbers.push_back(n);
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937(7));
  SeqSet set;
  for (const auto n : numbers) set.add(n);
  CHECK(set.ranges() == 1);
  CHECK_FALSE(set.contains(0));
  CHECK(set.contains(1));
  CHECK(set.contains(2000));
  CHECK_FALSE(set.contains(2001));
}

TEST_CASE("a set with gaps agrees with std::set") {
  std::mt19937 random(11);
  SeqSet set;
  std::set<std::uint64_t> model;
  for (int i = 0; i < 3000; ++i) {
    const std::uint64_t n = random() % 4000;
    set.add(n);
    model.insert(n);
  }
  for (std::uint64_t n = 0; n < 4001; ++n) CHECK(set.contains(n) == model.contains(n));
}
