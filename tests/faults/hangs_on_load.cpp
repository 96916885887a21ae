// A library that crashes in a thread while the loader is at work on it: whoever asks the loader
// anything then waits for ever.
#include <thread>

namespace {

struct Crash {
  Crash() {
    std::thread([] { *static_cast<volatile int*>(nullptr) = 1; }).join();
  }
} crash;

}  // namespace
