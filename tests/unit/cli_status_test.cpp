#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "client/cli/daemon_log.hpp"
#include "client/cli/status_table.hpp"
#include "client/cli/table.hpp"

using namespace jobring::cli;

namespace {

constexpr const char* kStatus =
    R"({"version":"0.1.0","pid":77,"uptime_ms":65000,"socket":"/run/s","clients":2,
"draining":true,"pools":[{"name":"default","state":"running","workers":[
{"index":0,"pid":78,"state":"busy","jobs":1234,"failed":1,"busy_us":2500000,"rss_kib":2048,"restarts":0,
 "current":{"channel":3,"slot":9,"handler":"exec","client":"map","running_ms":1500}},
{"index":1,"pid":0,"state":"down","jobs":0,"failed":0,"restarts":4,"current":null}],
"channels":[{"id":3,"client":"map","client_pid":99,"uid":1000,"slots":4096,"submitted":10,"completed":4,"queued":[0,5,1]},
{"id":4,"client":"keeper","client_pid":98,"uid":1000,"kept":true,"slots":4096}],
"jobs":1234,"failed":1,"crashes":0,"queued":6,"quarantined":1,"crashed_jobs":[
{"when":"2026-01-02T03:04:05Z","age_ms":65000,"handler":"resize","client":"web","client_pid":9,"uid":33,"attempts":5,"quarantined":true,"signal":6,
 "evidence":"killed; its last output:\n\u001b[31m  #0 x\njobring-worker: SIGABRT\n  #0 libc.so.6+0x1 abort+0xd2\n  #1 images.so+0x7 shrink\u001b+0x2\n  #2 b\n"},
{"age_ms":1000,"handler":"exec","attempts":1,"quarantined":false,"signal":9,"evidence":"killed"},
{"age_ms":0,"handler":"exit","attempts":1,"signal":0}]},{"name":"gpu","state":"broken","reason":"no such module"}]})";

bool has(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the status shows pools, workers with their job, and channels") {
  const std::string text = status_table(kStatus, false);
  CHECK(has(text, "jobringd 0.1.0, pid 77, up 1m05s, 2 clients, /run/s\n"));
  CHECK(has(text, "draining"));
  CHECK(has(text, "pool default: running, 6 queued, 1,234 jobs done, 1 failed, 0 crashes"));
  CHECK(has(text, "exec for 1.50 s, client map"));
  CHECK(has(text, "2 MiB"));
  CHECK(has(text, "0 / 5 / 1"));
  CHECK(has(text, "keeper (kept)"));
  CHECK_FALSE(has(text, "map (kept)"));
  CHECK(has(text, "pool gpu: broken (no such module), - queued"));
  CHECK_FALSE(has(text, "\033"));
}

TEST_CASE("the status names the jobs that crashed their workers, and where") {
  const std::string text = status_table(kStatus, false);
  CHECK(has(text, "0 crashes, 1 quarantined\n"));
  CHECK(has(text, "1m05s ago  resize"));
  CHECK(has(text, "quarantined  images.so+0x7 shrink?+0x2\n"));
  CHECK(has(text, "crashed      SIGKILL\n"));
  CHECK(has(text, "crashed      exited\n"));
  CHECK(has(text, "jobring status --json"));
  CHECK_FALSE(has(text, "\033"));
}

TEST_CASE("colours appear only when asked for") {
  const std::string text = status_table(kStatus, true);
  CHECK(has(text, "\033[32mbusy\033[0m"));
  CHECK(has(text, "\033[31mdown\033[0m"));
}

TEST_CASE("missing and strange fields are shown as a dash, never a crash") {
  for (const char* json : {"", "{}", "[]", "null", "{\"pools\":7}",
                           "{\"pools\":[null,{\"workers\":[{}],\"channels\":[3]}]}",
                           "{\"pid\":\"x\",\"uptime_ms\":-5,\"clients\":1.5,\"draining\":0}"}) {
    CAPTURE(json);
    const std::string text = status_table(json, false);
    CHECK(has(text, "jobringd -, pid -, up -, - clients"));
  }
}

TEST_CASE("columns are aligned by characters, and lines have no trailing spaces") {
  Table table({"name", ">time"});
  table.row({{"a"}, {"12 µs"}});
  table.row({{"longer"}, {"3 s"}});
  table.row({{"b"}, {""}});
  CHECK(table.print(false, 1) == " name     time\n a       12 µs\n longer    3 s\n b\n");
}

TEST_CASE("the tail of a log starts at a line, after what stood there before") {
  std::string path = "/tmp/jobring-tail-test-XXXXXX";
  close(mkstemp(path.data()));
  const auto tail_of = [&](const std::string& text, off_t from, int lines) {
    std::ofstream(path) << text;
    return tail(path, from, lines);
  };
  CHECK(tail_of("a\nb\nc\n", 0, 2) == "b\nc\n");
  CHECK(tail_of("a\nb\nc", 0, 2) == "b\nc");
  CHECK(tail_of("a\nb\n", 0, 5) == "a\nb\n");
  CHECK(tail_of("old\nnew\n", 4, 5) == "new\n");
  CHECK(tail_of("", 0, 5).empty());
  CHECK(tail_of("\n\n\n", 0, 2) == "\n\n");
  unlink(path.c_str());
  CHECK(tail(path, 0, 3).empty());
}

TEST_CASE("the log's place follows XDG") {
  const auto path = [](const char* (*environment)(const char*)) {
    return default_log_path(environment);
  };
  CHECK(*path([](const char* n) -> const char* {
    return std::string(n) == "HOME" ? "/home/u" : "relative";
  }) == "/home/u/.local/state/jobring/jobringd.log");
  CHECK(*path([](const char* n) -> const char* {
    return std::string(n) == "XDG_STATE_HOME" ? "/s" : nullptr;
  }) == "/s/jobring/jobringd.log");
  CHECK_FALSE(path([](const char*) -> const char* { return nullptr; }));
}
