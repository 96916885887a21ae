// The config parser: any text gives either settings that print and parse again to the same, or
// problems in words.
#include "common/config/config.hpp"
#include "tests/fuzz/fuzz_support.hpp"

using namespace jobring;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const ConfigOutcome outcome = parse_config(text, "");
  for (const ConfigProblem& problem : outcome.problems) {
    if (problem.line().empty()) fuzz::violated("a problem without words");
  }
  if (!outcome.problems.empty()) return 0;
  if (outcome.config.pools.empty()) fuzz::violated("a good config without a pool");
  const std::string printed = print_config(outcome.config);
  const ConfigOutcome again = parse_config(printed, "");
  if (!again.problems.empty()) {
    std::fprintf(stderr, "%s\n%s\n", printed.c_str(), again.problems.front().line().c_str());
    fuzz::violated("what --print-config shows is no good config");
  }
  if (!(again.config == outcome.config))
    fuzz::violated("a config changes when it is printed and read again");
  return 0;
}

std::vector<std::string> fuzz::seeds() {
  return {
      config_example(), "{}",
      R"({"pools": {"a": {"workers": 2, "slots": 16, "max_payload": "64KiB"}}})",
      R"({"users": ["alice", 1000], "kill_grace": "1h30m", "log": {"level": "debug"}} // end)",
      R"({"pools": {"a": {"limits": {"memory": "1GB", "cpu": "10s", "core": "inherit"}, "environment": {"A": "b"}}}})"};
}
