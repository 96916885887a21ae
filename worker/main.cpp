// jobring-worker: started by jobringd with its control socket in $JOBRING_WORKER_FD.
#include "worker/lanes.hpp"
#include "worker/main_start.hpp"
#include "worker/supervisor_link.hpp"
#include "worker/worker.hpp"
#include "worker/worker_process.hpp"

int main() {
  const int fd = jobring::take_control_fd("jobring-worker");
  if (fd < 0) return 64;
  jobring::prepare_process();
  jobring::SupervisorLink link{jobring::UniqueFd(fd)};
  jobring::WorkerProcess process;
  jobring::start(process, link);
  if (process.has_lanes()) return jobring::run_lanes(process, link);
  jobring::Worker worker(process, process.settings.index, link);
  process.baseline.record();  // with its handler of time-outs
  return worker.run();
}
