// Limits of commands: their notation, and jobs that run under them.
#include "client/cli/limits.hpp"

#include "tests/durable_cli/shell.hpp"

using namespace jobring;
using namespace jobring::cli;
using namespace jobring::test;
using Json = nlohmann::json;

namespace {

CommandLimits limits_of(const std::string& text) {
  CommandLimits limits;
  CAPTURE(text);
  REQUIRE(parse_limits(text, limits));
  return limits;
}

std::string refused(const std::string& text) {
  CommandLimits limits;
  CAPTURE(text);
  const auto parsed = parse_limits(text, limits);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == Errc::usage);
  return parsed.error().line();
}

}  // namespace

TEST_CASE("limits are written with the units of what they limit") {
  CHECK(limits_of("memory=2G").memory == 2ull << 30);
  CHECK(limits_of("memory=2GiB").memory == 2ull << 30);
  CHECK(limits_of("memory=2GB").memory == 2'000'000'000ull);
  CHECK(limits_of("stack=64K").stack == 64u << 10);
  CHECK(limits_of("core=0").core == 0);
  CHECK(limits_of("core=unlimited").core == CommandLimits::unlimited);
  CHECK(limits_of("cpu=90").cpu == 90);
  CHECK(limits_of("cpu=1m30s").cpu == 90);
  CHECK(limits_of("cpu=1ms").cpu == 1);
  CHECK(limits_of("open-files=64").open_files == 64);
  const CommandLimits several = limits_of("file_size=1M,processes=5,file_size=2M");
  CHECK(several.file_size == 2u << 20);
  CHECK(several.processes == 5);
  CHECK_FALSE(several.memory);
}

TEST_CASE("a limit that makes no sense is told by what is wrong with it") {
  CHECK(refused("memroy=1G").find("did you mean memory?") != std::string::npos);
  CHECK(refused("speed=1").find("open_files") != std::string::npos);
  for (const char* text : {"", "memory", "memory=", "memory=1000", "memory=1X", "memory=-1G",
                           "cpu=-1", "cpu=soon", "open_files=1.5", "open_files=64K", "=1"}) {
    refused(text);
  }
}

TEST_CASE("a limit's text parses to the same limit") {
  for (const CommandLimit& limit : kCommandLimits) {
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{90}, std::uint64_t{3} << 30,
                                      CommandLimits::unlimited - 1, CommandLimits::unlimited}) {
      CAPTURE(limit.name);
      CAPTURE(value);
      CHECK(parse_limit(limit, limit_text(limit, value)).value() == value);
    }
  }
  CHECK(limits_text(limits_of("cpu=90,memory=2G")) == "memory 2GiB, cpu 1m30s");
}

TEST_CASE("a job runs under limits of its own that are shown and go into an export and back") {
  const Keeping jobring;
  const std::string script = jobring.file("limited.sh");
  write_file(
      script,
      "#!/bin/sh\n#JOBRING --limit open_files=40,cpu=60s\nulimit -n; ulimit -t; ulimit -f\n");
  const std::string id = jobring.submit({"--limit", "cpu=30", "--limit", "file_size=1M", script});
  CHECK_EQ(jobring({"wait", id}).status, 0);
  CHECK_EQ(jobring({"result", id}).out, "40\n30\n2048\n");
  const Json limits = {{"open_files", 40}, {"cpu", 30}, {"file_size", 1 << 20}};
  CHECK_EQ(jobring.show(id)["limits"], limits);
  CHECK(jobring({"show", id}).out.find("cpu 30s, open_files 40, file_size 1MiB") !=
        std::string::npos);
  const Said again = jobring.shell("$0 export " + id + " | $0 submit --batch -");
  CHECK_EQ(again.status, 0);
  const std::string copy = again.out.substr(0, again.out.size() - 1);
  CHECK_EQ(jobring.show(copy)["limits"], limits);
  const Said imported = jobring.shell("$0 export " + id + " > it; $0 clear -y " + id +
                                      "; $0 import it && $0 retry " + id + " && $0 wait " + id);
  CHECK_EQ(imported.status, 0);
  CHECK_EQ(jobring.show(id)["limits"], limits);
  CHECK_EQ(jobring({"result", id}).out, "40\n30\n2048\n");
}

TEST_CASE("a job whose limit is above its pool's fails with a line that says so") {
  const Keeping jobring(R"({"default": {"workers": 1, "limits": {"file_size": "1GiB"}}})");
  const std::string fits = jobring.submit({"--limit", "file_size=1G", "true"});
  CHECK_EQ(jobring({"wait", fits}).status, 0);
  const std::string above = jobring.submit({"--limit", "file_size=2G", "true"});
  const Said waited = jobring({"wait", above});
  CHECK_EQ(waited.status, 126);
  CHECK(one_line(waited.err));
  CHECK(waited.err.find("limit file_size to 2147483648, its worker has 1073741824") !=
        std::string::npos);
  CHECK_EQ(jobring.state(above), "dead");
  CHECK_EQ(jobring({"run", "--limit", "file_size=2G", "--", "true"}).status, 126);
}

TEST_CASE("batches and commands that are waited for have limits as well and handlers have none") {
  const Keeping jobring;
  const Said ids = jobring({"submit", "--batch", "-", "--wait", "--limit", "open_files=50"},
                           "{\"shell\":\"ulimit -n; ulimit -t\",\"limits\":{\"cpu\":\"1m\"}}\n"
                           "{\"shell\":\"ulimit -n\",\"limits\":{\"open_files\":33}}\n"
                           "{\"handler\":\"echo\",\"payload\":\"p\"}\n");
  CHECK_EQ(ids.status, 0);
  const Said results = jobring.shell("for i in $(echo '" + ids.out + "'); do $0 result $i; done");
  CHECK_EQ(results.out, "50\n60\n33\np");
  CHECK_EQ(jobring({"run", "--limit", "open_files=44", "-c", "ulimit -n"}).out, "44\n");
  CHECK_EQ(
      jobring({"map", "--limit", "open_files=45", "--shell", "ulimit -n # {}", ":::", "x"}).out,
      "45\n");
  CHECK_EQ(jobring({"submit", "--limit", "cpu=1", "--handler", "echo", "x"}).status, 64);
  CHECK_EQ(jobring({"map", "--limit", "cpu=1", "--handler", "echo", ":::", "x"}).status, 64);
  CHECK_EQ(jobring({"submit", "--limit", "cpu", "true"}).status, 64);
  for (const char* line :
       {R"({"handler":"h","limits":{"cpu":1}})", R"({"argv":["a"],"limits":{"cpus":1}})",
        R"({"argv":["a"],"limits":{"cpu":-1}})", R"({"argv":["a"],"limits":{"memory":"1X"}})",
        R"({"argv":["a"],"limits":[]})"}) {
    CAPTURE(line);
    const Said wrong = jobring({"submit", "--batch", "-"}, line);
    CHECK_EQ(wrong.status, 65);
    CHECK(one_line(wrong.err));
  }
}
