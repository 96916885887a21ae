// The store as a few maps: what every engine has to do, without any thought of speed.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/keeper/order.hpp"
#include "daemon/keeper/store.hpp"

namespace jobring::test {

using namespace jobring::keeper;

struct ModelJob {
  JobState state = JobState::delayed;
  std::string pool, key, unique, tag;
  std::uint32_t key_max = 0;
  std::int32_t priority = 0;
  std::uint32_t tries = 0, base = 0;
  std::int64_t due = 0, deadline = 0, expiry = 0;
  bool real_due = false, stop = false;
  UniqueUntil until = UniqueUntil::ended;
  std::map<JobId, After> waits;
  JobId group = 0;
  std::uint64_t keep = 0;
};
struct ModelGroup {
  bool sealed = false;
  std::int64_t size = 0, open = 0, bad = 0, kept = 0;
};

class Model {
 public:
  explicit Model(std::int64_t ageing, std::uint64_t keep) : ageing_(ageing), keep_(keep) {}

  Clock now;
  JobId next = 1;
  std::map<JobId, ModelJob> jobs;
  std::map<JobId, ModelGroup> groups;

  // Answers as the store should.
  Submitted submit(const JobSpec& spec, const std::vector<Submitted>& before);
  std::vector<std::pair<JobId, std::uint32_t>> take(const std::string& pool, std::uint32_t most);
  void give_back(JobId id);
  bool finish(JobId id, std::uint32_t attempt, JobState next, std::int64_t due);
  void wake();
  bool apply(Verb verb, JobId id, const Edit& edit);  // changed
  void clean();
  void seal(JobId group);
  bool fits(const Selector& which, JobId id) const;

 private:
  struct Claim {
    JobId id = 0;
    std::int64_t until = 0;
  };
  JobState waiting_state(const ModelJob& j) const;
  void ready(ModelJob& j);
  void end(JobId id, JobState state);
  void over(JobId parent, bool good);
  void remove(JobId id);
  void group_changed(JobId group);

  std::int64_t ageing_;
  std::uint64_t keep_;
  std::map<std::string, Claim> unique_;
  std::map<JobId, bool> settled_;
};

}  // namespace jobring::test
