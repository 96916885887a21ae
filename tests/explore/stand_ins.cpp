// The cold half of worker and client as the house has it: no control socket, no processes, no
// signals. Everything that moves a job is the product's.
#include <sys/epoll.h>

#include <cstring>
#include <stdexcept>

#include "client/client_core.hpp"
#include "tests/explore/house.hpp"
#include "tests/explore/kernel.hpp"
#include "worker/crash_report.hpp"
#include "worker/exec/run_command.hpp"
#include "worker/leave.hpp"
#include "worker/supervisor_link.hpp"
#include "worker/worker.hpp"

namespace boost::interprocess {
class mapped_region {
 public:
  void* base;
  std::size_t size;
};
}  // namespace boost::interprocess

namespace jobring {

using explore::House;

// ---- segments

Mapping::Mapping() = default;
Mapping::Mapping(Mapping&&) noexcept = default;
Mapping& Mapping::operator=(Mapping&&) noexcept = default;
Mapping::~Mapping() = default;
Result<Mapping> Mapping::map(int descriptor, std::size_t size, Access) {
  Mapping mapping;
  mapping.region_ = std::make_unique<boost::interprocess::mapped_region>(
      boost::interprocess::mapped_region{House::current->memory_of(descriptor), size});
  return mapping;
}
void* Mapping::base() const {
  return region_->base;
}
std::size_t Mapping::size() const {
  return region_->size;
}
Result<std::size_t> sealed_size(int) {
  return std::size_t{1} << 40;
}

// No client here has descriptors of its own.
void close_foreign(UniqueFd, uid_t) {}

// ---- a worker's cold half

thread_local std::atomic<const char*> running_handler{nullptr};

namespace {

void job_handler(jobring_job* job, void*) {
  int number = -1;
  explore::data_access(job->payload, sizeof number, false);
  std::memcpy(&number, job->payload, sizeof number);
  explore::require(job->payload_len == sizeof number && number >= 0 && number < explore::kJobsMax,
                   "the payload is the job's");
  House::current->run_job(number);
  unsigned char* result = job->reserve(job->host, sizeof number);
  explore::data_access(result, sizeof number, true);
  std::memcpy(result, &number, sizeof number);
  job->commit(job->host, sizeof number);
}

const Handler kHandler{"job", &job_handler, nullptr, "house", true};

}  // namespace

void SupervisorLink::report(const WorkerReport&) {}
std::optional<Order> SupervisorLink::receive(bool) {
  return std::nullopt;
}

HandlerSource plain_handlers() {
  return {};
}

void start(WorkerProcess& process, OrderLink&, HandlerSource) {
  House& house = *House::current;
  process.settings.workers = house.options.workers;
  process.settings.batch = kBatchMax;
  process.page = house.page;
  for (std::uint32_t w = 0; w < house.options.workers; ++w)
    process.colleagues.push_back(UniqueFd(house.colleagues[w]));
}

// A worker begins with all channels mapped.
ChannelTable::ChannelTable(OrderLink& link, SegmentTable& segments, int epoll, Asking asking)
    : link_(link), segments_(segments), epoll_(epoll), asking_(asking) {
  House& house = *House::current;
  auto doorbell = std::make_unique<WorkerDoorbell>();
  doorbell->mapping = std::move(*Mapping::map(house.doorbell_page, 0, Mapping::Access::read_write));
  doorbell->event = UniqueFd(house.worker_events[house.worker_of(link.fd())]);
  watch_event(epoll, doorbell->event.get());
  for (int c = 0; c < house.options.channels; ++c) {
    auto channel = std::make_unique<WorkerChannel>();
    channel->id = std::uint32_t(c);
    channel->view = house.views[c];
    for (std::uint32_t p = 0; p < kPriorities; ++p)
      channel->submissions[p] = channel->view.submission_consumer(p);
    channel->completions = channel->view.completion_producer();
    channel->client_event = house.client_events[c];
    channel->trusted = true;
    channel->own_bell = true;
    doorbell->channels[std::size_t(c)] = std::move(channel);
  }
  doorbells_.push_back(std::move(doorbell));
}

void watch_event(int epoll, int eventfd) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  epoll_ctl(epoll, EPOLL_CTL_ADD, eventfd, &event);
}

void ChannelTable::follow(Order&) {}
WorkerChannel* ChannelTable::map(WorkerDoorbell& doorbell, std::uint32_t bit) {
  return doorbell.channels[bit].get();
}
void ChannelTable::report_broken(WorkerChannel&, const char* reason) {
  explore::require(false, reason);
}
void ChannelTable::drop_stdio() {}
void Worker::run_command_job(JobRun&) {}

const Handler* HandlerTable::find(std::string_view) const {
  return &kHandler;
}
std::vector<std::string> HandlerTable::names() const {
  return {};
}

JobTimer::JobTimer(WorkerEntry& entry) : entry_(entry) {}
JobTimer::~JobTimer() = default;
void JobTimer::start(std::uint32_t, std::uint32_t) {}
void JobTimer::stop() {}
void ProcessBaseline::restore() const {}
bool may_have_strays() {
  return false;
}
void reap_strays() {}
void reap_dead_strays(pid_t) {}
void leave_without_descriptors() {
  throw std::logic_error("a descriptor is not open");
}

// ---- a client's connection

namespace detail {

ClientCore::ClientCore(UniqueFd socket, pid_t daemon, std::string where, std::string name)
    : socket_(std::move(socket)),
      daemon_(daemon),
      where_(std::move(where)),
      name_(std::move(name)) {}
ClientCore::~ClientCore() = default;

Result<ClientCore::Answer> ClientCore::request(const ClientRequest& request, std::span<const int>) {
  const House& house = *House::current;
  const int channel = std::stoi(std::get<OpenRequest>(request).pool);
  OpenReply reply;
  reply.channel = std::uint32_t(channel);
  reply.ready_bit = std::uint32_t(channel);
  reply.slots = house.view.shape().slots;
  reply.max_payload = house.view.shape().max_payload;
  reply.max_result = house.view.shape().max_result;
  reply.extent_cache = 1u << 30;
  reply.workers = house.options.workers;
  Answer answer{reply, {}};
  for (const int fd : {house.segments[channel], house.doorbell_page, house.pool_page,
                       house.client_events[channel]})
    answer.fds.push_back(UniqueFd(fd));
  for (std::uint32_t w = 0; w < reply.workers; ++w)
    answer.fds.push_back(UniqueFd(house.worker_events[w]));
  return answer;
}
void ClientCore::tell(const ClientRequest&) {}
void ClientCore::disconnected() {}
bool ClientCore::check_connection() {
  return true;
}
Error ClientCore::gone() const {
  return {};
}

}  // namespace detail
}  // namespace jobring
