// The event loop of `jobring map`: one thread that reads inputs, submits, reaps, prints.
//
// Memory is bounded: at most so many jobs are in flight as the channel has slots, inputs are read
// only when there is room for one more, and with --keep-order no job is started while too much
// finished output waits for its turn.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include <jobring/channel.hpp>

#include "client/cli/halt.hpp"
#include "client/cli/joblog.hpp"
#include "client/cli/map_inputs.hpp"
#include "client/cli/map_job.hpp"
#include "client/cli/ordered_output.hpp"
#include "client/cli/output_writer.hpp"
#include "client/cli/progress.hpp"
#include "client/cli/signals.hpp"

namespace jobring::cli {

class MapLoop {
 public:
  // `done`: inputs that --resume leaves out. `log` may be null.
  MapLoop(const MapOptions& options, MapJobs& jobs, Channel& channel, MapInputs inputs, JobLog* log,
          SeqSet done);

  // Returns the exit status of the verb.
  int run();

 private:
  // A job from the reading of its input to its end.
  struct Flight {
    MapInput input;
    std::uint64_t ticket = 0;
    std::uint64_t tries = 0;
    double submitted = 0;  // seconds since 1970
    JobRef ref = {};
    bool in_channel = false;
  };

  void fill();
  bool take_input();
  bool submit(std::uint32_t index);
  void finish(const Completion& completion);
  void end_job(std::uint32_t index, const JobEnd& end);
  void leave(std::uint32_t index, JobText text);
  void stop(bool kill_running, int signal);
  void give_up(const Error& error);
  void look_at_signals();
  void draw_progress();
  void flush();
  void sleep();
  bool over() const;
  int end();

  const MapOptions& options_;
  MapJobs& jobs_;
  Channel& channel_;
  MapInputs inputs_;
  JobLog* log_;
  SeqSet resumed_;

  std::vector<Flight> flights_;
  std::vector<std::uint32_t> free_;
  std::deque<std::uint32_t>
      ready_;  // have an input, wait for a slot: no slot was free, or to be tried again
  bool inputs_ended_ = false;
  bool inputs_later_ = false;  // wait for inputs_.fd()

  StopSignals signals_;
  OutputWriter writer_;
  OrderedOutput ordered_;
  HaltWatch halt_;
  Progress progress_;
  ProgressCount count_;
  std::uint64_t next_drawing_ns_ = 0;

  bool stopping_ = false;  // no new jobs
  bool killing_ = false;   // the running ones are being ended
  int signal_ = 0;         // that asked us to stop
  int signals_seen_ = 0;
  std::uint64_t lost_ = 0;
  std::optional<Error> fatal_;
};

}  // namespace jobring::cli
