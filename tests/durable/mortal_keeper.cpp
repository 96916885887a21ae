// The real keeper, which dies where a test wants it to (fate.hpp): jobring-keeper's own code, with
// something in between that counts its steps.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "daemon/keeper/service/seams.hpp"
#include "tests/durable/mortal.hpp"
#include "tests/support/mortal_store.hpp"

namespace jobring::test {
namespace {

FateWords* fate_words = nullptr;

// A channel whose every use is a step.
class MortalChannel final : public PoolChannel {
 public:
  explicit MortalChannel(std::unique_ptr<PoolChannel> channel) : c_(std::move(channel)) {}

  std::uint32_t slots() const override { return c_->slots(); }
  bool broken() const override { return c_->broken(); }
  Room put(const Put& job, std::uint32_t& slot, std::string& why) override {
    step(Step::put);
    const Room room = c_->put(job, slot, why);
    step(Step::handed);
    return room;
  }
  void publish() override {
    step(Step::publish);
    c_->publish();
    step(Step::published);
  }
  void reap(std::vector<Done>& done, std::size_t most) override {
    const std::size_t before = done.size();
    c_->reap(done, most);
    if (done.size() > before) step(Step::reaped);
  }
  void release(std::uint32_t slot) override {
    step(Step::release);
    c_->release(slot);
    step(Step::released);
  }
  bool withdraw(std::uint32_t slot) override {
    step(Step::withdraw);
    return c_->withdraw(slot);
  }
  void kill(std::uint32_t slot, int signal) override { c_->kill(slot, signal); }
  void close() override { c_->close(); }
  bool begun(std::uint32_t slot) const override { return c_->begun(slot); }
  bool progress(std::uint32_t slot, std::uint64_t& done, std::uint64_t& total,
                std::string& text) const override {
    return c_->progress(slot, done, total, text);
  }
  std::vector<Adopted> adopted() override {
    step(Step::adopt);
    return c_->adopted();
  }

 private:
  std::unique_ptr<PoolChannel> c_;
};

class MortalPools final : public Pools {
 public:
  explicit MortalPools(Pools& pools) : p_(pools) {}
  const std::vector<PoolInfo>& pools() const override { return p_.pools(); }
  Result<std::unique_ptr<PoolChannel>> open(const std::string& pool, std::uint32_t uid,
                                            std::uint32_t gid) override {
    step(Step::open);
    auto channel = p_.open(pool, uid, gid);
    if (!channel) return channel;
    step(Step::opened);
    return std::unique_ptr<PoolChannel>(std::make_unique<MortalChannel>(std::move(*channel)));
  }

 private:
  Pools& p_;
};

class MortalAnswers final : public Answers {
 public:
  explicit MortalAnswers(Answers& answers) : a_(answers) {}
  void answer(std::uint64_t token, std::string_view bytes) override {
    step(Step::answer);
    if (fate()->unsynced) ++fate()->answered_unsynced;
    a_.answer(token, bytes);
    step(Step::answered);
  }

 private:
  Answers& a_;
};

}  // namespace

FateWords* fate() {
  return fate_words;
}

void find_fate() {
  const char* const file = std::getenv("JOBRING_TEST_FATE");
  const int fd = file != nullptr ? open(file, O_RDWR | O_CLOEXEC) : -1;
  void* const at = mmap(nullptr, sizeof(FateWords), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) _exit(64);
  close(fd);
  fate_words = static_cast<FateWords*>(at);
}

void step(Step step) {
  if (fate_words == nullptr) return;
  ++fate_words->taken[unsigned(step)];
  const std::uint32_t died = fate_words->died;
  if (died >= FateWords::kDeaths) return;
  FateWords::Death& death = fate_words->deaths[died];
  if (death.left == 0 || (death.step != unsigned(step) && death.step != kSteps)) return;
  if (--death.left != 0) return;
  ++fate_words->died;
  kill(getpid(), SIGKILL);
}

}  // namespace jobring::test

int main() {
  using namespace jobring::test;
  find_fate();
  jobring::keeper::Seams seams;
  seams.store = [](std::unique_ptr<Store> store) {
    return std::make_unique<MortalStore>(std::move(store), &step);
  };
  seams.pools = [](Pools& pools) { return std::make_unique<MortalPools>(pools); };
  seams.answers = [](Answers& answers) { return std::make_unique<MortalAnswers>(answers); };
  return jobring::keeper::serve(seams);
}
