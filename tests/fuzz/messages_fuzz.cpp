// Control messages of both directions, and the bytes of commands and their reports.
//
// The first byte says which decoder; the rest is its input. What decodes must come out the same
// after another round through its codec, and what does not must say why in words that fit into a
// reply.
#include "common/control.hpp"
#include "common/exec_codec.hpp"
#include "common/messages.hpp"
#include "tests/fuzz/fuzz_support.hpp"

using namespace jobring;

namespace {

constexpr std::size_t kErrorMax = 4096;  // bytes: a reply, and a line in the log

template <class Decode>
void round_trip(std::string_view text, Decode decode) {
  const auto first = decode(text);
  if (!first) {
    if (first.error().what.size() > kErrorMax)
      fuzz::violated("an error message is as long as a hostile client likes");
    (void)encode(ClientReply(to_reply(first.error())));
    return;
  }
  const std::string once = encode(*first);
  const auto second = decode(once);
  if (!second) fuzz::violated("what we encode does not decode");
  if (encode(*second) != once) fuzz::violated("a message changes when it is sent on");
}

void command_round_trip(std::span<const unsigned char> bytes) {
  const auto command = decode_command(bytes);
  if (!command) return;
  const std::string once = encode(*command);
  if (once.size() != bytes.size() || std::memcmp(once.data(), bytes.data(), once.size()) != 0)
    fuzz::violated("a command changes when it is sent on");
}

void report_round_trip(std::span<const unsigned char> bytes) {
  const auto result = decode_command_result(bytes);
  if (!result) return;
  if (result->out.size() + result->err.size() > bytes.size())
    fuzz::violated("a report has more output than bytes");
  const std::string head = encode_head(result->report, result->out.size(), result->err.size());
  if (head.size() > kCommandReportHead) fuzz::violated("the head of a report is too long");
  (void)result->report.shell_status();
}

std::string sample_command() {
  Command command;
  command.argv = {"printf", "%s", "word"};
  command.env = {"A=1", "B="};
  command.cwd = "/";
  command.stdin_text = "in";
  command.umask = 022;
  return encode(command);
}

std::string sample_report() {
  CommandReport report;
  report.exit_code = 3;
  report.start_step = "exec x";
  return encode_head(report, 3, 2) + "outer";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const unsigned char> bytes(data + 1, size - 1);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  switch (data[0] % 6) {
    case 0:
      round_trip(text, decode_client_request);
      break;
    case 1:
      round_trip(text, decode_client_reply);
      break;
    case 2:
      round_trip(text, decode_worker_report);
      break;
    case 3:
      round_trip(text, decode_worker_order);
      break;
    case 4:
      command_round_trip(bytes);
      break;
    case 5:
      report_round_trip(bytes);
      break;
  }
  return 0;
}

std::vector<std::string> fuzz::seeds() {
  std::vector<std::string> all;
  const auto add = [&](char decoder, const std::string& bytes) {
    all.push_back(std::string(1, decoder) + bytes);
  };
  add(0, encode(ClientRequest(OpenRequest{kControlVersion, "default", 8, true, "me"})));
  add(0, encode(ClientRequest(CloseRequest{"default", 1})));
  add(0, encode(ClientRequest(KillRequest{"default", 1, 2, 3, 15})));
  add(0, encode(ClientRequest(PingRequest{})));
  add(0, encode(ClientRequest(StatusRequest{})));
  add(0, std::string(300, '[') + std::string(300, ']'));
  add(1, encode(ClientReply(OpenReply{1, 1, 8, 64, 64, 0, 0, 2})));
  add(1, encode(ClientReply(PongReply{"1", 2, 3})));
  add(1, encode(ClientReply(ErrorReply{"full", "what", "where", "hint"})));
  add(2, encode(WorkerReport(WorkerHello{kControlVersion, {"echo", "exec"}})));
  add(2, encode(WorkerReport(ChannelBroken{1, "why"})));
  add(2, encode(WorkerReport(MapRequest{1})));
  add(3, encode(WorkerOrder(Welcome{0, 2, 0, 32, 0, 0, 5000, true, {"a.so"}})));
  add(3, encode(WorkerOrder(ChannelMapped{1, 8, 64, 64, 1000, 1000})));
  add(3, encode(WorkerOrder(StopJob{1, 2, 3, 15})));
  add(4, sample_command());
  add(5, sample_report());
  return all;
}
