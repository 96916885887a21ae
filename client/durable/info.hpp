// What the keeper says, as users see it. The public types own their bytes; those of the keeper's
// messages are views of an answer.
#pragma once

#include <vector>

#include <jobring/durable.hpp>

#include "common/keeper/messages.hpp"

namespace jobring::detail {

DurableInfo to_public(const keeper::JobView& job);
DurableInfo to_public(const keeper::JobRecord& record);
JobGroup to_public(const keeper::GroupView& group);
AttemptInfo to_public(const keeper::Attempt& attempt);
SubmitAnswer to_public(const keeper::Submitted& answer);
PoolJobs to_public(const keeper::Counts& counts);
CronSpec to_public(const keeper::CronJob& entry);
JobEvent to_public(const keeper::Event& event);

// What the job failed with, as JobFailed has it. Of a job that ended without success.
JobResult failure_of(const DurableInfo& info);

WallTime to_wall(std::int64_t real_ms);

// What a submission was answered.
std::vector<SubmitAnswer> answers_of(const keeper::ReplyView& reply);

}  // namespace jobring::detail
