// Starts jobring-worker (the second argument) once the gate (a file, the first argument) is open:
// the test closes it with an exclusive flock, to keep a dead worker's successor out of the way.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 3) return 64;
  const int gate = open(argv[1], O_RDONLY | O_CLOEXEC);
  if (gate < 0 || flock(gate, LOCK_SH) != 0) return 78;
  execv(argv[2], argv + 2);
  return 127;
}
