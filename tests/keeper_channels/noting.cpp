// A handler that leaves a line in a file for each time it runs: "FILE\nLINE", or
// "FILE\nLINE\nHOLD", which then waits until HOLD exists or it is to stop.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <string>

#include <jobring/handler.hpp>

JOBRING_HANDLER(note, job) {
  std::string file(job.text());
  const std::size_t line_at = file.find('\n');
  if (!file.starts_with('/') || line_at == file.npos) return job.fail("not for us");
  std::string line = file.substr(line_at + 1);
  file.resize(line_at);
  std::string hold;
  if (const std::size_t hold_at = line.find('\n'); hold_at != line.npos) {
    hold = line.substr(hold_at + 1);
    line.resize(hold_at);
  }
  line += '\n';
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const bool written = write(fd, line.data(), line.size()) == ssize_t(line.size());
  close(fd);
  if (!written) return job.fail("cannot note");
  while (!hold.empty() && access(hold.c_str(), F_OK) != 0 && !job.stop_requested()) usleep(1000);
  job.reply("noted " + line.substr(0, line.size() - 1));
}

// Leaves a child behind that ignores SIGTERM, for a minute, and its pid in the file that the
// payload names; never ends by itself.
JOBRING_HANDLER(fork, job) {
  const std::string file(job.text());
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGTERM, SIG_IGN);
    const std::string line = std::to_string(getpid()) + "\n";
    const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (write(fd, line.data(), line.size()) < 0) _exit(1);
    for (int i = 0; i < 600; ++i) usleep(100'000);
    _exit(0);
  }
  while (!job.stop_requested()) usleep(1000);
}

// What it knows of the job that it runs.
JOBRING_HANDLER(who, job) {
  job.reply(std::to_string(job.durable_id()) + " " + std::to_string(job.attempt()) + " " +
            std::to_string(job.index()));
}
