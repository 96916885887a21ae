// A store whose keeper may die in the middle of a turn, or right before or after its commit.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "daemon/keeper/store.hpp"
#include "tests/support/steps.hpp"

namespace jobring::test {

using namespace jobring::keeper;

class MortalStore final : public Store {
 public:
  // `step` is called wherever it may die; it throws then, or does not return.
  MortalStore(std::unique_ptr<Store> store, std::function<void(Step)> step)
      : s_(std::move(store)), step_(std::move(step)) {}

  void begin(Clock now, Durability level) override {
    step_(Step::begin);
    s_->begin(now, level);
  }
  Result<void> commit() override {
    step_(Step::commit);
    auto done = s_->commit();
    step_(Step::committed);
    return done;
  }
  void abandon() override { s_->abandon(); }
  Result<void> flush() override {
    step_(Step::flush);
    return s_->flush();
  }
  bool unflushed() const override { return s_->unflushed(); }
  std::span<const Submitted> submit(std::span<const JobSpec> jobs) override {
    return s_->submit(jobs);
  }
  TakenBatch take(std::string_view pool, std::uint32_t most) override {
    step_(Step::take);
    return s_->take(pool, most);
  }
  void give_back(std::span<const JobId> jobs) override { s_->give_back(jobs); }
  std::uint32_t finish(std::span<const Ending> endings) override {
    step_(Step::finish);
    return s_->finish(endings);
  }
  bool wake(std::uint32_t most) override { return s_->wake(most); }
  void progress(std::span<const Progress> reports) override { s_->progress(reports); }
  Applied apply(Verb verb, const Selector& which, const Edit& edit, JobId from,
                std::uint32_t most) override {
    return s_->apply(verb, which, edit, from, most);
  }
  JobId new_group(std::uint32_t uid) override { return s_->new_group(uid); }
  void seal_group(JobId group) override { s_->seal_group(group); }
  void pause(std::string_view pool, bool paused) override { s_->pause(pool, paused); }
  void put_cron(const CronEntry& entry) override { s_->put_cron(entry); }
  bool remove_cron(std::string_view name) override { return s_->remove_cron(name); }
  bool clean(std::uint32_t most) override { return s_->clean(most); }
  bool import_job(const JobRecord& record) override { return s_->import_job(record); }
  void remember(std::string_view record, Until until) override { s_->remember(record, until); }
  std::span<const Change> changes() const override { return s_->changes(); }
  std::vector<Running> running() const override { return s_->running(); }
  std::vector<Counts> counts() const override { return s_->counts(); }
  Result<ListPage> list(const Selector& which, JobId below, std::uint32_t most) override {
    return s_->list(which, below, most);
  }
  Result<std::optional<JobRecord>> show(JobId id) override { return s_->show(id); }
  Result<std::vector<JobId>> over(std::span<const std::pair<JobId, JobId>> ranges,
                                  std::optional<std::uint32_t> uid, std::size_t most) override {
    return s_->over(ranges, uid, most);
  }
  Result<std::optional<GroupView>> group(JobId id) override { return s_->group(id); }
  Result<std::vector<CronEntry>> cron() override { return s_->cron(); }
  Result<std::string> remembered() override { return s_->remembered(); }
  Result<Clock> next_due() override { return s_->next_due(); }
  Result<std::int64_t> next_clean() override { return s_->next_clean(); }
  Clock last_clock() const override { return s_->last_clock(); }
  Result<std::vector<std::string>> check() override { return s_->check(); }

 private:
  std::unique_ptr<Store> s_;
  std::function<void(Step)> step_;
};

}  // namespace jobring::test
