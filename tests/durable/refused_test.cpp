// Stores that cannot be opened: one line says why, to whoever asks, the daemon's other work goes
// on, and all is found again when the file is as it was.
#include <sys/stat.h>

#include "tests/durable/house.hpp"
#include "tests/durable/small_disk.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

// What the daemon says instead of an answer, as soon as that has the word in it.
std::string refusal(const DurableHouse& house, const std::string& word) {
  std::string line;
  const bool said = eventually([&] {
    try {
      Client client = house.daemon->connect();
      DurableJobs(client).counts();
      line.clear();
    } catch (const Exception& e) {
      line = e.what();
    }
    return line.find(word) != line.npos;
  });
  CHECK_MESSAGE(said, "instead of \"", word, "\" it says: ", line);
  return line;
}

// Attached jobs know nothing of all this.
void other_work_goes_on(const DurableHouse& house) {
  Client client = house.daemon->connect();
  CHECK(client.pool("default").submit("echo", "attached").get() == "attached");
}

}  // namespace

TEST_CASE("a file that is no store is refused with one line") {
  DurableHouse house;
  house.kill_daemon();
  write_file(house.state / "jobs.db", std::string(5'000, 'x'));
  house.start();
  const std::string line = refusal(house, "jobs.db");
  CHECK(line.find('\n') == line.npos);
  other_work_goes_on(house);
  // Nobody waits for a keeper that cannot start until drain_timeout is over.
  house.stop_daemon();
}

TEST_CASE("a state directory that is read-only is refused with one line that names it") {
  DurableHouse house;
  house.kill_daemon();
  SmallDisk disk(house.state.path(), "8m");
  if (!disk.mounted()) {
    MESSAGE("cannot mount a small file system here: only root can");
    return;
  }
  chmod(house.state.path().c_str(), 0700);
  house.start();
  JobId id = 0;
  {
    Client client = house.daemon->connect();
    id = DurableJobs(client).submit("echo", "kept", {.held = true}).id();
  }
  house.kill_daemon();
  const char* path = house.state.path().c_str();
  // As soon as nobody of the dead daemon has a file open any more.
  REQUIRE(eventually(
      [&] { return mount(nullptr, path, nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0; }));
  house.start();
  const std::string line = refusal(house, "Read-only");
  CHECK_MESSAGE(line.find(path) != line.npos, line);
  CHECK(line.find('\n') == line.npos);
  other_work_goes_on(house);
  house.kill_daemon();
  REQUIRE(mount(nullptr, path, nullptr, MS_REMOUNT, nullptr) == 0);
  house.start();
  Client client = house.daemon->connect();
  CHECK(DurableJobs(client).show(id)->state == JobState::held);
}
