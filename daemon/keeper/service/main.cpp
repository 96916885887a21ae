// jobring-keeper: started by jobringd with its control socket in $JOBRING_WORKER_FD.
#include "daemon/keeper/service/seams.hpp"

int main() {
  return jobring::keeper::serve({});
}
