// Payloads and results that answers left out.
#pragma once

#include <string>

#include "client/durable/core.hpp"

namespace jobring::detail {

// The job's result, else its payload, in as many requests as it takes. Throws.
std::string fetch(DurableCore& core, JobId id, bool result);

}  // namespace jobring::detail
