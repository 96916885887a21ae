#include "client/cli/halt.hpp"

#include <algorithm>
#include <charconv>

namespace jobring::cli {
namespace {

Error bad(std::string_view text) {
  return {Errc::usage, "\"" + std::string(text) + "\" is no way to halt", "--halt",
          "give never, or now or soon, then fail=, success= or done= with a count or a percentage: "
          "now,fail=1"};
}

bool parse_number(std::string_view text, HaltPolicy& policy) {
  policy.percent = text.ends_with('%');
  if (policy.percent) text.remove_suffix(1);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  policy.number = double(number);
  return number > 0 && (!policy.percent || number <= 100);
}

}  // namespace

Result<HaltPolicy> parse_halt(std::string_view text) {
  using When = HaltPolicy::When;
  using Why = HaltPolicy::Why;
  if (text == "never" || text == "0") return HaltPolicy{};
  if (text == "1") return HaltPolicy{When::soon, Why::fail, 1, false};
  if (text == "2") return HaltPolicy{When::now, Why::fail, 1, false};
  const std::size_t comma = text.find(',');
  const std::size_t equals = text.find('=');
  if (comma == std::string_view::npos || equals == std::string_view::npos || equals < comma)
    return bad(text);
  const std::string_view when = text.substr(0, comma);
  const std::string_view why = text.substr(comma + 1, equals - comma - 1);
  HaltPolicy policy;
  if (when == "now") {
    policy.when = When::now;
  } else if (when == "soon") {
    policy.when = When::soon;
  } else {
    return bad(text);
  }
  if (why == "fail") {
    policy.why = Why::fail;
  } else if (why == "success") {
    policy.why = Why::success;
  } else if (why == "done") {
    policy.why = Why::done;
  } else {
    return bad(text);
  }
  if (!parse_number(text.substr(equals + 1), policy)) return bad(text);
  return policy;
}

HaltPolicy::When HaltWatch::note(int status) {
  (status == 0 ? succeeded_ : failed_)++;
  if (policy_.when == HaltPolicy::When::never || state_ != HaltPolicy::When::never) return state_;
  const std::uint64_t done = succeeded_ + failed_;
  const std::uint64_t count = policy_.why == HaltPolicy::Why::fail      ? failed_
                              : policy_.why == HaltPolicy::Why::success ? succeeded_
                                                                        : done;
  const bool reached = policy_.percent
                           ? count >= 3 && double(count) * 100 >= policy_.number * double(done)
                           : double(count) >= policy_.number;
  if (reached) {
    state_ = policy_.when;
    trigger_status_ = status;
  }
  return state_;
}

int HaltWatch::exit_status() const {
  if (state_ != HaltPolicy::When::never) {
    if (policy_.why == HaltPolicy::Why::success) return 0;
    if (policy_.why == HaltPolicy::Why::fail && policy_.number == 1 && !policy_.percent)
      return trigger_status_;
  }
  return int(std::min<std::uint64_t>(failed_, 101));
}

}  // namespace jobring::cli
