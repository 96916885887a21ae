// Adds to libFuzzer's command line what every run wants: a seed that JOBRING_SEED replays, and the
// target's own corpus.
#include "tests/fuzz/fuzz_support.hpp"

#include <filesystem>
#include <fstream>

#include "tests/support/seed.hpp"

namespace {

std::string seed_directory;  // removed at the end

bool is_input_file(const char* argument) {
  return argument[0] != '-' && std::filesystem::is_regular_file(argument);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  static std::vector<std::string> arguments(*argv, *argv + *argc);
  for (const std::string& argument : arguments) {
    if (is_input_file(argument.c_str()) && &argument != &arguments.front())
      return 0;  // a replay of one input
  }
  const auto seed = std::uint32_t(jobring::test::seed_of_test());
  std::fprintf(stderr, "JOBRING_SEED=%u replays this run\n", seed);
  arguments.insert(arguments.begin() + 1, "-seed=" + std::to_string(seed == 0 ? 1 : seed));

  std::string pattern = (std::filesystem::temp_directory_path() / "jobring-seeds-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) jobring::fuzz::violated("mkdtemp");
  seed_directory = pattern;
  std::atexit([] {
    std::error_code ignored;
    std::filesystem::remove_all(seed_directory, ignored);
  });
  int number = 0;
  for (const std::string& text : jobring::fuzz::seeds()) {
    std::ofstream(seed_directory + "/" + std::to_string(number++), std::ios::binary) << text;
  }
  arguments.push_back(seed_directory);

  static std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  *argc = int(arguments.size());
  *argv = pointers.data();
  return 0;
}
