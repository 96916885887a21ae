// Stopping jobs of an async pool, whose workers have many under way.
//
// The page entry of such a worker names only the job whose code holds its loop at the moment
// (worker/async/slice.hpp), so it is the worker that knows whether an order is about a job of its
// own, and that ends itself over one that does not stop within kill_grace (deadlines.hpp). We end
// only a worker that does not read our orders, because a handler blocks its loop.
#include <linux/sockios.h>
#include <signal.h>
#include <sys/ioctl.h>

#include <utility>

#include "common/clock.hpp"
#include "daemon/log.hpp"
#include "daemon/pool.hpp"

namespace jobring {
namespace {

// Bytes of orders that a worker has not read, above which stops wait: there must be room for orders
// of other kinds, without which a worker is of no use.
constexpr int kUnreadMax = 32 * 1024;
// Between two tries.
constexpr std::chrono::milliseconds kTryAgain{10};
constexpr std::chrono::milliseconds kReadMargin{200};
// Jobs named as killed when a blocked worker is ended over them; others count as crashed.
constexpr std::size_t kTargetsMax = 64;

int unread(const Worker& worker) {
  int bytes = 0;
  return ioctl(worker.process.control.get(), SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

}  // namespace

void Pool::stop_in_flight(Worker& worker, Channel& channel, std::uint32_t slot, StateWord running,
                          int signal) {
  AsyncStops& stops = worker.async_stops;
  if (stops.targets.size() < kTargetsMax)
    stops.targets.push_back({channel.id, slot, running, Outcome::killed});
  if (stops.due.empty() && unread(worker) < kUnreadMax) {
    send(worker, StopJob{channel.id, slot, running.generation(), signal});
  } else {
    // Its client has raised kill_request in the slot: one order for all such jobs of a channel.
    stops.due.try_emplace(channel.id, StopChannel{channel.id, false, signal});
    send_stops_later(worker);
  }
  watch_stops(worker);
}

void Pool::stop_all_in_flight(Worker& worker, Channel& channel, int signal) {
  worker.async_stops.due[channel.id] = StopChannel{channel.id, true, signal};
  send_stops(worker);
  watch_stops(worker);
}

void Pool::send_stops(Worker& worker) {
  AsyncStops& stops = worker.async_stops;
  stops.timer.reset();
  if (worker.state != WorkerState::running) return stops.due.clear();
  while (!stops.due.empty() && unread(worker) < kUnreadMax) {
    send(worker, stops.due.begin()->second);
    stops.due.erase(stops.due.begin());
  }
  if (!stops.due.empty()) send_stops_later(worker);
}

void Pool::send_stops_later(Worker& worker) {
  if (worker.async_stops.timer) return;
  worker.async_stops.timer = host_.loop.after(kTryAgain, [this, &worker] { send_stops(worker); });
}

void Pool::watch_stops(Worker& worker) {
  if (worker.async_stops.watch) return;
  worker.async_stops.watch =
      host_.loop.after(host_.config.kill_grace + kReadMargin, [this, &worker] {
        AsyncStops& stops = worker.async_stops;
        stops.watch.reset();
        if (worker.state != WorkerState::running || unread(worker) == 0)
          return stops.targets.clear();
        const std::uint64_t since = page().worker(worker.lanes.front().index).job_started_ns.get();
        const auto grace = std::uint64_t(std::chrono::nanoseconds(host_.config.kill_grace).count());
        if (since == 0 || now_ns() < since + grace) return watch_stops(worker);
        log::warning(title(worker) +
                     ": a job has held its event loop for longer than kill_grace; "
                     "killing it for jobs that are to stop");
        for (const Condemned& job : std::exchange(stops.targets, {}))
          worker.condemned.push_back(job);
        kill(worker.process.pid, SIGKILL);
      });
}

}  // namespace jobring
