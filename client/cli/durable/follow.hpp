// The output of a durable command, as it comes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include <jobring/durable.hpp>

#include "client/cli/durable/parts.hpp"

namespace jobring::cli {

struct FollowWhat {
  bool out = true, err = true;        // to our stdout and stderr
  std::uint32_t attempt = 0;          // 0: this and all that come after it
  std::optional<std::uint64_t> tail;  // begin so many lines before what is there now
};

// Writes what there is and what comes, until the job has ended (or the attempt, if one is named).
// Throws Exception(bad_input) if there is no such job.
void follow(DurableJobs& jobs, JobId id, const FollowWhat& what, Parts& to);

// Gives what there is now of one attempt (0: the last) in pieces, and returns whether all of it was
// kept. `tail`: only the last so many lines.
bool read_output(DurableJobs& jobs, JobId id, bool of_stderr, std::uint32_t attempt,
                 std::optional<std::uint64_t> tail,
                 const std::function<void(std::string_view)>& take);

}  // namespace jobring::cli
