#include "tests/keeper/directory.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

namespace jobring::test {

Directory::Directory() {
  // In memory where there is such a place: what a disk may do to us is in disk_test.cpp.
  const std::filesystem::path shm = "/dev/shm";
  const auto base = access(shm.c_str(), W_OK) == 0 ? shm : std::filesystem::temp_directory_path();
  std::string name = (base / "jobring-store-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  path_ = name;
}

Directory::~Directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace jobring::test
