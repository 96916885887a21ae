// What the keeper needs of the world: pools to run jobs in, and somebody to answer. Interfaces, so
// that its logic runs without processes (tests/keeper_service).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/keeper/messages.hpp"
#include "common/result.hpp"

namespace jobring::keeper {

struct PoolInfo {
  std::string name;
  std::uint32_t lanes = 0;  // how many of its jobs run at a time
  std::uint32_t slots = 0;  // of a channel
  std::uint64_t max_payload = 0;
  std::uint32_t rate = 0;  // jobs started a second; 0: no limit
};

// A job that is put into a channel.
struct Put {
  std::string_view handler;
  std::string_view payload;
  std::string_view tag;  // "<id>.<attempt>", for an array's member "<id>.<attempt>.<index>"
  std::uint64_t timeout_ms = 0;
  std::uint64_t start_within_ms = 0;  // 0: whenever
};

// One that has come to an end there.
struct Done {
  std::uint32_t slot = 0;
  Outcome outcome = Outcome::ok;
  std::int32_t detail = 0;   // a command's exit code or -signal; the signal of a crash
  std::uint32_t worker = 0;  // pid of the process that ran it; 0: nobody has begun it
  std::uint64_t run_us = 0;
  std::string_view result;  // in shared memory: valid until release()
};

// A channel of one pool and user, which outlives the keeper. Jobs are named by their slots.
class PoolChannel {
 public:
  virtual ~PoolChannel() = default;

  virtual std::uint32_t slots() const = 0;
  // Its words make no sense any more: what is in it is lost. Closed with this object; another is
  // refused as long as jobs of it run.
  virtual bool broken() const { return false; }
  // none: no slot is free. closed: its pool takes nothing at the moment. refused: no channel would
  // take it; `why` says why.
  enum class Room { done, none, closed, refused };
  virtual Room put(const Put& job, std::uint32_t& slot, std::string& why) = 0;
  // What was put since is seen by workers from now on.
  virtual void publish() = 0;

  // Appends at most `most` that have ended. Their slots are ours until they are released.
  virtual void reap(std::vector<Done>& done, std::size_t most) = 0;
  virtual void release(std::uint32_t slot) = 0;

  // True: nobody has begun it, and nobody will. It is reaped as cancelled.
  virtual bool withdraw(std::uint32_t slot) = 0;
  virtual void kill(std::uint32_t slot, int signal) = 0;
  // With this object it is gone for good; else it stays for the next keeper.
  virtual void close() = 0;
  // Whether a worker has it already. (It may have it a moment later.)
  virtual bool begun(std::uint32_t slot) const = 0;
  // What it last said of how far it is.
  virtual bool progress(std::uint32_t slot, std::uint64_t& done, std::uint64_t& total,
                        std::string& text) const = 0;

  // Of a channel that was there before us: the slots that are in use, with their tags.
  struct Adopted {
    std::uint32_t slot;
    std::string tag;
    bool done;  // it has ended, or was withdrawn
  };
  virtual std::vector<Adopted> adopted() = 0;
};

class Pools {
 public:
  virtual ~Pools() = default;
  virtual const std::vector<PoolInfo>& pools() const = 0;
  virtual Result<std::unique_ptr<PoolChannel>> open(const std::string& pool, std::uint32_t uid,
                                                    std::uint32_t gid) = 0;
};

// The token of those who have gone.
inline constexpr std::uint64_t kNobody = ~std::uint64_t{0};

// Who asks. `token` names the request; it is used again only after its answer.
struct Caller {
  std::uint64_t token = 0;
  std::uint64_t session = 0;     // the client's channel, never used again
  std::uint32_t slot = 0;        // there
  std::uint64_t generation = 0;  // with which the request was submitted
  std::uint64_t key = 0;         // by which its sender names the request; 0: by slot and generation
  bool again = false;            // a dead keeper may have done it already
  std::uint32_t uid = 0, gid = 0;
  bool privileged = false;  // root, or the daemon's own user
};

class Answers {
 public:
  virtual ~Answers() = default;
  // `bytes`: an encoded Reply. Nothing if nobody asks any more (kNobody).
  virtual void answer(std::uint64_t token, std::string_view bytes) = 0;
};

struct KeeperOptions {
  std::uint32_t window = 1024;             // jobs handed to a pool ahead, at most
  std::uint32_t lost_limit = 3;            // attempts lost with daemon or machine
  std::uint32_t events = 10'000;           // remembered
  std::uint64_t jobs_max = 0;              // that wait; 0: no limit
  std::uint64_t jobs_per_user = 0;         // that wait; 0: no limit
  std::uint64_t output_max = 16u << 20;    // bytes of a stream of an attempt
  std::uint64_t outputs_max = 4ull << 30;  // bytes of all
  std::uint32_t tail = 1024;               // bytes kept with an attempt
  std::uint32_t flush_ms = 100;
  std::uint64_t reply_max = 1 << 20;  // bytes of an encoded answer
  std::int64_t ageing = 10'000;
  std::string outputs_directory{};
  std::int64_t boot = 0;  // a number that is another one after each start of the machine
};

}  // namespace jobring::keeper
