// Maps the handler "square" (examples/modules/square.cpp) over 0..9 and prints the results as a
// list. Usage: square_map CONFIG   (a config whose default pool loads the module; a private daemon
// is started with it)
#include <jobring/jobring.hpp>

#include <cstdio>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  jobring::ConnectOptions options;
  if (argc > 1) {
    options.daemon = jobring::ConnectOptions::Daemon::own;
    options.config_file = argv[1];
  }
  try {
    jobring::Client client = jobring::Client::connect(options);
    std::vector<std::string> numbers;
    for (int i = 0; i < 10; ++i) numbers.push_back(std::to_string(i));
    std::string line;
    for (const std::string& square : client.pool().map("square", numbers))
      line += (line.empty() ? "" : ", ") + square;
    std::printf("[%s]\n", line.c_str());
    return 0;
  } catch (const jobring::Exception& e) {
    std::fprintf(stderr, "square_map: %s\n", e.what());
    return e.exit_status();
  }
}
