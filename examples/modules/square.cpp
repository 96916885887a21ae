// Three handlers in one module. Build it:  c++ -std=c++20 -shared -fPIC -o square.so square.cpp
// Name it in a pool's "modules", then:     jobring call square 12
#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>

#include <jobring/handler.hpp>

namespace {

long long number(std::string_view text) {
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument("\"" + std::string(text) +
                                "\" is not a whole number within 64 bits");
  }
  return value;
}

[[noreturn]] void overflow() {
  throw std::overflow_error("the result does not fit in 64 bits");
}

}  // namespace

// What is thrown fails the job, with this message for its client.
JOBRING_HANDLER(square, job) {
  const long long n = number(job.text());
  long long product = 0;
  if (__builtin_mul_overflow(n, n, &product)) overflow();
  job.reply(std::to_string(product));
}

// The sum of whole numbers, one a line.
JOBRING_HANDLER(sum, job) {
  long long total = 0;
  for (std::string_view rest = job.text(); !rest.empty();) {
    // A long handler looks now and then whether anybody still wants its result.
    if (job.stop_requested()) return job.fail("stopped");
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    if (!line.empty() && __builtin_add_overflow(total, number(line), &total)) overflow();
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  }
  job.reply(std::to_string(total));
}

// The bytes of the payload, last first. The result is written where the client reads it: nothing is
// copied twice.
JOBRING_HANDLER(reverse, job) {
  const auto from = job.payload();
  const auto to = job.reserve(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[from.size() - 1 - i];
  job.commit(to.size());
}
