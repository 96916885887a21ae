#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/cli/options.hpp"
#include "common/unique_fd.hpp"

using namespace jobring;
using namespace jobring::cli;
using Words = std::vector<std::string>;

namespace {

// One verb with an option of each kind, and what came of a command line.
struct Parsed {
  bool keep = false;
  bool null = false;
  std::string pool;
  std::string color = "auto";
  std::vector<std::string> files;
  std::uint64_t jobs = 0;
  std::uint64_t size = 0;
  std::chrono::milliseconds timeout{0};
  Words words;
  std::optional<int> status;
  std::string out, err;
};

// Runs `f` and returns what it wrote to the descriptor.
template <class F>
std::string captured(int fd, F&& f) {
  std::fflush(nullptr);
  const UniqueFd saved(fcntl(fd, F_DUPFD_CLOEXEC, 10));
  const UniqueFd file(memfd_create("captured", MFD_CLOEXEC));
  dup2(file.get(), fd);
  f();
  std::fflush(nullptr);
  dup2(saved.get(), fd);
  std::string text(std::size_t(lseek(file.get(), 0, SEEK_END)), '\0');
  CHECK(pread(file.get(), text.data(), text.size(), 0) == ssize_t(text.size()));
  return text;
}

Parsed parse(Words line, Options::Order order = Options::Order::anywhere) {
  Parsed p;
  Options options({.verb = "test",
                   .usage = "[OPTIONS] WORD...",
                   .summary = "Tests.",
                   .examples = "  jobring test x\n"});
  options.flag("-k,--keep-order", p.keep, "keep");
  options.flag("-0,--null", p.null, "NUL");
  options.text("--pool", p.pool, "NAME", "pool");
  options.list("-a,--arg-file", p.files, "FILE", "files");
  options.number("-j,--jobs", p.jobs, 1, 100, "N", "jobs");
  options.size("--max-output", p.size, "size");
  options.duration("--timeout", p.timeout, "time");
  options.choice("--color", p.color, {"auto", "always", "never"}, "colour");
  std::vector<char*> argv;
  for (std::string& word : line) argv.push_back(word.data());
  p.out = captured(STDOUT_FILENO, [&] {
    p.err = captured(STDERR_FILENO, [&] { p.status = options.parse(argv, order, p.words); });
  });
  return p;
}

}  // namespace

TEST_CASE("options of every kind are read, long, short and joined") {
  const Parsed p = parse({"-k0", "--pool", "fast", "-j4", "--timeout=1m30s", "--max-output",
                          "64KiB", "-a", "f", "-ag", "w"});
  CHECK_FALSE(p.status);
  CHECK(p.keep);
  CHECK(p.null);
  CHECK(p.pool == "fast");
  CHECK(p.jobs == 4);
  CHECK(p.timeout == std::chrono::seconds(90));
  CHECK(p.size == 65536);
  CHECK(p.files == Words{"f", "g"});
  CHECK(p.words == Words{"w"});
}

TEST_CASE("a value may look like an option, and the last of two counts") {
  const Parsed p = parse({"--pool", "-x", "--pool=--y"});
  CHECK_FALSE(p.status);
  CHECK(p.pool == "--y");
}

TEST_CASE("two dashes end the options, and a dash alone is a word") {
  const Parsed p = parse({"a", "-", "--", "-k", "--", "b"});
  CHECK_FALSE(p.status);
  CHECK_FALSE(p.keep);
  CHECK(p.words == Words{"a", "-", "-k", "--", "b"});
}

TEST_CASE("options may stand after words unless the words are a command") {
  CHECK(parse({"gcc", "-k"}).keep);
  const Parsed p = parse({"-k", "gcc", "-j", "x", "--", "--pool"}, Options::Order::before_words);
  CHECK_FALSE(p.status);
  CHECK(p.keep);
  CHECK(p.words == Words{"gcc", "-j", "x", "--", "--pool"});
}

TEST_CASE("what cannot be read is one line on stderr and status 64") {
  const std::vector<Words> lines = {{"--bogus"},
                                    {"-z"},
                                    {"--pool"},
                                    {"-j", "x"},
                                    {"-j", "0"},
                                    {"-j", "101"},
                                    {"--timeout", "5"},
                                    {"--timeout", "soon"},
                                    {"--max-output", "1M"},
                                    {"--color", "red"},
                                    {"--keep-order=maybe"}};
  for (const Words& line : lines) {
    CAPTURE(line[0]);
    const Parsed p = parse(line);
    CHECK(p.status == 64);
    CHECK(p.out.empty());
    CHECK(p.err.starts_with("jobring test: "));
    CHECK(p.err.find("see `jobring test --help`") != std::string::npos);
    CHECK(p.err.find('\n') == p.err.size() - 1);
  }
}

TEST_CASE("a mistyped option is told the nearest one") {
  CHECK(parse({"--keep-oder"}).err.find("did you mean \"--keep-order\"?") != std::string::npos);
  CHECK(parse({"--tiemout=5s"}).err.find("did you mean \"--timeout\"?") != std::string::npos);
  CHECK(parse({"-z"}).err.find("did you mean") == std::string::npos);
}

TEST_CASE("help goes to stdout with usage, every option and an example") {
  const Parsed p = parse({"x", "--help"});
  CHECK(p.status == 0);
  CHECK(p.err.empty());
  for (const char* part :
       {"Tests.", "Usage: jobring test [OPTIONS] WORD...", "-k,--keep-order", "--timeout DURATION",
        "auto|always|never", "Examples:\n  jobring test x"}) {
    CAPTURE(part);
    CHECK(p.out.find(part) != std::string::npos);
  }
}
