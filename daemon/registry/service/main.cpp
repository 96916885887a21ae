// jobring-registry: started by jobringd with its control socket in $JOBRING_WORKER_FD.
#include "common/registry_pool.hpp"
#include "daemon/registry/service/service.hpp"
#include "worker/main_start.hpp"
#include "worker/supervisor_link.hpp"

int main() {
  const int fd = jobring::take_control_fd("jobring-registry");
  if (fd < 0) return 64;
  jobring::prepare_process();
  jobring::SupervisorLink link{jobring::UniqueFd(fd)};
  jobring::WorkerProcess process;
  jobring::introduce(process, link, sizeof(jobring::RegistryPage));
  jobring::registry::Service service(process, link);
  service.run();
}
