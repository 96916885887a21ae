#include "tests/keeper_service/world.hpp"

#include <algorithm>

#include "tests/support/mortal_store.hpp"

namespace jobring::test {
namespace {

JobId id_of(const std::string& tag) {
  return std::stoull(tag);
}

class PlayedEnd final : public PoolChannel {
 public:
  PlayedEnd(World& world, std::shared_ptr<PlayedChannel> channel, bool adopted)
      : world_(world), c_(std::move(channel)), adopted_(adopted) {}
  std::uint32_t slots() const override { return std::uint32_t(c_->slots.size()); }
  bool broken() const override { return c_->broken; }
  Room put(const Put& job, std::uint32_t& slot, std::string& why) override {
    world_.step();
    if (job.handler == "refused") {
      why = "refused";
      return Room::refused;
    }
    for (slot = 0; slot < c_->slots.size(); ++slot) {
      PlayedSlot& s = c_->slots[slot];
      if (s.state != PlayedSlot::State::free) continue;
      s = {};
      s.state = PlayedSlot::State::queued;
      s.handler = job.handler;
      s.payload = job.payload;
      s.tag = job.tag;
      s.timeout_ms = job.timeout_ms;
      unpublished_.push_back(slot);
      return Room::done;
    }
    return Room::none;
  }
  void publish() override {
    world_.step();
    for (const std::uint32_t slot : unpublished_) c_->queue.push_back(slot);
    unpublished_.clear();
  }
  void reap(std::vector<Done>& done, std::size_t most) override {
    for (std::uint32_t i = 0; i < c_->slots.size() && most > 0; ++i) {
      const PlayedSlot& s = c_->slots[i];
      if (s.state != PlayedSlot::State::done || reaped_.contains(i)) continue;
      reaped_.insert(i);
      Done d;
      d.slot = i;
      d.outcome = s.outcome;
      d.detail = s.detail;
      d.run_us = 1'000;
      d.result = s.result;
      done.push_back(d);
      --most;
    }
  }
  void release(std::uint32_t slot) override {
    world_.step();
    REQUIRE(reaped_.erase(slot) == 1);
    c_->slots[slot] = {};
  }
  bool withdraw(std::uint32_t slot) override {
    PlayedSlot& s = c_->slots[slot];
    if (s.state != PlayedSlot::State::queued) return false;
    s.state = PlayedSlot::State::done;
    s.outcome = Outcome::cancelled;
    std::erase(c_->queue, slot);
    return true;
  }
  void kill(std::uint32_t slot, int signal) override { c_->slots[slot].signal = signal; }
  bool begun(std::uint32_t slot) const override {
    return c_->slots[slot].state != PlayedSlot::State::queued;
  }
  bool progress(std::uint32_t slot, std::uint64_t& done, std::uint64_t& total,
                std::string& text) const override {
    const PlayedSlot& s = c_->slots[slot];
    if (s.state != PlayedSlot::State::running || s.progress == 0) return false;
    done = s.progress;
    total = 100;
    text = "on it";
    return true;
  }
  void close() override { c_->closed = true; }
  std::vector<Adopted> adopted() override {
    std::vector<Adopted> all;
    for (std::uint32_t i = 0; adopted_ && i < c_->slots.size(); ++i)
      if (c_->slots[i].state != PlayedSlot::State::free)
        all.push_back({i, c_->slots[i].tag, c_->slots[i].state == PlayedSlot::State::done});
    return all;
  }

 private:
  World& world_;
  std::shared_ptr<PlayedChannel> c_;
  bool adopted_;
  std::vector<std::uint32_t> unpublished_;
  std::set<std::uint32_t> reaped_;
};

}  // namespace

void World::start() {
  keeper.reset();
  auto store = open_sqlite_store(file);
  REQUIRE_MESSAGE(store.ok(), store.error().line());
  std::vector<Feed::Kept> kept;
  for (const auto& channel : channels) {
    if (channel->closed) continue;
    // What was put and not published nobody has seen.
    for (std::uint32_t i = 0; i < channel->slots.size(); ++i) {
      const bool published =
          std::find(channel->queue.begin(), channel->queue.end(), i) != channel->queue.end();
      if (channel->slots[i].state == PlayedSlot::State::queued && !published)
        channel->slots[i] = {};
    }
    kept.push_back({channel->pool, channel->uid, channel->gid});
  }
  auto mortal = std::make_unique<MortalStore>(std::move(*store), [this](Step) { step(); });
  keeper = std::make_unique<Keeper>(std::move(mortal), *this, *this, options, now,
                                    [this](const std::string& line) { troubles.push_back(line); });
  const auto adopted = keeper->adopt(kept);
  REQUIRE_MESSAGE(adopted.ok(), adopted.error().line());
}

Result<std::unique_ptr<PoolChannel>> World::open(const std::string& pool, std::uint32_t uid,
                                                 std::uint32_t gid) {
  if (refuse_channels) return *refuse_channels;
  for (const auto& channel : channels)
    if (!channel->closed && channel->pool == pool && channel->uid == uid)
      return std::unique_ptr<PoolChannel>(std::make_unique<PlayedEnd>(*this, channel, true));
  const auto info =
      std::find_if(pools_.begin(), pools_.end(), [&](const PoolInfo& p) { return p.name == pool; });
  REQUIRE(info != pools_.end());
  auto channel = std::make_shared<PlayedChannel>();
  channel->pool = pool;
  channel->uid = uid;
  channel->gid = gid;
  channel->slots.resize(info->slots);
  channels.push_back(channel);
  return std::unique_ptr<PoolChannel>(std::make_unique<PlayedEnd>(*this, channel, false));
}

void World::settle() {
  for (int i = 0; i < 10'000; ++i)
    if (!keeper->turn(now)) return;
  FAIL("there is always more to do");
}

void World::answer(std::uint64_t token, std::string_view bytes) {
  step();
  if (token == kNobody) return;
  const auto reply = decode_reply(bytes);
  REQUIRE_MESSAGE(reply.ok(), reply.error().line());
  REQUIRE_FALSE(answers.contains(token));
  answers[token] = {reply->status, reply->flags, reply->id, reply->number,
                    std::string(reply->payload)};
}

Caller World::caller(std::uint64_t token, std::uint32_t uid) const {
  Caller caller;
  caller.token = token;
  caller.session = uid + 1;
  caller.slot = std::uint32_t(token % 1'000);
  caller.generation = token;
  caller.uid = caller.gid = uid;
  caller.privileged = uid == 0;
  return caller;
}

std::uint64_t World::begin(const Request& request, std::uint32_t uid) {
  requests_.push_back(encode(request));
  keeper->ask(caller(++last_token_, uid), requests_.back(), now);
  return last_token_;
}

void World::repeat(std::uint64_t token, const Request& request, std::uint32_t uid) {
  requests_.push_back(encode(request));
  Caller again = caller(token, uid);
  again.again = true;
  answers.erase(token);
  keeper->ask(again, requests_.back(), now);
}

std::optional<World::Answer> World::answer_to(std::uint64_t token) const {
  const auto found = answers.find(token);
  return found == answers.end() ? std::nullopt : std::optional(found->second);
}

World::Answer World::ask(const Request& request, std::uint32_t uid) {
  const std::uint64_t token = begin(request, uid);
  settle();
  const auto answer = answer_to(token);
  REQUIRE(answer.has_value());
  return *answer;
}

JobId World::submit(JobSpec spec, std::uint32_t uid) {
  Request r;
  r.op = Op::submit;
  r.jobs = {spec};
  const Answer answer = ask(r, uid);
  REQUIRE_MESSAGE(answer.status == Status::ok, answer.payload);
  std::vector<Submitted> told;
  REQUIRE(decode_submitted(answer.payload, told));
  REQUIRE(told.size() == 1);
  REQUIRE(told[0].status == Submitted::Status::stored);
  return told[0].id;
}

World::Answer World::apply(Verb verb, Selector which, Edit edit, std::uint32_t uid) {
  Request r;
  r.op = Op::apply;
  r.verb = verb;
  r.which = std::move(which);
  r.edit = edit;
  return ask(r, uid);
}

JobView World::show(JobId id, std::uint32_t uid) {
  Request r;
  r.op = Op::show;
  r.id = id;
  r.flags = kComplete;
  Answer answer = ask(r, uid);
  REQUIRE_MESSAGE(answer.status == Status::ok, answer.payload);
  JobRecord record;
  std::vector<char> bytes(answer.payload.begin(), answer.payload.end());
  REQUIRE(decode_record({bytes.data(), bytes.size()}, record));
  record.job.bytes.push_back(std::move(bytes));
  return std::move(record.job);
}

std::string World::explain(JobId id) {
  return ask(request(Op::explain, id)).payload;
}

std::uint64_t World::count(const std::string& pool, JobState state) {
  std::vector<Counts> counts;
  REQUIRE(decode_counts(ask(request(Op::counts)).payload, counts));
  for (const Counts& c : counts)
    if (c.pool == pool) return c.jobs[std::size_t(state)];
  return 0;
}

std::vector<JobId> World::queued(const std::string& pool) const {
  std::vector<JobId> ids;
  for (const auto& channel : channels) {
    if (channel->pool != pool) continue;
    for (const std::uint32_t slot : channel->queue) ids.push_back(id_of(channel->slots[slot].tag));
  }
  return ids;
}

JobId World::begin_one(const std::string& pool) {
  for (const auto& channel : channels) {
    if (channel->pool != pool || channel->queue.empty()) continue;
    PlayedSlot& s = channel->slots[channel->queue.front()];
    channel->queue.pop_front();
    s.state = PlayedSlot::State::running;
    const JobId id = id_of(s.tag);
    REQUIRE_MESSAGE(running.insert(id).second, "a job runs twice at a time");
    return id;
  }
  return 0;
}

PlayedSlot* World::slot_of(JobId id) {
  for (const auto& channel : channels)
    for (PlayedSlot& s : channel->slots) {
      const bool over = s.state == PlayedSlot::State::free || s.state == PlayedSlot::State::done;
      if (!over && id_of(s.tag) == id) return &s;
    }
  return nullptr;
}

void World::finish(JobId id, Outcome outcome, std::string result, std::int32_t detail) {
  PlayedSlot* s = slot_of(id);
  REQUIRE(s != nullptr);
  REQUIRE(s->state == PlayedSlot::State::running);
  s->outcome = outcome;
  s->result = std::move(result);
  s->detail = detail;
  s->state = PlayedSlot::State::done;
  running.erase(id);
}

std::size_t World::run_all(const std::string& pool) {
  std::size_t ran = 0;
  settle();
  while (const JobId id = begin_one(pool)) {
    finish(id);
    ++ran;
    settle();
  }
  return ran;
}

}  // namespace jobring::test
