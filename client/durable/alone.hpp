// A submission by who asks the daemon for nothing else.
#pragma once

#include <optional>

#include <jobring/durable.hpp>

namespace jobring {

class Client;

namespace detail {

// As DurableJobs::submit_all() of one job, without the channel that a DurableJobs is: its making
// takes longer than the submission. nullopt: the job is too big for that, nothing was done. Throws
// as that does.
std::optional<SubmitAnswer> submit_alone(Client& client, const DurableJob& job);

}  // namespace detail
}  // namespace jobring
