#include "daemon/oom_watch.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

using namespace jobring;

TEST_CASE("the out-of-memory watch sees each kill once, in whichever file counts it") {
  std::string directory = "/tmp/jobring-oom-test-XXXXXX";
  REQUIRE(mkdtemp(directory.data()) != nullptr);
  const std::string machine = directory + "/vmstat", group = directory + "/memory.events";
  const auto write = [](const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
  };
  write(machine, "nr_free_pages 12\noom_kill 7\nthp_split 0\n");
  OomWatch watch({machine, group, directory + "/missing"});
  CHECK_FALSE(watch.struck());
  write(machine, "nr_free_pages 99\noom_kill 8\n");
  CHECK(watch.struck());
  CHECK_FALSE(watch.struck());
  write(group, "low 0\noom 3\noom_kill 1\noom_group_kill 0\n");
  CHECK(watch.struck());
  CHECK_FALSE(watch.struck());
  // A group that goes away takes its count along.
  unlink(group.c_str());
  CHECK_FALSE(watch.struck());
  unlink(machine.c_str());
  CHECK_FALSE(watch.struck());
  rmdir(directory.c_str());
}
