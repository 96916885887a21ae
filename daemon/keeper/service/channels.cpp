#include "daemon/keeper/service/channels.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "client/channel_impl.hpp"
#include "common/job_note.hpp"

namespace jobring::keeper {
namespace {

constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};

}  // namespace

class KeptPoolChannel final : public PoolChannel {
 public:
  KeptPoolChannel(Channels& house, KeptChannel kept)
      : house_(house), kept_(std::move(kept)), refs_(kept_.impl->shape().slots) {
    for (const AdoptedJob& job : kept_.adopted) refs_[job.job.slot] = job.job;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    epoll_ctl(house_.epoll_, EPOLL_CTL_ADD, kept_.impl->fd(), &event);
    kept_.impl->awake();
    house_.open_.push_back(this);
  }
  ~KeptPoolChannel() override { std::erase(house_.open_, this); }

  Channel::Impl& impl() const { return *kept_.impl; }

  std::uint32_t slots() const override { return impl().shape().slots; }
  bool broken() const override { return kept_.broken(); }

  Room put(const Put& job, std::uint32_t& slot, std::string& why) override {
    if (!kept_.takes_jobs()) return Room::closed;
    if (job.payload.size() > impl().shape().max_payload) {
      why = "a payload of " + std::to_string(job.payload.size()) +
            " bytes is more than the pool's max_payload, " +
            std::to_string(impl().shape().max_payload) + " bytes";
      return Room::refused;
    }
    const auto handler = impl().handler(job.handler);
    if (!handler && (job.handler.empty() || job.handler.size() > kHandlerNameMax ||
                     job.handler.find('\0') != job.handler.npos)) {
      why = handler.error().line();
      return Room::refused;
    }
    const int index = impl().free_slot();
    if (index < 0) return Room::none;
    // The channel is there for as long as its user has jobs, and may see more names than its table
    // has room for: then the job brings its own.
    if (!handler) impl().note_handler(std::uint32_t(index), job.handler);
    if (!job.payload.empty())
      std::memcpy(impl().payload(std::uint32_t(index), job.payload.size()), job.payload.data(),
                  job.payload.size());
    JobOptions options;
    options.timeout = std::chrono::milliseconds(job.timeout_ms);
    options.start_within = std::chrono::milliseconds(job.start_within_ms);
    options.tag = Tag(job.tag);
    const JobRef ref = impl().put(std::uint32_t(index), handler ? *handler : HandlerId(0),
                                  job.payload.size(), 0, options, handler ? 0 : kJobNamed);
    if (ref.slot == kNoSlot) return Room::none;
    slot = ref.slot;
    refs_[slot] = ref;
    return Room::done;
  }
  void publish() override { impl().publish(); }

  void reap(std::vector<Done>& done, std::size_t most) override {
    while (most > 0) {
      const auto completions = impl().reap(std::min<std::size_t>(most, 256));
      // What is lost with the supervisor is for the next keeper to say.
      if (!impl().core().connected()) _exit(0);
      if (completions.empty()) return;
      for (const Completion& c : completions) {
        Done one;
        one.slot = c.slot;
        one.outcome = std::uint8_t(c.outcome) < kOutcomes ? c.outcome : Outcome::lost;
        one.detail = c.detail;
        one.worker = impl().worker_pid(c.slot);
        one.run_us = c.run_us;
        one.result = c.text();
        done.push_back(one);
      }
      most -= completions.size();
      impl().keep_all();
    }
  }
  void release(std::uint32_t slot) override { impl().release(slot); }

  bool withdraw(std::uint32_t slot) override { return impl().cancel(refs_[slot]); }
  void kill(std::uint32_t slot, int signal) override { impl().kill(refs_[slot], signal); }
  bool begun(std::uint32_t slot) const override {
    const SlotState state = impl().slot_state(slot);
    return state != SlotState::queued && state != SlotState::requeued;
  }
  bool progress(std::uint32_t slot, std::uint64_t& done, std::uint64_t& total,
                std::string& text) const override {
    const auto report = impl().progress(refs_[slot]);
    if (!report) return false;
    done = report->done;
    total = report->total;
    text = report->text;
    return true;
  }
  void close() override { kept_.close(); }
  std::vector<Adopted> adopted() override {
    std::vector<Adopted> all;
    for (const AdoptedJob& job : kept_.adopted)
      all.push_back({job.job.slot, job.tag, job.state == AdoptedJob::State::done});
    return all;
  }

 private:
  Channels& house_;
  KeptChannel kept_;
  std::vector<JobRef> refs_;  // by slot
};

Channels::Channels(std::shared_ptr<detail::ClientCore> core, std::vector<PoolInfo> pools, int epoll)
    : core_(std::move(core)), pools_(std::move(pools)), epoll_(epoll) {}
Channels::~Channels() = default;

Result<std::unique_ptr<PoolChannel>> Channels::open(const std::string& pool, std::uint32_t uid,
                                                    std::uint32_t gid) {
  auto kept = open_kept(core_, pool, uid, gid);
  if (!core_->connected()) _exit(0);
  if (!kept) return kept.error();
  return std::unique_ptr<PoolChannel>(std::make_unique<KeptPoolChannel>(*this, std::move(*kept)));
}

bool Channels::anything_done() const {
  return std::any_of(open_.begin(), open_.end(), [](const KeptPoolChannel* channel) {
    return channel->impl().has_completions() || channel->broken();
  });
}

bool Channels::announce() {
  bool nothing = true;
  for (const KeptPoolChannel* channel : open_) nothing &= channel->impl().announce();
  return nothing;
}

void Channels::awake() {
  for (const KeptPoolChannel* channel : open_) channel->impl().awake();
}

}  // namespace jobring::keeper
