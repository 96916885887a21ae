#include "tests/explore/house.hpp"

#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "daemon/recovery.hpp"
#include "tests/explore/kernel.hpp"
#include "worker/supervisor_link.hpp"
#include "worker/worker.hpp"

namespace explore {

using namespace jobring;

House* House::current = nullptr;

namespace {

constexpr std::uint64_t kPayloadMax = 64, kResultMax = 128;

// Leaves a job however its worker leaves it.
struct Running {
  explicit Running(House::Job& j) : job(j) { ++job.active; }
  ~Running() { --job.active; }
  House::Job& job;
};

}  // namespace

std::shared_ptr<House> open_house(Scenario& scenario, const HouseOptions& options) {
  auto house = std::make_shared<House>(scenario, options);
  scenario.at_end([house] {});
  return house;
}

House::House(Scenario& scenario, const HouseOptions& o) : options(o), scenario_(scenario) {
  current = this;
  reset_kernel(scenario);
  for (int channel = 0; channel < options.channels; ++channel) make_channel(channel);
  doorbell = scenario.make<DoorbellPage>();
  page = scenario.make<PoolPage>();
  running_ = scenario.make<Data<int>>(kJobsMax);
  during_ = scenario.make<Atomic<int>>();
  all_here_ = scenario.make<Event>(kJobsMax);
  scenario.guard(&view.slot(0), sizeof(Slot) * options.slots);  // of the first channel
  scenario.label(doorbell, sizeof *doorbell, "ready bits");
  scenario.label(&page->sleeping, sizeof page->sleeping, "sleeping");
  scenario.label(page, sizeof *page, "pool page");
  scenario.label(during_, sizeof *during_, "(in a job)");
  doorbell_page = make_descriptor();
  pool_page = make_descriptor();
  socket = make_descriptor();
  for (std::uint32_t w = 0; w < options.workers; ++w) {
    worker_events.push_back(make_eventfd());
    colleagues.push_back(make_eventfd());
    links.push_back(make_descriptor());
    if (!options.hands) start_worker(w);
  }
  if (options.mortal)
    scenario_.thread(
        "supervisor", [this] { supervise(); }, Ends::with_all);
}

void House::make_channel(int channel) {
  const ChannelShape shape{options.slots, kPayloadMax, kResultMax};
  const ChannelLayout layout(shape);
  auto* memory = static_cast<char*>(scenario_.allocate(layout.total, 4096));
  channel_memory_[channel] = memory;
  const ChannelView& made = views[channel] = ChannelView(memory, shape);
  made.header().version.set(kShmVersion);
  segments[channel] = make_descriptor();
  client_events[channel] = make_eventfd();
  const std::string of = channel == 0 ? "" : " of channel " + std::to_string(channel);
  scenario_.label(&made.slot(0), sizeof(Slot) * options.slots, "slots" + of);
  scenario_.label(&made.header().waiting, 4, "waiting" + of);
  scenario_.label(&made.header().rescan, 4, "rescan" + of);
  scenario_.label(&made.header().closing, 4, "closing" + of);
  scenario_.label(&made.header().retries, 4, "retries" + of);
  for (std::uint32_t p = 0; p < kPriorities; ++p) {
    scenario_.label(&made.header().submission[p].tail, 8, "tail" + of);
    scenario_.label(&made.header().submission[p].head, 8, "head" + of);
  }
  scenario_.label(&made.header().completion, sizeof(CompletionLines<>), "completion lines" + of);
  scenario_.label(memory + layout.rings, layout.completions - layout.rings, "cells" + of);
  scenario_.label(memory + layout.completions, layout.retry_bits - layout.completions,
                  "completion cells" + of);
  scenario_.label(&made.retry_word(0), 8, "retry bits" + of);
}

void House::start_worker(std::uint32_t index) {
  const int thread = scenario_.thread(
      "worker " + std::to_string(index),
      [this, index] {
        SupervisorLink link{UniqueFd(links[index])};
        WorkerProcess process;
        start(process, link);
        Worker worker(process, index, link);
        for (int i = 0; options.short_jobs && i < 60; ++i) worker.policy().ran(1, 0);
        worker.run();
      },
      Ends::with_all, options.mortal);
  worker_of_thread_[thread] = int(index);
}

// What Pool::settle() does to shared memory.
void House::supervise() {
  for (;;) {
    const auto index = std::uint32_t(worker_of_thread_[await_death()]);
    ++deaths;
    Death death;
    death.signal = 9;
    death.message = "killed";
    death.worker = std::uint16_t(index);
    recover_channel(view, index + 1, death);
    clear_worker(*page, index);
    rearm(*doorbell, 0);
    ring(client_events[0]);
    for (std::uint32_t w = 0; w < options.workers; ++w) ring(colleagues[w]);
    start_worker(index);
  }
}

void House::run_job(int number) {
  Job& job = jobs[number];
  const Running running(job);
  ++job.runs;
  require(job.active == 1, "nobody else runs the job");
  require(job.ends == 0, "a job that ended is not run");
  running_[number].set(self());
  during_->load(std::memory_order_relaxed);  // somebody else's turn, or our death
  during_->store(number, std::memory_order_relaxed);
  if (number < options.together) {
    if (++here_ == options.together) {
      for (int i = 0; i < options.together; ++i) all_here_[i].ring();
    }
    all_here_[number].wait();
  }
  require(running_[number].get() == self(), "nobody else runs the job");
}

void* House::memory_of(int descriptor) const {
  for (int channel = 0; channel < options.channels; ++channel) {
    if (descriptor == segments[channel]) return channel_memory_[channel];
  }
  if (descriptor == doorbell_page) return doorbell;
  if (descriptor == pool_page) return page;
  throw std::logic_error("no such segment");
}

std::uint32_t House::worker_of(int link) const {
  for (std::uint32_t w = 0; w < options.workers; ++w) {
    if (links[w] == link) return w;
  }
  throw std::logic_error("no such worker");
}

// ---- the client

House::Client::Client(int channel) {
  auto core = std::make_shared<detail::ClientCore>(UniqueFd(current->socket), 0, "house", "client");
  auto opened = Channel::Impl::open(std::move(core), std::to_string(channel), {});
  require(opened.ok(), "the channel opens");
  channel_ = std::move(*opened);
  handler_ = *channel_->handler("job");
}

JobRef House::Client::put(int job, std::uint8_t crash_retries, Priority priority) {
  const int index = channel_->free_slot();
  require(index >= 0, "a slot is free");
  unsigned char* payload = channel_->payload(std::uint32_t(index), sizeof job);
  data_access(payload, sizeof job, true);
  std::memcpy(payload, &job, sizeof job);
  JobOptions options;
  options.crash_retries = crash_retries;
  options.priority = priority;
  const JobRef ref =
      channel_->put(std::uint32_t(index), handler_, sizeof job, std::uint64_t(job), options, 0);
  require(ref.slot == std::uint32_t(index),
          "the ring has room for as many jobs as there are slots");
  return ref;
}

void House::Client::finish(int count) {
  while (count > 0) {
    // Else it would look again and again for what cannot come.
    require(channel_->outstanding() != 0, "a client waits for no more than it submitted");
    channel_->wait(std::chrono::nanoseconds::max(), 1);
    for (const Completion& done : channel_->reap(std::size_t(count))) {
      --count;
      Job& job = current->jobs[done.tag];
      ++job.ends;
      job.outcome = done.outcome;
      require(job.ends == 1, "a job ends once");
      require(job.active == 0, "a job that ended does not run");
      if (done.outcome != Outcome::ok) continue;
      int answer = -1;
      require(done.result.size() == sizeof answer, "the result has its length");
      data_access(done.result.data(), sizeof answer, false);
      std::memcpy(&answer, done.result.data(), sizeof answer);
      require(answer == int(done.tag), "the result is the job's");
    }
  }
}

}  // namespace explore
