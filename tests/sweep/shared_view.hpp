// All shared memory of a daemon, seen from outside: read-only mappings of its segments, found in
// /proc. For the checks after a kill, and to tell which instructions others could see.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/channel_layout.hpp"
#include "common/doorbell.hpp"
#include "common/pool_page.hpp"
#include "tests/sweep/run_log.hpp"

namespace jobring::test {

// Not thread-safe. Assumes that payloads and results fit into their slots: extents are not looked
// at.
class SharedView {
 public:
  SharedView(pid_t daemon, ChannelShape shape);
  ~SharedView();
  SharedView(const SharedView&) = delete;
  SharedView& operator=(const SharedView&) = delete;

  // Maps what is new, and forgets what the daemon holds no more.
  void refresh();
  // True if any byte has changed since the last call: what nobody else can see is no change.
  bool changed();
  // Has changed() look at these notes as well.
  void watch(RunLog& log, std::uint64_t first_tag, std::size_t count);

  const PoolPage& page() const;
  bool sleeps(std::uint32_t worker) const;
  // Of every channel that the daemon holds.
  const std::vector<ChannelView>& channels() const { return channels_; }
  // The channel that this client process has open. Precondition: it has one, and refresh() saw it.
  const ChannelView& channel_of(pid_t client) const;
  // What is wrong with a state at rest, when no job is outstanding; empty: nothing.
  std::string fault_at_rest(std::uint32_t workers) const;

 private:
  struct Region {
    ino_t inode = 0;
    std::string name;
    void* base = nullptr;
    std::size_t size = 0;
    std::size_t looked_at = 0;  // bytes from its start that changed() compares
    std::vector<unsigned char> seen;
    bool held = true;
  };
  static bool region_changed(Region& region);

  pid_t daemon_;
  ChannelShape shape_;
  std::vector<Region> regions_;
  std::vector<ChannelView> channels_;
  std::vector<ino_t> inodes_;  // of channels_
  Region notes_;
};

}  // namespace jobring::test
