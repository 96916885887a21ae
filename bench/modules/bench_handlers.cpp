// Handlers for bench/.
#include <jobring/handler.hpp>

#include "bench/work.hpp"

// Reads the whole payload and writes a result of the same size, both in place.
JOBRING_HANDLER(work, job) {
  const auto payload = job.payload();
  const auto room = job.reserve(payload.size());
  bench::fill(reinterpret_cast<unsigned char*>(room.data()), room.size(),
              bench::sum(reinterpret_cast<const unsigned char*>(payload.data()), payload.size()));
  job.commit(room.size());
}
