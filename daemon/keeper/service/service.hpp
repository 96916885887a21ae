// The keeper's process: takes requests from the channels of its clients as a worker takes jobs, has
// the Keeper do them, and completes them when it answers.
//
// The data's way: Claimer::look() → take(): requests are copied and go to Keeper::ask(), up to 32
// of one channel and about 2,000 jobs; then Keeper::turn(); what it answers is DONE at once, and
// clients are woken once a turn.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/spin_policy.hpp"
#include "common/unique_fd.hpp"
#include "daemon/keeper/service/ask_socket.hpp"
#include "daemon/keeper/service/channels.hpp"
#include "daemon/keeper/service/keeper.hpp"
#include "daemon/keeper/service/seams.hpp"
#include "worker/channel_table.hpp"
#include "worker/claimer.hpp"
#include "worker/order_link.hpp"
#include "worker/served_requests.hpp"
#include "worker/worker_process.hpp"

namespace jobring::keeper {

class Service final : public Answers {
 public:
  // Opens the store, takes over the kept channels, and reports that it is ready. Leaves the process
  // if that fails.
  Service(WorkerProcess& process, OrderLink& link, const Seams& seams);
  // Until the supervisor ends it.
  [[noreturn]] void run();

 private:
  void answer(std::uint64_t token, std::string_view bytes) override;
  bool gather();
  void take(WorkerChannel& channel, const Claim& claim);
  void take(const AskSocket::Asked& asked);
  void look_at_asks();
  char* room(std::size_t size);

  bool work();
  void sleep();
  void follow_orders();
  void follow(Order& order);
  [[noreturn]] void leave();
  Now now();

  OrderLink& link_;
  UniqueFd epoll_, signals_;
  UniqueFd lives_;  // held: no other daemon takes our store while we have it open
  ChannelTable channels_;
  Claimer claimer_;
  ServedRequests requests_;
  WorkerEntry& mine_;
  std::unique_ptr<Channels> pools_;
  std::unique_ptr<Pools> seen_pools_;  // by the keeper, if a test stands in between
  std::unique_ptr<Answers> seen_answers_;
  std::unique_ptr<AskSocket> asks_;
  std::unique_ptr<Keeper> keeper_;

  // Copies of the requests of a turn.
  std::vector<std::unique_ptr<char[]>> chunks_, large_;
  std::size_t chunk_ = 0, chunk_used_ = 0;
  SpinPolicy spin_;
  std::uint64_t now_ = 0;  // CLOCK_MONOTONIC, nanoseconds, when we last looked
  std::uint64_t orders_followed_ns_ = 0;
  std::uint32_t gathered_ = 0;  // requests since the last turn
  std::size_t gathered_bytes_ = 0;
  Now moment_{};  // when the requests of this turn were first seen
  bool asked_to_leave_ = false;
  bool again_ = true;  // the last turn left something to do
};

}  // namespace jobring::keeper
