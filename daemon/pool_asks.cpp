// Requests to a service that come and are answered over the control connections (AskRequest).
//
// Each is kept here until it is answered, so what dies with the service's process is asked again of
// the next one, which knows by its number what the dead one has done. An answer that was given
// counts even if its process is dead when we read it: it is read before the death is seen to.
#include <chrono>
#include <utility>
#include <variant>

#include "common/control.hpp"
#include "daemon/pool.hpp"

namespace jobring {
namespace {

// Between attempts to hand over requests to a service that has not read the last ones.
constexpr std::chrono::milliseconds kAskAgain{1};

}  // namespace

std::uint64_t Pool::ask(const Peer& peer, std::string request, AskDone done) {
  const std::uint64_t id = ++last_session_;
  asks_.emplace(id, Ask{{id, peer.uid, peer.gid, false, std::move(request)}, std::move(done)});
  unsent_asks_.insert(id);
  send_asks();
  return id;
}

void Pool::forget_ask(std::uint64_t id) {
  asks_.erase(id);
  unsent_asks_.erase(id);
}

// Unlike other orders these may wait: how many come is for clients to say.
void Pool::send_asks() {
  ask_timer_.reset();
  const Worker& worker = *workers_.front();
  if (worker.state != WorkerState::running) return;
  while (!unsent_asks_.empty()) {
    const KeeperAsked& order = asks_.at(*unsent_asks_.begin()).order;
    if (!reads_orders(worker) ||
        !send_control(worker.process.control.get(), encode(WorkerOrder(order)))) {
      ask_timer_ = host_.loop.after(kAskAgain, [this] { send_asks(); });
      return;
    }
    unsent_asks_.erase(unsent_asks_.begin());
  }
}

void Pool::handle(Worker&, const KeeperAnswered& answer) {
  const auto found = asks_.find(answer.id);
  if (found == asks_.end()) return;  // its client has gone
  const AskDone done = std::move(found->second.done);
  forget_ask(answer.id);
  done(AskReply{answer.answer});
}

// What a dead process said last.
void Pool::take_last_answers(Worker& worker) {
  for (;;) {
    const auto received = receive_control(worker.process.control.get());
    if (!received || !*received) return;
    const auto report = decode_worker_report((*received)->text);
    if (!report) return;
    if (const auto* answer = std::get_if<KeeperAnswered>(&*report)) handle(worker, *answer);
  }
}

// Its process is dead, and all that it said has been read.
void Pool::ask_again() {
  ask_timer_.reset();
  for (auto& [id, ask] : asks_) {
    if (!unsent_asks_.insert(id).second) continue;
    ask.order.again = true;
  }
}

// No process can be started.
void Pool::refuse_asks(const Error& why) {
  unsent_asks_.clear();
  for (const auto& [id, ask] : std::exchange(asks_, {})) ask.done(why);
}

}  // namespace jobring
