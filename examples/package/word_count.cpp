// Counts the words of files, each line in a worker process.
// Usage: word_count CONFIG FILE...     (a private daemon is started with that config)
#include <jobring/typed.hpp>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: word_count CONFIG FILE...\n");
    return 64;
  }
  jobring::ConnectOptions options;
  options.daemon = jobring::ConnectOptions::Daemon::own;
  options.config_file = argv[1];
  try {
    jobring::Pool pool = jobring::Client::connect(options).pool();
    long total = 0;
    for (int i = 2; i < argc; ++i) {
      std::ifstream file(argv[i]);
      if (!file) {
        std::fprintf(stderr, "word_count: cannot read %s\n", argv[i]);
        return 66;
      }
      // Lines are read as the workers take them: the file may be larger than memory.
      const auto line = [&file]() -> std::optional<std::string> {
        std::string text;
        return std::getline(file, text) ? std::optional(text) : std::nullopt;
      };
      for (const long words : pool.map_unordered_as<long>("count_words", line)) total += words;
    }
    std::printf("%ld\n", total);
    return 0;
  } catch (const jobring::Exception& e) {
    std::fprintf(stderr, "word_count: %s\n", e.what());
    return e.exit_status();
  }
}
