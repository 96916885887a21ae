// A handler that leaves a trace of each of its runs: payload "<directory> <name> <milliseconds>
// <fails>". The file <directory>/<name> gets a "b" when it begins and an "e" when it ends, and is
// locked in between; whoever finds it locked says so in <directory>/twice. The first <fails>
// attempts (none, if it is not there) fail at their end.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <sstream>
#include <string>

#include <jobring/handler.hpp>

JOBRING_THREAD_SAFE_HANDLER(durable_note, job) {
  std::istringstream in{std::string(job.text())};
  std::string directory, name;
  unsigned ms = 0, fails = 0;
  in >> directory >> name >> ms >> fails;
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  const int fd = open((directory + "/" + name).c_str(), flags, 0600);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int twice = open((directory + "/twice").c_str(), flags, 0600);
    const std::string line = name + "\n";
    if (write(twice, line.data(), line.size()) < 0) job.fail("cannot note");
    close(twice);
  }
  bool written = write(fd, "b", 1) == 1;
  usleep(ms * 1000);
  written &= write(fd, "e", 1) == 1;
  close(fd);
  if (!written) return job.fail("cannot note");
  if (job.attempt() <= fails) return job.fail("as it was told");
  job.reply(name);
}
