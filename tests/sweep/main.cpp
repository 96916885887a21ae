#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <sys/personality.h>
#include <unistd.h>

#include <cstdlib>

// The same addresses in every process that is made here, so that a kill point has one name.
int main(int argc, char** argv) {
  // And no symbols looked up on the way: which of them were, would change from one round to the
  // next.
  setenv("LD_BIND_NOW", "1", 1);
  const int now = personality(0xffffffff);
  if ((now & ADDR_NO_RANDOMIZE) == 0 && personality(unsigned(now) | ADDR_NO_RANDOMIZE) >= 0)
    execv("/proc/self/exe", argv);
  return doctest::Context(argc, argv).run();
}
