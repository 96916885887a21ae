// Coroutines for the tests: well-behaved ones and others.
#include <jobring/async_handler.hpp>

#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// One line, by one write: others append too.
void note(std::string_view file, const std::string& line) {
  std::ofstream(std::string(file), std::ios::app) << line + "\n";
}

std::vector<asio::steady_timer*> waiting;
int here = 0, most = 0;

struct Here {
  Here() { most = std::max(most, ++here); }
  ~Here() { --here; }
};

std::set<asio::steady_timer*> gathered;

struct Gathered {
  explicit Gathered(asio::steady_timer& timer) : mine(&timer) { gathered.insert(mine); }
  ~Gathered() { gathered.erase(mine); }
  Gathered(const Gathered&) = delete;
  asio::steady_timer* mine;
};

}  // namespace

// Ends when as many jobs of it as the payload says are in flight in this worker.
JOBRING_ASYNC_HANDLER(meet, job) {
  asio::steady_timer timer(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
  waiting.push_back(&timer);
  if (waiting.size() >= std::stoul(std::string(job.text()))) {
    for (asio::steady_timer* one : waiting) one->cancel();
    waiting.clear();
  } else {
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  job.reply("met");
}

// "<how many> <file>". As meet, but one that is stopped meanwhile leaves; the last one notes that
// all have come, and each has something to do then: so they end long after that.
JOBRING_ASYNC_HANDLER(meet_and_work, job) {
  std::istringstream in{std::string(job.text())};
  std::size_t all = 0;
  std::string file;
  in >> all >> file;
  asio::steady_timer timer(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
  const Gathered place(timer);
  if (gathered.size() >= all) {
    for (asio::steady_timer* one : gathered) one->cancel();
    note(file, "all");
  } else {
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  const auto end = std::chrono::steady_clock::now() + 200us;
  while (std::chrono::steady_clock::now() < end) {
  }
  job.reply("met");
}

// How many of these were in flight at once at most, so far.
JOBRING_ASYNC_HANDLER(most_at_once, job) {
  const Here one;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (int i = 0; i < 3; ++i) {
    timer.expires_after(1ms);
    co_await timer.async_wait(asio::use_awaitable);
  }
  job.reply(std::to_string(most));
}

// Notes that it has begun, then waits for ever.
JOBRING_ASYNC_HANDLER(hang, job) {
  note(job.text(), "hang");
  asio::steady_timer timer(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
  co_await timer.async_wait(asio::use_awaitable);
}

// The same, and ends in its own way when it is stopped.
JOBRING_ASYNC_HANDLER(ends_well, job) {
  note(job.text(), "ends_well");
  asio::steady_timer timer(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  job.reply(job.stop_requested() ? "stopped" : "not stopped");
}

// Does not listen.
JOBRING_ASYNC_HANDLER(stubborn, job) {
  note(job.text(), "stubborn");
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    timer.expires_after(10ms);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

// Holds the loop for ever.
JOBRING_ASYNC_HANDLER(block, job) {
  note(job.text(), "block");
  for (;;) pause();
  co_return;
}

JOBRING_ASYNC_HANDLER(crash, job) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
  co_await timer.async_wait(asio::use_awaitable);
  std::raise(SIGSEGV);
}

struct TooFar : std::out_of_range {
  using std::out_of_range::out_of_range;
};

JOBRING_ASYNC_HANDLER(throws, job) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
  co_await timer.async_wait(asio::use_awaitable);
  throw TooFar("thrown after an await: " + std::string(job.text()));
}

// operation_aborted that nobody asked for is an error like any other.
JOBRING_ASYNC_HANDLER(aborts_itself, job) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
  co_await timer.async_wait(asio::use_awaitable);
  throw boost::system::system_error(asio::error::operation_aborted);
}

// Notes its beginning and its end, with some awaiting between.
JOBRING_ASYNC_HANDLER(noted, job) {
  const std::string text(job.text());
  const std::string file = text.substr(0, text.find(' '));
  const std::string name = text.substr(text.find(' ') + 1);
  note(file, "begun " + name);
  asio::steady_timer timer(co_await asio::this_coro::executor, 20ms);
  co_await timer.async_wait(asio::use_awaitable);
  note(file, "ended " + name);
  job.reply(name);
}

JOBRING_ASYNC_HANDLER(working_directory, job) {
  if (!job.text().empty() && chdir(std::string(job.text()).c_str()) != 0) job.fail("chdir");
  char path[4096];
  job.reply(getcwd(path, sizeof path) != nullptr ? path : "");
  co_return;
}
