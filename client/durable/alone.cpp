#include "client/durable/alone.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <optional>

#include "client/client_core.hpp"
#include "client/durable/core.hpp"
#include "client/durable/info.hpp"
#include "client/durable/spec.hpp"
#include "common/ask_message.hpp"
#include "common/control.hpp"

namespace jobring::detail {
namespace {

// What the keeper has said to a request on its own socket. nullopt: nothing; `sent`: but it may
// have done it.
std::optional<std::string> ask_keeper(const ConnectOptions& where, std::string_view request,
                                      bool& sent) {
  // A fast disk takes less than falling asleep and waking up adds to it.
  constexpr std::uint64_t kLook = 1'000'000;  // nanoseconds
  if (request.size() > kAskMost) return std::nullopt;
  for (const std::string& path : sockets_of(where)) {
    if (access(path.c_str(), F_OK) != 0) continue;
    const auto socket = connect_to(ask_socket_of(path));
    if (!socket || !send_control(socket->get(), encode_ask(request))) return std::nullopt;
    sent = true;
    const auto answer = await_control(socket->get(), -1, kLook);
    const auto bytes = answer ? decode_ask(answer->text) : std::nullopt;
    return bytes ? std::optional<std::string>(*bytes) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

SubmitAnswer submit_alone(const ConnectOptions& where, const DurableJob& job,
                          const std::function<Client()>& connect) {
  keeper::Request request;
  request.op = keeper::Op::submit;
  request.jobs = specs_of({&job, 1});
  while (request.number == 0)
    if (getrandom(&request.number, sizeof request.number, 0) < 0)
      throw_error(system_error("getrandom"));
  const auto only = [](const std::vector<SubmitAnswer>& answers) {
    if (answers.size() != 1) bad_answer();
    return answers.front();
  };
  constexpr std::uint32_t kRequests = 16;  // of a channel, if it takes one
  bool sent = false;
  if (const auto answer = ask_keeper(where, encode(request), sent))
    return only(answers_of(reply_in(*answer)));
  if (sent) request.flags |= keeper::kAskedBefore;
  std::optional<Client> client;
  try {
    client.emplace(connect());
  } catch (const Exception& e) {
    if (!sent || e.exit_status() != exit_status(Errc::no_daemon)) throw;
    throw_error({Errc::no_daemon, "the daemon went away, and may have kept the job", {}, {}});
  }
  const KeeperAnswer answer = DurableCore::of(*client, kRequests)->ask(request);
  return only(answers_of(answer.reply));
}

}  // namespace jobring::detail
