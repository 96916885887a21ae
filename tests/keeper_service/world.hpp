// What the keeper needs of the world, played: pools whose jobs run when a test says so, clients
// that are numbers, and a clock.
//
// Channels outlive the keeper here as they do in life: dying and coming back is die() and open().
#pragma once

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/keeper/service/keeper.hpp"
#include "daemon/keeper/sqlite/sqlite_store.hpp"
#include "tests/keeper/directory.hpp"

namespace jobring::test {

using namespace jobring::keeper;

// One slot of a channel.
struct PlayedSlot {
  enum class State { free, queued, running, done };
  State state = State::free;
  std::string handler, payload, tag, result;
  Outcome outcome = Outcome::ok;
  std::int32_t detail = 0;
  std::uint64_t timeout_ms = 0;
  int signal = 0;  // it was killed with
  std::uint64_t progress = 0;
};

// A channel's memory: outlives the keeper.
struct PlayedChannel {
  std::string pool;
  std::uint32_t uid = 0, gid = 0;
  bool broken = false, closed = false;
  std::vector<PlayedSlot> slots;
  std::deque<std::uint32_t> queue;  // published, in order
};

class World final : public Pools, public Answers {
 public:
  explicit World(std::vector<PoolInfo> pools = {{"p", 2, 64, 1 << 20, 0}})
      : pools_(std::move(pools)) {
    options.outputs_directory = directory.file("outputs");
    file.path = directory.file("jobs.db");
    start();
  }

  // A keeper over the store, adopting what there is.
  void start();
  // SIGKILL: what is in memory only is gone.
  void die() { keeper.reset(); }
  // The daemon with all its workers and channels.
  void lose_the_daemon() {
    die();
    channels.clear();
    running.clear();
  }
  // Turns until there is nothing more to do.
  void settle();
  void pass(std::int64_t ms) {
    now.mono_ns += ms * 1'000'000;
    now.system.real_ms += ms;
    now.system.boot_ms += ms;
  }

  struct Answer {
    Status status = Status::ok;
    std::uint16_t flags = 0;
    std::uint64_t id = 0;
    std::int64_t number = 0;
    std::string payload;
  };
  // Asks and settles; the answer, which must have come.
  Answer ask(const Request& request, std::uint32_t uid = 0);
  // Asks without settling; the token.
  std::uint64_t begin(const Request& request, std::uint32_t uid = 0);
  // The same request once more, as after the keeper's death.
  void repeat(std::uint64_t token, const Request& request, std::uint32_t uid = 0);
  std::optional<Answer> answer_to(std::uint64_t token) const;

  // Shorthands. Submitting must work.
  JobId submit(JobSpec spec, std::uint32_t uid = 0);
  Answer apply(Verb verb, Selector which, Edit edit = {}, std::uint32_t uid = 0);
  JobView show(JobId id, std::uint32_t uid = 0);
  JobState state(JobId id) { return show(id).state; }
  std::string explain(JobId id);
  std::uint64_t count(const std::string& pool, JobState state);

  // ---- the pools
  // Jobs that are queued, by id, in the order in which a worker would get them.
  std::vector<JobId> queued(const std::string& pool = "p") const;
  // A worker begins the next one: its id, 0 if there is none.
  JobId begin_one(const std::string& pool = "p");
  void finish(JobId id, Outcome outcome = Outcome::ok, std::string result = "done",
              std::int32_t detail = 0);
  PlayedSlot* slot_of(JobId id);
  // Begins and ends what is queued until nothing is. How many.
  std::size_t run_all(const std::string& pool = "p");

  const std::vector<PoolInfo>& pools() const override { return pools_; }
  Result<std::unique_ptr<PoolChannel>> open(const std::string& pool, std::uint32_t uid,
                                            std::uint32_t gid) override;
  void answer(std::uint64_t token, std::string_view bytes) override;

  Directory directory;
  SqliteOptions file;
  KeeperOptions options;
  Now now{1'000'000'000, {1'700'000'000'000, 500'000}};
  std::vector<std::shared_ptr<PlayedChannel>> channels;
  std::unique_ptr<Keeper> keeper;
  std::vector<std::string> troubles;
  std::optional<Error> refuse_channels;
  std::map<std::uint64_t, Answer> answers;
  // The keeper dies (Death is thrown from within it) when it has taken so many more steps: around a
  // commit, when it puts, publishes and releases, and when it answers. 0: it does not.
  struct Death {};
  std::uint32_t steps_to_live = 0;
  void step() {
    if (steps_to_live != 0 && --steps_to_live == 0) throw Death{};
  }
  // Jobs that run now: one that begins while it is in here fails the test.
  std::set<JobId> running;

 private:
  Caller caller(std::uint64_t token, std::uint32_t uid) const;

  std::vector<PoolInfo> pools_;
  std::uint64_t last_token_ = 0;
  std::deque<std::string> requests_;  // until they are answered, and longer
};

inline JobSpec echo(std::string_view pool = "p") {
  JobSpec spec;
  spec.handler = "echo";
  spec.payload = "hello";
  spec.pool = pool;
  return spec;
}
inline Selector one(JobId id) {
  Selector which;
  which.ids = {{id, id}};
  return which;
}
inline Request request(Op op, JobId id = 0) {
  Request r;
  r.op = op;
  r.id = id;
  return r;
}

}  // namespace jobring::test
