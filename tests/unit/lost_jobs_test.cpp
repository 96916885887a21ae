// A client whose daemon is gone while a worker still ends its jobs. Supervisor and worker are
// played by hand, in this process.
#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "client/channel_impl.hpp"
#include "common/control.hpp"
#include "common/segment.hpp"

using namespace jobring;

namespace {

constexpr std::uint32_t kOwner = 1;

// What a supervisor answers to a client that opens a channel, and what a worker does with its jobs.
class PlayedPool {
 public:
  explicit PlayedPool(const ChannelShape& shape) {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    supervisor_.reset(ends[0]);
    core_ = std::make_shared<detail::ClientCore>(UniqueFd(ends[1]), 0, "played", "test");
    const auto segment = made(create_segment("test:channel", ChannelLayout(shape).total));
    const auto doorbell = made(create_segment("test:doorbell", sizeof(DoorbellPage)));
    const auto page = made(create_segment("test:pool", sizeof(PoolPage)));
    const UniqueFd client_event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const UniqueFd worker_event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    mapping_ =
        made(Mapping::map(segment.get(), ChannelLayout(shape).total, Mapping::Access::read_write));
    view_ = ChannelView(mapping_.base(), shape);
    view_.header().version.set(kShmVersion);
    submissions_ = view_.submission_consumer(std::uint32_t(Priority::normal));
    completions_ = view_.completion_producer();
    OpenReply reply;
    reply.slots = shape.slots;
    reply.max_payload = shape.max_payload;
    reply.max_result = shape.max_result;
    reply.workers = 1;
    const std::array fds{segment.get(), doorbell.get(), page.get(), client_event.get(),
                         worker_event.get()};
    REQUIRE(send_control(supervisor_.get(), encode(ClientReply(reply)), fds).ok());
    channel_ = made(Channel::Impl::open(core_, "pool", {}));
  }

  Channel::Impl& channel() { return *channel_; }

  // The client learns of it, too.
  void supervisor_dies() {
    supervisor_.reset();
    REQUIRE_FALSE(core_->check_connection());
  }
  // Takes the next job in the ring to RUNNING.
  std::pair<std::uint32_t, StateWord> begin() {
    std::pair<std::uint32_t, StateWord> job;
    const auto seen = submissions_.visit(
        1, 1,
        [&](SubmissionWord word) {
          const StateWord claimed = word.queued().to(SlotState::claimed, kOwner);
          const StateWord running = claimed.to(SlotState::running, kOwner);
          job = {word.index(), running};
          return view_.slot(word.index()).move(word.queued(), claimed) &&
                 view_.slot(word.index()).move(claimed, running);
        },
        [](SubmissionWord) {});
    REQUIRE(seen.claimed == 1);
    return job;
  }
  void end(const std::pair<std::uint32_t, StateWord>& job) {
    Slot& slot = view_.slot(job.first);
    slot.outcome.set(std::uint8_t(Outcome::ok));
    slot.result[0] = '?';
    slot.result_len.set(1);
    const StateWord done = job.second.to(SlotState::done);
    slot.state.store(done.raw());
    REQUIRE(completions_.publish(job.first, done.generation()));
    completions_.move_tail();
  }

 private:
  template <class T>
  static T made(Result<T> result) {
    REQUIRE(result.ok());
    return std::move(*result);
  }

  UniqueFd supervisor_;
  std::shared_ptr<detail::ClientCore> core_;
  Mapping mapping_;
  ChannelView view_;
  SubmissionConsumer<> submissions_;
  CompletionProducer<> completions_;
  std::unique_ptr<Channel::Impl> channel_;
};

void submit(Channel::Impl& channel, std::uint32_t jobs) {
  const HandlerId handler = *channel.handler("job");
  for (std::uint32_t tag = 0; tag < jobs; ++tag)
    channel.put(std::uint32_t(channel.free_slot()), handler, 0, tag, {}, 0);
  channel.publish();
}

// What is left there by others, for who forgets to write before reading.
[[gnu::noinline]] void scribble_on_the_stack() {
  volatile unsigned char bytes[8192];
  for (auto& byte : bytes) byte = 0xa5;
}

// How often each tag has come so far.
void reap_into(Channel::Impl& channel, std::vector<int>& ends, std::vector<Outcome>& outcomes) {
  for (const Completion& done : channel.reap(ends.size())) {
    REQUIRE(done.tag < ends.size());
    ++ends[done.tag];
    outcomes[done.tag] = done.outcome;
    // What a worker writes after the job was given up is not its result.
    CHECK((done.outcome == Outcome::lost) ==
          (done.text().find("daemon") != std::string_view::npos));
  }
}

}  // namespace

TEST_CASE("a job that is given up as lost while its completion arrives ends once") {
  // More than one reap hands out: some are lost already, and still to be told.
  constexpr std::uint32_t kJobs = 300;
  PlayedPool pool({512, 64, 256});
  submit(pool.channel(), kJobs);
  std::vector<std::pair<std::uint32_t, StateWord>> running;
  for (std::uint32_t i = 0; i < kJobs; ++i) running.push_back(pool.begin());
  pool.supervisor_dies();
  std::vector<int> ends(kJobs);
  std::vector<Outcome> outcomes(kJobs);
  reap_into(pool.channel(), ends, outcomes);
  std::uint32_t told = 0;
  for (const int times : ends) told += std::uint32_t(times);
  REQUIRE(told != 0);
  REQUIRE(told < kJobs);
  // The worker outlives its supervisor for a moment, and ends all of them.
  for (const auto& job : running) pool.end(job);
  while (pool.channel().outstanding() != 0 && told <= kJobs) {
    reap_into(pool.channel(), ends, outcomes);
    told = 0;
    for (const int times : ends) told += std::uint32_t(times);
  }
  reap_into(pool.channel(), ends, outcomes);
  for (std::uint32_t tag = 0; tag < kJobs; ++tag) {
    CAPTURE(tag);
    CHECK(ends[tag] == 1);
    CHECK(outcomes[tag] == Outcome::lost);
  }
  CHECK(pool.channel().outstanding() == 0);
}

TEST_CASE("a lost job has no number or type that nobody wrote") {
  PlayedPool pool({16, 64, 256});
  submit(pool.channel(), 4);
  pool.supervisor_dies();
  scribble_on_the_stack();
  std::size_t told = 0;
  for (const Completion& lost : pool.channel().reap(256)) {
    ++told;
    CHECK(lost.outcome == Outcome::lost);
    CHECK(lost.error_type().empty());
    CHECK(lost.attempts == 0);
    CHECK(lost.worker == 0);
    CHECK(lost.detail == 0);
    CHECK(lost.queue_ns == 0);
    CHECK(lost.run_us == 0);
  }
  CHECK(told == 4);
}

TEST_CASE("a job that ended before its daemon was missed keeps its outcome") {
  PlayedPool pool({16, 64, 256});
  submit(pool.channel(), 4);
  const auto first = pool.begin();
  pool.begin();
  pool.end(first);
  pool.supervisor_dies();
  std::vector<int> ends(4);
  std::vector<Outcome> outcomes(4);
  while (pool.channel().outstanding() != 0) reap_into(pool.channel(), ends, outcomes);
  CHECK(ends == std::vector<int>{1, 1, 1, 1});
  CHECK(outcomes[0] == Outcome::ok);
  for (int tag = 1; tag < 4; ++tag) CHECK(outcomes[std::size_t(tag)] == Outcome::lost);
}
