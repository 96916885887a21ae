// jobring bench: how many jobs a second, and how long one takes there and back.
#include <atomic>
#include <barrier>
#include <cstdio>
#include <exception>
#include <thread>

#include <jobring/jobring.hpp>

#include "client/cli/bench_figures.hpp"
#include "client/cli/connection.hpp"
#include "client/cli/human.hpp"
#include "client/cli/json.hpp"
#include "client/cli/latency_histogram.hpp"
#include "client/cli/number_list.hpp"
#include "client/cli/table.hpp"
#include "client/cli/verbs.hpp"
#include "common/clock.hpp"
#include "common/result.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "bench",
    .usage = "[OPTIONS]",
    .summary =
        "Measures jobs a second with many jobs in flight, and the round trip of one job at a "
        "time.\n"
        "Each client is a thread with a connection and a channel of its own.",
    .examples =
        "  jobring bench\n"
        "  jobring bench --private --payload 64,4096,1048576 --clients 1..8 --seconds 2\n"};

constexpr unsigned kPublishBatch = 32;
// More in flight would measure page faults, not jobs.
constexpr std::uint64_t kBytesInFlight = 64 << 20;

struct BenchOptions {
  AnyDaemon daemon;
  std::string pool = "default";
  std::string handler = "echo";
  std::uint64_t depth = 1024;
  std::vector<std::uint64_t> payloads = {64};
  std::vector<std::uint64_t> clients = {1};
  std::uint64_t seconds = 2;
  bool json = false;
};

// One client's part of a throughput measurement.
struct Share {
  std::uint64_t jobs = 0;
  std::uint64_t failed = 0;
  std::uint64_t depth = 0;
  std::exception_ptr error;
};

void count(std::span<const Completion> done, Share& share) {
  share.jobs += done.size();
  for (const Completion& completion : done) share.failed += completion.outcome != Outcome::ok;
}

void pump(Channel& channel, HandlerId handler, const std::string& payload, std::uint64_t depth,
          const std::atomic<bool>& stop, Share& share) {
  while (!stop.load(std::memory_order_relaxed)) {
    unsigned unpublished = 0;
    while (channel.outstanding() < depth && channel.prepare(handler, payload, 0)) {
      if (++unpublished < kPublishBatch) continue;
      channel.submit();
      unpublished = 0;
    }
    if (unpublished > 0) channel.submit();
    const auto done = channel.reap();
    count(done, share);
    if (done.empty()) channel.wait(std::chrono::milliseconds(100));
  }
}

void drain(Channel& channel) {
  while (channel.outstanding() > 0) {
    if (channel.reap().empty()) channel.wait();
  }
}

void measure_throughput(const BenchOptions& options, const Client& shared, BenchRow& row) {
  std::vector<Share> shares(row.clients);
  std::atomic<bool> stop{false};
  std::barrier ready(std::ptrdiff_t(row.clients) + 1);
  std::barrier ended(std::ptrdiff_t(row.clients) + 1);
  std::vector<std::thread> threads;
  for (Share& share : shares) {
    threads.emplace_back([&] {
      bool arrived = false;
      try {
        // Clients of a private daemon can only be channels of the one client it has.
        Client client = shared.is_private() ? shared : Client::connect(options.daemon.resolve());
        Channel channel = client.channel(options.pool);
        const HandlerId handler = channel.handler(options.handler);
        const std::string payload(row.payload, 'x');
        share.depth = std::min<std::uint64_t>(
            {options.depth, channel.slots(),
             std::max<std::uint64_t>(1, kBytesInFlight / std::max<std::uint64_t>(1, row.payload))});
        Share warm_up;
        std::atomic<bool> warm{false};
        std::thread timer([&warm] {
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
          warm = true;
        });
        try {
          pump(channel, handler, payload, share.depth, warm, warm_up);
        } catch (...) {
          timer.join();
          throw;
        }
        timer.join();
        ready.arrive_and_wait();
        arrived = true;
        pump(channel, handler, payload, share.depth, stop, share);
        ended.arrive_and_wait();
        drain(channel);
      } catch (...) {
        share.error = std::current_exception();
        if (!arrived) (void)ready.arrive();
        (void)ended.arrive();
      }
    });
  }
  ready.arrive_and_wait();
  const std::uint64_t start = now_ns();
  std::this_thread::sleep_for(std::chrono::seconds(options.seconds));
  stop = true;
  ended.arrive_and_wait();
  const double seconds = double(now_ns() - start) / 1e9;
  for (std::thread& thread : threads) thread.join();
  std::uint64_t jobs = 0;
  for (const Share& share : shares) {
    if (share.error) std::rethrow_exception(share.error);
    jobs += share.jobs;
    row.failed += share.failed;
    row.depth = share.depth;
  }
  row.jobs_per_second = double(jobs) / seconds;
}

void measure_latency(const BenchOptions& options, Client& client, BenchRow& row) {
  Channel channel = client.channel(options.pool);
  const HandlerId handler = channel.handler(options.handler);
  const std::string payload(row.payload, 'x');
  LatencyHistogram histogram;
  const auto round = [&] {
    const std::uint64_t start = now_ns();
    // The completion that we hold gives its slot back at the next reap; a channel of one slot needs
    // that first.
    while (!channel.prepare(handler, payload, 0)) channel.reap();
    channel.submit();
    Share ended;
    while (ended.jobs == 0) {
      count(channel.reap(), ended);
      if (ended.jobs == 0) channel.wait();
    }
    row.failed += ended.failed;
    return now_ns() - start;
  };
  const std::uint64_t warm = now_ns() + 50'000'000;
  while (now_ns() < warm) round();
  const std::uint64_t end = now_ns() + options.seconds * 1'000'000'000;
  while (now_ns() < end) histogram.add(round());
  row.p50 = histogram.percentile(0.5);
  row.p90 = histogram.percentile(0.9);
  row.p99 = histogram.percentile(0.99);
  row.p999 = histogram.percentile(0.999);
  row.max = histogram.max();
}

std::string bench_table(const std::vector<BenchRow>& rows) {
  Table table({">payload", ">clients", ">depth", ">jobs/s", ">MB/s both ways", ">p50", ">p90",
               ">p99", ">p99.9", ">max"});
  for (const BenchRow& row : rows) {
    table.row({{human_size(row.payload)},
               {std::to_string(row.clients)},
               {std::to_string(row.depth)},
               {human_rate(row.jobs_per_second)},
               {human_rate(row.jobs_per_second * 2 * double(row.payload) / 1e6)},
               {human_duration(row.p50)},
               {human_duration(row.p90)},
               {human_duration(row.p99)},
               {human_duration(row.p999)},
               {human_duration(row.max)}});
  }
  return table.print(false);
}

int bench(const BenchOptions& options) {
  std::vector<BenchRow> rows;
  std::uint64_t failed = 0;
  Client client = Client::connect(options.daemon.resolve());
  for (const std::uint64_t payload : options.payloads) {
    BenchRow round_trip{.payload = payload};
    measure_latency(options, client, round_trip);
    for (const std::uint64_t clients : options.clients) {
      BenchRow row = round_trip;
      row.clients = unsigned(clients);
      measure_throughput(options, client, row);
      failed += row.failed;
      rows.push_back(row);
    }
  }
  std::fputs(options.json ? (bench_json(rows) + "\n").c_str() : bench_table(rows).c_str(), stdout);
  if (failed > 0) {
    std::fprintf(stderr, "jobring bench: %s jobs failed: is \"%s\" a handler of pool \"%s\"?\n",
                 human_count(failed).c_str(), options.handler.c_str(), options.pool.c_str());
    return 1;
  }
  return 0;
}

}  // namespace

int bench_verb(Arguments arguments) {
  BenchOptions bench_options;
  std::string payloads = "64";
  std::string clients = "1";
  Options options(kHelp);
  options.text("--payload", payloads, "LIST", "payload sizes in bytes: 64,4096; default: 64");
  options.text("--clients", clients, "LIST",
               "numbers of clients: 1,2,4 or 1..64 (doubling); default: 1");
  options.number("--depth", bench_options.depth, 1, 1u << 15, "N",
                 "jobs in flight per client; default: 1024");
  options.number("--seconds", bench_options.seconds, 1, 3600, "N",
                 "length of each measurement; default: 2");
  options.text("--handler", bench_options.handler, "NAME", "handler to call; default: echo");
  options.text("--pool", bench_options.pool, "NAME", "pool to use; default: \"default\"");
  options.flag("--json", bench_options.json, "print a JSON array");
  bench_options.daemon.add_to(options);
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (!words.empty()) return options.usage_error("unexpected word \"" + words[0] + "\"");
  auto payload_list = parse_numbers(payloads, 0, std::uint64_t(1) << 30, "--payload");
  if (!payload_list) return options.usage_error(payload_list.error().line());
  auto client_list = parse_numbers(clients, 1, 1024, "--clients");
  if (!client_list) return options.usage_error(client_list.error().line());
  bench_options.payloads = std::move(*payload_list);
  bench_options.clients = std::move(*client_list);
  return bench(bench_options);
}

}  // namespace jobring::cli
