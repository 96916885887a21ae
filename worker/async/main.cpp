// jobring-async-worker: started by jobringd for pools of the model "async", with its control socket
// in $JOBRING_WORKER_FD.
#include <utility>  // before Asio

#include <csignal>

#include "worker/async/async_modules.hpp"
#include "worker/async/async_worker.hpp"
#include "worker/async/deadlines.hpp"
#include "worker/main_start.hpp"
#include "worker/supervisor_link.hpp"
#include "worker/worker_process.hpp"

int main() {
  const int fd = jobring::take_control_fd("jobring-async-worker");
  if (fd < 0) return 64;
  jobring::prepare_process();
  // A command that does not read, a server that hangs up: errors of one job.
  std::signal(SIGPIPE, SIG_IGN);
  jobring::SupervisorLink link{jobring::UniqueFd(fd)};
  jobring::Deadlines deadlines;
  jobring::WorkerProcess process;
  jobring::start(process, link, {jobring::AsyncBuiltins::handlers(), &jobring::load_async_module});
  jobring::AsyncWorker worker(process, link, deadlines);
  process.baseline.record();
  return worker.run();
}
