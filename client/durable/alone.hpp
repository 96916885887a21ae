// A submission by who asks the daemon for nothing else.
#pragma once

#include <functional>

#include <jobring/durable.hpp>

namespace jobring::detail {

// As DurableJobs::submit_all() of one job, but without the channel that a DurableJobs is wherever
// that can be: its making takes longer than the submission. `where`: the daemon that `connect`
// connects to, which is called if it takes a channel. Throws as that does.
SubmitAnswer submit_alone(const ConnectOptions& where, const DurableJob& job,
                          const std::function<Client()>& connect);

}  // namespace jobring::detail
