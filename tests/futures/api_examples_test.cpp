// The examples of docs/api.md, word for word (the second case sees to it).
#include <doctest/doctest.h>

#include <cstdio>
#include <cstring>

#include <jobring/asio.hpp>
#include <jobring/durable.hpp>
#include <jobring/typed.hpp>

#include <boost/asio/io_context.hpp>

#include "tests/futures/support.hpp"

using namespace jobring::test;

namespace {

int used = 0;
template <class... T>
void use(const T&...) {
  ++used;
}

// Without white space, which a formatter may move.
std::string squeezed(const std::string& text) {
  std::string dense;
  for (const char c : text) {
    if (c != ' ' && c != '\n') dense += c;
  }
  return dense;
}

// clang-format off
// Needs a daemon that keeps jobs.
[[maybe_unused]] void durable(jobring::Client& client) {
jobring::DurableJobs jobs(client);
jobring::DurableFuture f = jobs.run({.argv = {"make", "world"}}, {.name = "world", .retry = {.max = 3}});
jobring::JobId id = f.id();                                  // remember it: the job does not need us any more
use(jobs.attach(id).get());                                  // in this process or another: a command's stdout
}
// clang-format on

}  // namespace

TEST_CASE("the examples of the API page work") {
  Daemon daemon(R"({"default": {"workers": 2, "modules": [")" + test_module("square") + R"(", ")" +
                test_module("futures") + "\"]}}");
  jobring::Pool pool = daemon.connect().pool();
  const std::vector<std::string> numbers = {"1", "2", "3"};
  const std::vector<long> values = {1, 2, 3};
  const std::size_t size = 1000;
  std::vector<jobring::Future> futures;
  for (const std::string& n : numbers) futures.push_back(pool.submit("square", n));

  // clang-format off
jobring::Future f = pool.submit("square", "7");
std::string s = f.get();                             // waits; throws JobFailed
jobring::JobOptions options;
options.priority = jobring::Priority::high;
options.timeout = std::chrono::seconds(5);           // of its run
options.start_within = std::chrono::seconds(60);     // its deadline: not started by then, it expires
options.crash_retries = 1;
options.tag = "nightly";                             // `jobring status` shows it while the job runs
pool.submit("square", "8", options).wait_for(std::chrono::seconds(1));
if (auto p = f.progress()) std::printf("%lu of %lu: %s\n", p->done, p->total, p->text.c_str());
{
auto [done, pending] = jobring::wait(futures, jobring::WaitFor::first_exception, std::chrono::seconds(5));
for (jobring::AsCompleted each(pending); auto f = each.next();) use(f->result());
}
{
pool.submit("square", "7").on_ready([&](const jobring::Future& done) { use(done.result()); });
}
{
std::vector<std::string> all = pool.map("square", {"1", "2", "3"});          // eager
for (std::string& s : pool.map_lazy("square", numbers)) use(s);              // lazy, in order
jobring::Results results = pool.map_unordered("square", numbers, {.buffer = 100});
while (auto item = results.next()) use(item->result);                        // as they complete; item->index
}
{
try {
  pool.call("square", "not a number");
} catch (const jobring::JobFailed& e) {
  std::string type = e.type();        // "std::invalid_argument"
  std::string words = e.message();    // its what(), then "caused by TYPE: ..." for each nested exception
  use(type, words, e.worker());
}
}
{
long n = pool.submit_as<long>("square_number", 7).get();     // 49
use(n);
for (long each : pool.map_as<long>("square_number", values)) use(each);
}
{
jobring::Reservation room = pool.reserve(size);              // in shared memory
std::memset(room.bytes().data(), 'x', size);
jobring::Future big = room.submit("echo", size, {.in_place = true});
std::span<const std::byte> result = big.view();              // in shared memory too
use(result);
}
{
boost::asio::io_context io;
jobring::AsyncPool async(io.get_executor(), pool);
async.async_call("square", "3", {}, [&](std::exception_ptr error, std::string nine) { use(error, nine); });
io.run();
}
{
pool.shutdown(true, false);     // waits for all; (true, true) withdraws what has not started
}
  // clang-format on
  CHECK(s == "49");
  CHECK(used > 10);
}

TEST_CASE("the API page shows what this file compiles") {
  const std::string page = read_file(JOBRING_SOURCE_DIR "/docs/api.md");
  const std::string here =
      squeezed(read_file(JOBRING_SOURCE_DIR "/tests/futures/api_examples_test.cpp"));
  int blocks = 0;
  for (std::size_t at = page.find("```cpp\n"); at != page.npos; at = page.find("```cpp\n", at)) {
    at += 7;
    const std::size_t end = page.find("```", at);
    CAPTURE(page.substr(at, end - at));
    CHECK(here.find(squeezed(page.substr(at, end - at))) != here.npos);
    at = end + 3;
    ++blocks;
  }
  CHECK(blocks == 11);
}
