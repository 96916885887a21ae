// jobring call: one handler, one payload, its result.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include <jobring/jobring.hpp>

#include "client/cli/attend.hpp"
#include "client/cli/connection.hpp"
#include "client/cli/job_options.hpp"
#include "client/cli/json.hpp"
#include "client/cli/outcome.hpp"
#include "client/cli/terminal.hpp"
#include "client/cli/verbs.hpp"
#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "call",
    .usage = "[OPTIONS] HANDLER [PAYLOAD]",
    .summary =
        "Runs one handler and prints its result as it is. Without PAYLOAD, or with \"-\", the "
        "payload is stdin.\n"
        "Exits with 0, 1 failed, 124 timed out, 128+signal its worker crashed.",
    .examples =
        "  jobring call square 7\n"
        "  jobring call resize --file photo.jpg > small.jpg\n"
        "  echo '{\"a\": 1}' | jobring call validate --timeout 5s\n"};

[[noreturn]] void fail(const Error& error) {
  throw Exception(exit_status(error.code), to_string(error.code), error.line());
}

// At most `most` bytes: a larger input is refused before it fills our memory.
std::string read_payload(int fd, const std::string& name, std::size_t most) {
  std::string payload;
  char block[1 << 16];
  while (true) {
    const ssize_t got = read(fd, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(system_error("read", name));
    if (got == 0) return payload;
    payload.append(block, std::size_t(got));
    if (payload.size() > most) {
      fail({Errc::bad_input,
            "the payload is larger than the pool's max_payload of " + std::to_string(most) +
                " bytes",
            name, ""});
    }
  }
}

struct CallOptions {
  AnyDaemon daemon;
  JobFlags job;
  std::string pool = "default";
  std::string file;
  bool json = false;
  bool progress = false;
};

void print_result(std::string_view result) {
  std::fwrite(result.data(), 1, result.size(), stdout);
  // A prompt belongs on its own line; a pipe gets the bytes and nothing else.
  if (is_terminal(STDOUT_FILENO) && !result.ends_with('\n')) std::fputc('\n', stdout);
}

int call(const CallOptions& options, const std::vector<std::string>& words) {
  Client client = Client::connect(options.daemon.resolve());
  Channel channel = client.channel(options.pool, {.slots = 1});
  std::string payload;
  if (!options.file.empty()) {
    const UniqueFd fd(open(options.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) fail(system_error("open", options.file));
    payload = read_payload(fd.get(), options.file, channel.max_payload());
  } else if (words.size() == 2 && words[1] != "-") {
    payload = words[1];
  } else if (words.size() == 2 || !is_terminal(STDIN_FILENO)) {
    payload = read_payload(STDIN_FILENO, "stdin", channel.max_payload());
  }
  JobRef job = {};
  if (!channel.prepare(channel.handler(words[0]), payload, 0, options.job.resolve(), &job)) {
    fail({Errc::full, "the channel has no free slot", "", ""});
  }
  const Attended attended = attend(channel, job, options.progress);
  const JobEnd end = judge(attended.completion, false);
  if (options.json) {
    std::printf("%s\n", job_json(end, nullptr).c_str());
  } else if (end.ok()) {
    print_result(end.out);
  } else if (attended.signal == 0) {
    std::fprintf(stderr, "jobring call: %s: %s\n", words[0].c_str(), end.problem.c_str());
  }
  return attended.signal != 0 ? 128 + attended.signal : end.status;
}

}  // namespace

int call_verb(Arguments arguments) {
  CallOptions call_options;
  Options options(kHelp);
  options.text("--pool", call_options.pool, "NAME", "pool to run in; default: \"default\"");
  options.text("--file", call_options.file, "FILE", "the payload is this file's content");
  call_options.job.add_to(options);
  call_options.job.add_retries_to(options);
  options.flag("--json", call_options.json, "print a JSON object with outcome, times and result");
  options.flag("--progress", call_options.progress, "show on stderr how far the job says it is");
  call_options.daemon.add_to(options);
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (words.empty()) return options.usage_error("no handler is named");
  if (words.size() > 2)
    return options.usage_error("more than one payload: quote it, or use --file");
  if (words.size() == 2 && !call_options.file.empty()) {
    return options.usage_error("a payload and --file exclude each other");
  }
  return call(call_options, words);
}

}  // namespace jobring::cli
