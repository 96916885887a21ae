#include "daemon/doorbell_set.hpp"

#include "daemon/channel.hpp"

namespace jobring {

Result<DoorbellSet> DoorbellSet::create(std::uint32_t index, uid_t uid, std::uint32_t workers) {
  DoorbellSet set;
  set.index = index;
  set.uid = uid;
  auto segment = create_segment("jobring:doorbell", sizeof(DoorbellPage));
  if (!segment) return segment.error();
  auto mapping = Mapping::map(segment->get(), sizeof(DoorbellPage), Mapping::Access::read_write);
  if (!mapping) return mapping.error();
  set.segment = std::move(*segment);
  set.mapping = std::move(*mapping);
  for (std::uint32_t w = 0; w < workers; ++w) {
    auto event = create_event();
    if (!event) return event.error();
    set.events.push_back(std::move(*event));
  }
  return set;
}

}  // namespace jobring
