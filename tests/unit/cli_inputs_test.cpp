#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "client/cli/line_reader.hpp"
#include "client/cli/map_inputs.hpp"

using namespace jobring;
using namespace jobring::cli;

namespace {

using Rows = std::vector<std::vector<std::string>>;

UniqueFd file_with(const std::string& bytes) {
  UniqueFd fd(memfd_create("input", MFD_CLOEXEC));
  REQUIRE(write(fd.get(), bytes.data(), bytes.size()) == ssize_t(bytes.size()));
  lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

std::vector<std::string> read_all(const std::string& bytes, char separator = '\n',
                                  std::size_t most = 1 << 20) {
  LineReader reader(file_with(bytes), "test", separator, most);
  const auto counted = reader.count();
  std::vector<std::string> records;
  std::string record;
  bool too_long = false;
  while (*reader.next(record, too_long) == Pull::got) records.push_back(record);
  CHECK(*reader.next(record, too_long) == Pull::end);
  CHECK(counted == records.size());
  return records;
}

// A file that is there as long as the object.
struct TempFile {
  std::string path = "/tmp/jobring-cli-test-XXXXXX";
  explicit TempFile(const std::string& bytes) {
    const UniqueFd fd(mkstemp(path.data()));
    REQUIRE(write(fd.get(), bytes.data(), bytes.size()) == ssize_t(bytes.size()));
  }
  ~TempFile() { unlink(path.c_str()); }
};

SourceSpec words(std::vector<std::string> w, bool linked = false) {
  return {.linked = linked, .words = std::move(w)};
}

Rows combine(std::vector<SourceSpec> specs) {
  auto inputs = MapInputs::open(std::move(specs), '\n', 1 << 20);
  REQUIRE(inputs);
  const auto total = inputs->total();
  Rows rows;
  MapInput input;
  while (*inputs->next(input) == Pull::got) {
    rows.push_back(input.values);
    CHECK(input.seq == rows.size());
  }
  CHECK(total == rows.size());
  return rows;
}

}  // namespace

TEST_CASE("lines are read as they are, empty ones and carriage returns too") {
  CHECK(read_all("a\n\nb\r\n c \n") == std::vector<std::string>{"a", "", "b\r", " c "});
}

TEST_CASE("a last line without newline counts, an empty rest does not") {
  CHECK(read_all("a\nb") == std::vector<std::string>{"a", "b"});
  CHECK(read_all("a\n") == std::vector<std::string>{"a"});
  CHECK(read_all("").empty());
  CHECK(read_all("\n") == std::vector<std::string>{""});
}

TEST_CASE("records that end with NUL may contain newlines") {
  CHECK(read_all(std::string("a\nb\0c\0", 6), '\0') == std::vector<std::string>{"a\nb", "c"});
}

TEST_CASE("records may lie across the blocks in which they are read") {
  std::string bytes;
  std::vector<std::string> expected;
  for (int i = 0; i < 40; ++i) {
    expected.push_back(std::string(std::size_t(i) * 977, char('a' + i % 26)));
    bytes += expected.back() + '\n';
  }
  CHECK(bytes.size() > 500'000);
  CHECK(read_all(bytes) == expected);
}

TEST_CASE("a record that is too long is cut and flagged, and the next one is whole") {
  LineReader reader(
      file_with(std::string(300'000, 'x') + "\nshort\n" + std::string(10, 'y') + "\n"), "test",
      '\n', 10);
  std::string record;
  bool too_long = false;
  REQUIRE(*reader.next(record, too_long) == Pull::got);
  CHECK(record == std::string(10, 'x'));
  CHECK(too_long);
  REQUIRE(*reader.next(record, too_long) == Pull::got);
  CHECK(record == "short");
  CHECK_FALSE(too_long);
  REQUIRE(*reader.next(record, too_long) == Pull::got);
  CHECK_FALSE(too_long);
}

TEST_CASE("a pipe without a whole line says later instead of blocking") {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  UniqueFd in(ends[1]);
  LineReader reader(UniqueFd{ends[0]}, "pipe", '\n', 100);
  CHECK_FALSE(reader.count());
  std::string record;
  bool too_long = false;
  CHECK(*reader.next(record, too_long) == Pull::later);
  REQUIRE(write(in.get(), "ab", 2) == 2);
  CHECK(*reader.next(record, too_long) == Pull::later);
  REQUIRE(write(in.get(), "c\nd", 3) == 3);
  REQUIRE(*reader.next(record, too_long) == Pull::got);
  CHECK(record == "abc");
  in.reset();
  REQUIRE(*reader.next(record, too_long) == Pull::got);
  CHECK(record == "d");
  CHECK(*reader.next(record, too_long) == Pull::end);
}

TEST_CASE("a descriptor that cannot be read is an error that names it") {
  LineReader reader(UniqueFd(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), "/tmp", '\n', 100);
  std::string record;
  bool too_long = false;
  const auto pulled = reader.next(record, too_long);
  REQUIRE_FALSE(pulled);
  CHECK(pulled.error().where == "/tmp");
}

TEST_CASE("several sources are multiplied, the last one fastest") {
  CHECK(combine({words({"a", "b"}), words({"1", "2", "3"})}) ==
        Rows{{"a", "1"}, {"a", "2"}, {"a", "3"}, {"b", "1"}, {"b", "2"}, {"b", "3"}});
  CHECK(combine({words({"a"}), words({"1", "2"}), words({"x", "y"})}) ==
        Rows{{"a", "1", "x"}, {"a", "1", "y"}, {"a", "2", "x"}, {"a", "2", "y"}});
}

TEST_CASE("linked sources go in step and end with the shortest") {
  CHECK(combine({words({"a", "b", "c"}), words({"1", "2"}, true)}) == Rows{{"a", "1"}, {"b", "2"}});
  CHECK(combine({words({"x", "y"}), words({"a", "b"}), words({"1", "2"}, true)}) ==
        Rows{{"x", "a", "1"}, {"x", "b", "2"}, {"y", "a", "1"}, {"y", "b", "2"}});
}

TEST_CASE("nothing times anything is nothing") {
  CHECK(combine({words({"a", "b"}), words({})}).empty());
  CHECK(combine({words({})}).empty());
}

TEST_CASE("files are sources like words") {
  const TempFile letters("a\nb\n");
  const TempFile digits("1\n2");
  CHECK(combine({{.is_file = true, .file = letters.path},
                 {.linked = true, .is_file = true, .file = digits.path}}) ==
        Rows{{"a", "1"}, {"b", "2"}});
  CHECK(combine({words({"x", "y"}), {.is_file = true, .file = digits.path}}) ==
        Rows{{"x", "1"}, {"x", "2"}, {"y", "1"}, {"y", "2"}});
}

TEST_CASE("a file that is not there is an error that names it") {
  const auto inputs = MapInputs::open({{.is_file = true, .file = "/no/such/file"}}, '\n', 100);
  REQUIRE_FALSE(inputs);
  CHECK(inputs.error().where == "/no/such/file");
}
