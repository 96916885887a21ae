// The jobs that a verb looks at one by one: show, logs, result, explain. As many as lists show,
// unless each was named or -n says otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <jobring/durable.hpp>

#include "client/cli/durable/selection.hpp"
#include "client/cli/options.hpp"

namespace jobring::cli {

struct Picked {
  struct Job {
    JobId id = 0;
    std::string what;  // what_text(); empty: there is no such job, or it is a group
  };
  std::vector<Job> jobs;  // as they were named, else the oldest first
  bool more = false;      // there are older ones

  // For the lines between what they print (Parts): none if it is one alone.
  std::map<JobId, std::string> names() const;
};

class Pick {
 public:
  void add_to(Options& options);
  // What is not an option of the command line. The exit status if that makes no sense.
  std::optional<int> take(const Options& options, const std::vector<std::string>& words);

  // Of a group that is named: all that are in it, or, for who has use for it, the group.
  enum class Groups { members, whole };
  // Throws Exception(bad_input) if ids were given and none of them is a job's. What is named alone
  // and is not there is among them: asked for, it gives the error.
  Picked find(DurableJobs& jobs, Groups groups) const;

  // Only one job can be meant.
  bool one() const { return selection_.counted() && selection_.words() == 1; }

  // One line on stderr if there are more.
  void tell(const char* verb, const Picked& picked) const;

 private:
  Picked named(DurableJobs& jobs, Groups groups) const;

  Selection selection_;
  std::uint64_t limit_ = 50;
};

// `visit` each. If there are several, an error of one (it was forgotten meanwhile, ...) is a line
// on stderr and does not stop the others; alone it is thrown. The exit status: of the first error.
int for_each_picked(const char* verb, const Picked& picked,
                    const std::function<void(JobId)>& visit);

}  // namespace jobring::cli
