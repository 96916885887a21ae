// Starting one worker process, and its handles.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/config/config.hpp"
#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace jobring {

struct LaunchedWorker {
  pid_t pid = 0;
  UniqueFd pidfd;    // readable when it is dead
  UniqueFd control;  // our end of its control socket, non-blocking
  UniqueFd output;   // reads what it writes to stdout and stderr, non-blocking
};

// The descriptor on which a worker finds its control socket; also told by $JOBRING_WORKER_FD.
inline constexpr int kWorkerControlFd = 3;

// Forks and execs `command` with the pool's environment, limits and niceness. The process dies with
// us. Fails if no process can be made; a command that cannot be executed shows as a death with
// status 127.
Result<LaunchedWorker> launch_worker(const PoolConfig& pool,
                                     const std::vector<std::string>& command);

// The worker program of a model beside the running jobringd, or where it is installed.
Result<std::string> find_worker_program(WorkerModel model);
// The same of jobring-registry.
Result<std::string> find_registry_program();
// And of jobring-keeper.
Result<std::string> find_keeper_program();

// The last bytes of a worker's output: evidence for a crash. Also cuts it into lines for the log.
class OutputTail {
 public:
  static constexpr std::size_t kKept = 4096;  // bytes

  // Takes what came; calls `line(text)` for every whole line.
  template <class Line>
  void add(const char* data, std::size_t size, Line line) {
    tail_.append(data, size);
    partial_.append(data, size);
    std::size_t start = 0;
    for (std::size_t end; (end = partial_.find('\n', start)) != std::string::npos;
         start = end + 1) {
      line(partial_.substr(start, end - start));
    }
    partial_.erase(0, start);
    if (partial_.size() > kKept) {
      line(partial_);
      partial_.clear();
    }
    if (tail_.size() > kKept) tail_.erase(0, tail_.size() - kKept);
  }
  const std::string& text() const { return tail_; }
  std::string last_line() const {
    std::string text = tail_.substr(0, tail_.find_last_not_of('\n') + 1);
    return text.substr(text.rfind('\n') + 1);
  }
  void clear() {
    tail_.clear();
    partial_.clear();
  }

 private:
  std::string tail_;
  std::string partial_;
};

}  // namespace jobring
