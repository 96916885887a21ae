// One uid's doorbell in one pool: the page of ready bits, an eventfd per worker, and which bits are
// taken. Or that of the keeper, which has the channels of all users whose durable jobs it hands
// out: none of them may touch what it waits for.
#pragma once

#include <sys/types.h>

#include <bitset>
#include <cstdint>
#include <vector>

#include "common/doorbell.hpp"
#include "common/result.hpp"
#include "common/segment.hpp"
#include "common/unique_fd.hpp"

namespace jobring {

struct DoorbellSet {
  std::uint32_t index = 0;
  uid_t uid = 0;
  bool kept = false;  // the keeper's
  UniqueFd segment;
  Mapping mapping;
  std::vector<UniqueFd> events;  // one per worker
  std::bitset<kChannelsPerDoorbell> taken;

  static Result<DoorbellSet> create(std::uint32_t index, uid_t uid, std::uint32_t workers);
  DoorbellPage& page() const { return *mapping.as<DoorbellPage>(); }
};

}  // namespace jobring
