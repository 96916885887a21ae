// A daemon for a measurement, on a socket of its own; ends with the object.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include <jobring/jobring.hpp>

#include "bench/measure.hpp"

namespace bench {

class Daemon {
 public:
  // `pool` is the text of the default pool's members: "\"workers\": 2". `state`: where its durable
  // jobs are, if not in its own directory, which goes with it.
  Daemon(const Settings& settings, const std::string& pool, const std::string& state = "");
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  jobring::Client connect() const;
  const std::string& socket() const { return socket_; }
  pid_t pid() const { return pid_; }
  std::vector<pid_t> workers() const;

 private:
  std::string directory_, socket_;
  pid_t pid_ = -1;
};

// Echoes of 64 bytes a second through one channel, `depth` in flight, published in batches of 32.
double echo_rate(jobring::Channel& channel, double duration, std::size_t depth);

}  // namespace bench
