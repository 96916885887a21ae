// Handlers that throw, report and compute.
#include <fcntl.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <vector>

#include <jobring/json.hpp>
#include <jobring/typed_handler.hpp>

#include "tests/futures/point.hpp"

namespace app {
struct BadInput : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};
}  // namespace app

JOBRING_HANDLER(throw_app, job) {
  throw app::BadInput("not a number: " + std::string(job.text()));
}
JOBRING_HANDLER(throw_nested, job) {
  try {
    try {
      throw 7;
    } catch (...) {
      std::throw_with_nested(std::out_of_range("no such row"));
    }
  } catch (...) {
    std::throw_with_nested(app::BadInput("bad table"));
  }
}
// More of a message than any result has room for.
JOBRING_HANDLER(throw_long, job) {
  throw app::BadInput(std::string(job.max_result() + 1000, 'm'));
}
JOBRING_HANDLER(throw_after_reply, job) {
  job.reply("half of it");
  throw app::BadInput("the other half");
}

// Reports, waits at the FIFO that the payload names, reports again, waits at the one whose name has
// a 2 behind it. (One FIFO's writer could still be there when it is opened again.)
JOBRING_HANDLER(report, job) {
  const std::string fifo(job.text());
  job.progress(1, 3, "first half");
  close(open(fifo.c_str(), O_RDONLY));
  job.progress(2, 0, std::string(79, 'x') + "\u00e4 does not fit");
  close(open((fifo + "2").c_str(), O_RDONLY));
}
// Reports as fast as it can, always the same number three times, until it is asked to stop.
JOBRING_HANDLER(report_fast, job) {
  for (std::uint64_t i = 1; !job.stop_requested(); ++i)
    job.progress(i, i, std::to_string(i) + std::string(i % 40, '.'));
}

JOBRING_TYPED_HANDLER(long, square_number, long n) {
  return n * n;
}
JOBRING_TYPED_HANDLER(int, add, int a, int b) {
  return a + b;
}
JOBRING_TYPED_HANDLER(std::string, repeat, std::string_view words, unsigned times) {
  std::string all;
  while (times-- > 0) all += words;
  return all;
}
JOBRING_TYPED_HANDLER(double, mean, const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / double(values.size());
}
JOBRING_TYPED_HANDLER(void, nothing, jobring::Job& job) {
  job.progress(1);
}
JOBRING_TYPED_HANDLER(Point, mirror, Point p) {
  return {-p.x, -p.y};
}
JOBRING_TYPED_HANDLER(nlohmann::json, keys, const nlohmann::json& object) {
  nlohmann::json names = nlohmann::json::array();
  for (const auto& [name, value] : object.items()) names.push_back(name);
  return names;
}
