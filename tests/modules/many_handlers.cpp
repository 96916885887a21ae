// More handlers than a channel's table has room for: "h0", "h1", ... each replies its own name.
#include <array>
#include <deque>
#include <string>
#include <utility>

#include <jobring/handler.hpp>

namespace {

template <std::size_t N>
void reply_name(jobring::Job& job) {
  job.reply("h" + std::to_string(N));
}

template <std::size_t... N>
std::array<jobring::detail::HandlerFunction, sizeof...(N)> handlers(std::index_sequence<N...>) {
  return {&reply_name<N>...};
}

struct All {
  All() {
    for (const auto function : handlers(std::make_index_sequence<200>())) {
      names.push_back("h" + std::to_string(names.size()));
      registered.emplace_back(names.back().c_str(), function, 0u);
    }
  }
  std::deque<std::string> names;
  std::deque<jobring::detail::Registration> registered;
} all;

}  // namespace
