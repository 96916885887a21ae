// What users ask for, as the keeper takes it: views of what they gave, checked.
#pragma once

#include <span>
#include <vector>

#include <jobring/durable.hpp>

#include "common/keeper/messages.hpp"

namespace jobring::detail {

// All throw DurableError(bad_argument). `who` stands before the words: "job 17: ".
keeper::JobSpec to_keeper(std::string_view handler, std::string_view payload,
                          const DurableOptions& options, const std::string& who = {});
// Of a submission; jobs may be after those that stand before them.
std::vector<keeper::JobSpec> specs_of(std::span<const DurableJob> jobs);
keeper::Selector to_keeper(const JobFilter& filter);
keeper::Edit to_keeper(const JobEdit& edit);

// More bytes than it takes in a request.
std::size_t bytes_at_most(const keeper::JobSpec& spec);

}  // namespace jobring::detail
