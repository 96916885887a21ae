// The readers of a channel against its client.
//
// An input is a sequence of acts on one channel: a hostile client submits, scribbles and rings;
// between its acts, and in the middle of its jobs, run the product's worker (Worker::run, from its
// hello to its drain), its recovery, and the product's client end. A second channel of another uid
// lies beside it. Whatever was scribbled: everything comes to an end, no sanitizer complains, and
// the neighbour's jobs run, with their own results, its memory untouched.
#include <unistd.h>

#include "common/clock.hpp"
#include "daemon/recovery.hpp"
#include "tests/fuzz/fake_supervisor.hpp"
#include "tests/fuzz/fuzz_support.hpp"
#include "tests/fuzz/hostile_channel.hpp"
#include "tests/fuzz/no_commands.hpp"

using namespace jobring;
using namespace jobring::fuzz;

namespace {

constexpr std::uint32_t kWorkers = 2;  // one that runs here, one that is dead or slow
constexpr std::uint32_t kHostileBit = 3, kNeighbourBit = 5;
constexpr std::uint32_t kNeighbourSlots = 4;
constexpr int kActsMax = 40;  // bounds one input

template <class Page>
struct SharedPage {
  explicit SharedPage(const char* name)
      : segment(std::move(create_segment(name, sizeof(Page)).value())),
        mapping(std::move(
            Mapping::map(segment.get(), sizeof(Page), Mapping::Access::read_write).value())) {}
  Page& operator*() const { return *mapping.template as<Page>(); }
  Page* operator->() const { return mapping.template as<Page>(); }
  void clear() { std::memset(mapping.base(), 0, sizeof(Page)); }
  UniqueFd segment;
  Mapping mapping;
};

struct World {
  SharedPage<PoolPage> page{"jobring:pool"};
  SharedPage<DoorbellPage> hostile_bell{"jobring:doorbell"}, neighbour_bell{"jobring:doorbell"};
  UniqueFd page_read_only = std::move(reopen_read_only(page.segment.get()).value());
  std::vector<std::unique_ptr<HostileChannel>> shapes;
  HostileChannel neighbour{{kNeighbourSlots, 64, 1024}, kNeighbourBit};
  FakeSupervisor supervisor{kWorkers, page.segment.get()};

  World() {
    supervisor.set_doorbells({{geteuid() + 1000, hostile_bell.segment.get()},
                              {geteuid() + 2000, neighbour_bell.segment.get()}});
    for (const std::uint32_t slots : {1u, 4u, 64u}) {
      for (const std::uint64_t most : {64u, 5000u})
        shapes.push_back(
            std::make_unique<HostileChannel>(ChannelShape{slots, most, most}, kHostileBit));
    }
  }
};

World& world() {
  static World the_world;
  return the_world;
}

// One input at work.
class Run {
 public:
  explicit Run(Bytes bytes)
      : bytes_(bytes), channel_(*world().shapes[bytes_.byte() % world().shapes.size()]) {
    World& w = world();
    w.page.clear();
    w.hostile_bell.clear();
    w.neighbour_bell.clear();
    w.page->version.set(kShmVersion);
    w.page->workers.set(kWorkers);
    channel_.reset();
    w.neighbour.reset();
    w.supervisor.set_channels({{kHostileBit, channel_.view().shape(), geteuid() + 1000,
                                channel_.segment(), channel_.event()},
                               {kChannelsPerDoorbell + kNeighbourBit, w.neighbour.view().shape(),
                                geteuid() + 2000, w.neighbour.segment(), w.neighbour.event()}});
    while_a_command_runs = [this] {
      for (int i = bytes_.byte() % 4; i > 0; --i) channel_.scribble(bytes_);
    };
  }
  ~Run() { while_a_command_runs = nullptr; }

  void play() {
    for (int i = 0; i < kActsMax && !bytes_.empty(); ++i) act();
    client_.reset();
    check_neighbour();
  }

 private:
  void act() {
    World& w = world();
    const ChannelView& view = channel_.view();
    switch (bytes_.byte() % 16) {
      case 0:
      case 1: {
        const std::uint32_t priority = bytes_.below(kPriorities);
        const std::uint16_t handler = bytes_.byte() % 3;  // "echo", "exec", none
        channel_.submit(*w.hostile_bell, priority, handler, bytes_.text(bytes_.byte()));
        return;
      }
      case 2:
      case 3:
      case 4:
      case 5:
      case 6:
        return channel_.scribble(bytes_);
      case 7:
        w.hostile_bell->set_ready(bytes_.below(kPriorities), bytes_.byte());
        return;
      case 8:
        rearm(*w.hostile_bell, kHostileBit);
        return;
      case 9:
        rearm(*w.hostile_bell, kHostileBit);
        (void)w.supervisor.run_worker();
        return;
      case 10:
        recover_channel(view, bytes_.byte() % 4,
                        Death{Outcome::crashed, 11, bytes_.byte() % 2 == 0, "it died", 1});
        return;
      case 11:
        (void)(bytes_.byte() % 2 == 0 ? cancel_waiting(view)
                                      : fail_waiting(view, "the pool is broken"));
        return;
      case 12:
        return use_client();
      case 13:
        return slow_colleague();
      case 14:
        view.header().closing = bytes_.byte() % 3;
        return;
      default:
        w.neighbour.submit(*w.neighbour_bell, bytes_.below(kPriorities), 0, bytes_.text(8));
    }
  }

  // The client library looks at what its own process, or another one of its uid, has made of its
  // channel.
  void use_client() {
    World& w = world();
    if (!client_) {
      client_ = open_client(channel_, w.hostile_bell.segment.get(), w.page_read_only.get(),
                            w.supervisor.event(0));
      if (!client_) return;
      const HandlerId echo{0};
      for (int i = bytes_.byte() % 4; i > 0; --i) {
        const int slot = client_->free_slot();
        if (slot < 0) break;
        client_->put(std::uint32_t(slot), echo, 0, std::uint64_t(i), {}, 0);
      }
      client_->publish();
      return;
    }
    switch (bytes_.byte() % 3) {
      case 0:
        (void)client_->cancel_all();
        break;
      case 1:
        (void)client_->wait(std::chrono::nanoseconds(0), 1);
        break;
      default:
        break;
    }
    for (const Completion& done : client_->reap(bytes_.byte())) {
      if (done.result.size() > channel_.view().shape().max_result)
        violated("a result is longer than the pool allows");
      for (const std::byte b : done.result) sum_ += unsigned(b);
    }
  }

  // Another worker has claimed some of these jobs, and does not get to them.
  void slow_colleague() {
    WorkerEntry& colleague = world().page->worker(1);
    for (auto& hint : colleague.batch) hint.set(std::uint16_t(bytes_.below(80)));
    colleague.batch_channel.set(bytes_.byte() % 4 == 0 ? bytes_.byte() : kHostileBit);
    colleague.batch_ns.set(now_ns() - 1'000'000);
    colleague.batch_count.store(1);
  }

  void check_neighbour() {
    World& w = world();
    static constexpr std::string_view kPayload = "the neighbour's own";
    const ChannelView& view = w.neighbour.view();
    (void)w.supervisor.run_worker();
    const std::uint32_t used = w.neighbour.next();
    if (!w.neighbour.submit(*w.neighbour_bell, 1, 0, kPayload))
      return;  // it has filled its ring itself
    (void)w.supervisor.run_worker();
    const Slot& slot = view.slot(used % kNeighbourSlots);
    if (!slot.word().is(SlotState::done)) {
      const auto& ring = view.header().submission[1];
      std::fprintf(stderr, "slot %u is %s, ring from %llu to %llu, ready bits %llx\n",
                   used % kNeighbourSlots, to_string(slot.word().state()),
                   static_cast<unsigned long long>(ring.head.load()),
                   static_cast<unsigned long long>(ring.tail.load()),
                   static_cast<unsigned long long>(w.neighbour_bell->ready[1].words[0].load()));
      violated("the neighbour's job has not run");
    }
    if (Outcome(slot.outcome.get()) != Outcome::ok || slot.result_len.get() != kPayload.size() ||
        std::memcmp(slot.result, kPayload.data(), kPayload.size()) != 0) {
      violated("the neighbour's job has another result");
    }
    for (std::uint32_t i = used + 1; i < kNeighbourSlots; ++i) {
      const auto* bytes = reinterpret_cast<const unsigned char*>(&view.slot(i));
      for (std::size_t at = 0; at < sizeof(Slot); ++at) {
        if (bytes[at] != 0)
          violated("somebody has written into a slot that the neighbour never used");
      }
    }
  }

  Bytes bytes_;
  HostileChannel& channel_;
  std::unique_ptr<Channel::Impl> client_;
  volatile unsigned sum_ = 0;  // the results are read
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Run(Bytes({data, size})).play();
  return 0;
}

std::vector<std::string> fuzz::seeds() {
  const auto acts = [](std::initializer_list<int> bytes) {
    std::string text;
    for (const int b : bytes) text.push_back(char(b));
    return text;
  };
  return {
      acts({2, 0, 0, 0, 3, 'a', 'b', 'c', 1, 1, 0, 2, 'x', 'y', 9}),  // two jobs run
      acts({4, 12, 3, 9, 12, 2, 200, 12, 2, 200}),  // the client submits and reaps
      acts({2, 0, 1, 0, 1, 'a', 2, 0, 1, 13, 4, 4, 2, 0, 10, 2, 0, 9,
            15}),  // a claimed slot, recovered
      acts({1, 13, 0, 0, 0, 7, 1, 77, 9, 11, 1, 14, 2, 9}),
  };
}
