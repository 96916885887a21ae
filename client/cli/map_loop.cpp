#include "client/cli/map_loop.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

#include <jobring/jobring.hpp>

#include "client/cli/human.hpp"
#include "client/cli/terminal.hpp"
#include "common/clock.hpp"
#include "common/exec_codec.hpp"

namespace jobring::cli {
namespace {

// Commands take a tenth of a millisecond at least: so many waiting keep any number of workers busy,
// and less memory is touched than with all slots.
constexpr std::size_t kCommandsInFlight = 512;
constexpr unsigned kPublishBatch = 32;
constexpr std::uint64_t kDrawingInterval = 100'000'000;  // ns
// --keep-order: what may wait for an earlier job.
constexpr std::size_t kWindowJobs = 64 * 1024;
constexpr std::size_t kWindowBytes = 64 << 20;

double seconds_since_1970() {
  timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return double(t.tv_sec) + double(t.tv_nsec) / 1e9;
}

std::size_t flights(const MapOptions& options, const Channel& channel) {
  std::size_t most = channel.slots();
  if (options.jobs != 0) return std::min(most, std::size_t(options.jobs));
  return options.handler.empty() ? std::min(most, kCommandsInFlight) : most;
}

JobEnd refused(const std::string& why) {
  JobEnd end;
  end.outcome = Outcome::bad_request;
  end.status = exit_status(Outcome::bad_request, 0);
  end.problem = why;
  return end;
}

}  // namespace

MapLoop::MapLoop(const MapOptions& options, MapJobs& jobs, Channel& channel, MapInputs inputs,
                 JobLog* log, SeqSet done)
    : options_(options),
      jobs_(jobs),
      channel_(channel),
      inputs_(std::move(inputs)),
      log_(log),
      resumed_(std::move(done)),
      flights_(flights(options, channel)),
      ordered_(std::max(kWindowJobs, flights_.size()), kWindowBytes),
      halt_(options.halt),
      progress_(now_ns()) {
  for (std::size_t i = flights_.size(); i > 0; --i) free_.push_back(std::uint32_t(i - 1));
  if (options_.bar || options_.eta) count_.total = inputs_.total();
}

int MapLoop::run() {
  bool armed = false;
  while (true) {
    look_at_signals();
    if (signals_seen_ > 2) break;  // somebody is in a hurry: the daemon ends what we leave behind
    fill();
    draw_progress();
    const auto done = channel_.reap();
    for (const Completion& completion : done) finish(completion);
    if (writer_.closed() && !stopping_) stop(true, SIGTERM);
    if (!done.empty()) {
      armed = false;
      continue;
    }
    if (over()) break;
    if (!armed) {
      flush();
      // Functions end within microseconds: worth a look before the system calls of a sleep.
      const bool quick = !jobs_.commands() && channel_.outstanding() > 0;
      if (quick && channel_.wait(std::chrono::microseconds(50))) continue;
      channel_.arm();
      armed = true;  // and look once more before sleeping
      continue;
    }
    sleep();
    armed = false;
  }
  return end();
}

bool MapLoop::over() const {
  if (channel_.outstanding() > 0) return false;
  return stopping_ || (inputs_ended_ && ready_.empty());
}

void MapLoop::fill() {
  unsigned unpublished = 0;
  try {
    while (!stopping_) {
      if (ready_.empty() && !take_input()) break;
      const std::uint32_t index = ready_.front();
      if (!submit(index)) break;
      ready_.pop_front();
      if (++unpublished == kPublishBatch) {
        channel_.submit();
        unpublished = 0;
      }
    }
    if (unpublished > 0) channel_.submit();
  } catch (const Exception& e) {
    Error error{Errc::no_daemon, e.what(), "", ""};
    give_up(error);
  }
}

// Reads one input into ready_. False if there is none now, or no room for it.
bool MapLoop::take_input() {
  inputs_later_ = false;
  while (!inputs_ended_ && !free_.empty()) {
    if (options_.keep_order && ordered_.full()) return false;
    Flight& flight = flights_[free_.back()];
    const Result<Pull> pulled = inputs_.next(flight.input);
    if (!pulled) {
      give_up(pulled.error());
      return false;
    }
    if (*pulled == Pull::later) {
      inputs_later_ = true;
      return false;
    }
    if (*pulled == Pull::end) {
      inputs_ended_ = true;
      count_.total = count_.done + count_.skipped + (flights_.size() - free_.size());
      return false;
    }
    if (resumed_.contains(flight.input.seq)) {
      ++count_.skipped;
      continue;
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    flight.tries = 0;
    if (options_.keep_order) flight.ticket = ordered_.ticket();
    if (flight.input.too_long) {
      end_job(index, refused("the input is longer than the pool's max_payload of " +
                             human_size(channel_.max_payload())));
      if (stopping_) return false;
      continue;
    }
    ready_.push_back(index);
    return true;
  }
  return false;
}

// False if no slot is free.
bool MapLoop::submit(std::uint32_t index) {
  Flight& flight = flights_[index];
  const std::string payload = jobs_.payload(flight.input);
  if (payload.size() > channel_.max_payload()) {
    flight.tries = options_.tries;
    end_job(index, refused("its payload of " + human_size(payload.size()) +
                           " is larger than the pool's max_payload of " +
                           human_size(channel_.max_payload())));
    return true;
  }
  const auto handler =
      channel_.handler(jobs_.commands() ? kExecHandler : std::string_view(options_.handler));
  if (!channel_.prepare(handler, payload, index, options_.job.resolve(), &flight.ref)) return false;
  flight.in_channel = true;
  ++flight.tries;
  if (log_ != nullptr || options_.json) flight.submitted = seconds_since_1970();
  return true;
}

void MapLoop::finish(const Completion& completion) {
  const auto index = std::uint32_t(completion.tag);
  Flight& flight = flights_[index];
  flight.in_channel = false;
  if (completion.outcome == Outcome::lost) ++lost_;
  const bool withdrawn = completion.outcome == Outcome::cancelled;
  const bool ended_by_us = killing_ && completion.outcome == Outcome::killed;
  if (withdrawn || ended_by_us || completion.outcome == Outcome::lost) {
    // Neither success nor failure, and not in the log: --resume runs it again.
    leave(index, {});
    return;
  }
  const JobEnd end = judge(completion, jobs_.commands());
  if (!end.ok() && flight.tries < options_.tries && !stopping_) {
    ready_.push_back(index);
    return;
  }
  end_job(index, end);
}

void MapLoop::end_job(std::uint32_t index, const JobEnd& end) {
  const Flight& flight = flights_[index];
  ++count_.done;
  if (!end.ok()) ++count_.failed;
  const double started = flight.submitted + double(end.queue_ns) / 1e9;
  if (log_ != nullptr) {
    const std::string title = jobs_.title(flight.input);
    const std::uint64_t ran_us = end.has_report ? end.report.wall_us : end.run_us;
    log_->add({flight.input.seq, started, double(ran_us) / 1e6,
               end.has_report ? end.report.stdout_total : end.out.size(), end.status, end.signal,
               title});
    if (log_->full()) {
      if (const auto written = log_->flush(); !written) give_up(written.error());
    }
  }
  const std::uint64_t seq = flight.input.seq;
  leave(index, jobs_.text(flight.input, end, started));
  if (halt_.note(end.status) == HaltPolicy::When::never || stopping_) return;
  if (!options_.quiet) {
    writer_.err("jobring map: stopping early after job " + std::to_string(seq) +
                " (--halt), which ended with status " + std::to_string(end.status) + "\n");
  }
  stop(halt_.state() == HaltPolicy::When::now, SIGTERM);
}

// Prints, in its turn, and frees the flight.
void MapLoop::leave(std::uint32_t index, JobText text) {
  const auto print = [this](const JobText& t) {
    writer_.out(t.out);
    writer_.err(t.err);
  };
  if (options_.keep_order) {
    ordered_.put(flights_[index].ticket, std::move(text), print);
  } else {
    print(text);
  }
  free_.push_back(index);
}

void MapLoop::stop(bool kill_running, int signal) {
  stopping_ = true;
  killing_ |= kill_running;
  // What was prepared but not published can be neither withdrawn nor run.
  if (channel_.connected()) channel_.submit();
  for (Flight& flight : flights_) {
    if (!flight.in_channel || channel_.cancel(flight.ref)) continue;
    if (kill_running) channel_.kill(flight.ref, signal);
  }
}

void MapLoop::give_up(const Error& error) {
  if (!fatal_) fatal_ = error;
  if (!stopping_) stop(false, 0);
}

void MapLoop::look_at_signals() {
  while (const auto signal = signals_.next()) {
    if (signals_seen_++ == 0) signal_ = *signal;
    stop(true, signals_seen_ == 1 ? SIGTERM : SIGKILL);
  }
}

void MapLoop::draw_progress() {
  if (!options_.bar && !options_.eta) return;
  const std::uint64_t now = now_ns();
  if (now < next_drawing_ns_) return;
  next_drawing_ns_ = now + kDrawingInterval;
  if (!is_terminal(STDERR_FILENO)) return;
  count_.running = channel_.outstanding();
  writer_.set_footer(progress_.line(count_, now, terminal_width(STDERR_FILENO), options_.bar));
  writer_.flush();
}

void MapLoop::flush() {
  writer_.flush();
  if (log_ == nullptr) return;
  if (const auto written = log_->flush(); !written) give_up(written.error());
}

void MapLoop::sleep() {
  const bool drawing = (options_.bar || options_.eta) && is_terminal(STDERR_FILENO);
  pollfd fds[] = {{channel_.fd(), POLLIN, 0},
                  {signals_.fd(), POLLIN, 0},
                  {inputs_later_ && !stopping_ ? inputs_.fd() : -1, POLLIN, 0}};
  poll(fds, 3, drawing ? int(kDrawingInterval / 1'000'000) : -1);
}

int MapLoop::end() {
  writer_.set_footer("");
  if (options_.bar || options_.eta) writer_.err(progress_.summary(count_, now_ns()) + "\n");
  flush();
  const auto complain = [](const std::string& line) {
    std::fprintf(stderr, "jobring map: %s\n", line.c_str());
  };
  if (writer_.error() != 0) {
    const Error error = system_error("write", "stdout", writer_.error());
    complain(error.line());
    return jobring::exit_status(error.code);
  }
  if (signal_ != 0) return 128 + signal_;
  if (writer_.closed()) return 128 + SIGPIPE;
  if (lost_ > 0) complain("the daemon went away: " + human_count(lost_) + " jobs are lost");
  if (fatal_ && lost_ > 0) return jobring::exit_status(fatal_->code);
  if (fatal_) {
    complain(fatal_->line());
    return jobring::exit_status(fatal_->code);
  }
  return lost_ > 0 ? jobring::exit_status(Errc::no_daemon) : halt_.exit_status();
}

}  // namespace jobring::cli
