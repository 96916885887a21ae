#include "tests/sweep/shared_view.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace jobring::test {

SharedView::SharedView(pid_t daemon, ChannelShape shape) : daemon_(daemon), shape_(shape) {
  refresh();
}

SharedView::~SharedView() {
  for (Region& region : regions_) munmap(region.base, region.size);
}

void SharedView::refresh() {
  const std::string directory = "/proc/" + std::to_string(daemon_) + "/fd";
  DIR* dir = opendir(directory.c_str());
  if (dir == nullptr) return;  // it is dead: what we saw last is what there was
  for (Region& region : regions_) region.held = false;
  while (const dirent* entry = readdir(dir)) {
    const std::string path = directory + "/" + entry->d_name;
    char target[128];
    const ssize_t n = readlink(path.c_str(), target, sizeof target - 1);
    if (n <= 0) continue;
    const std::string name(target, std::size_t(n));
    if (!name.starts_with("/memfd:jobring:")) continue;
    struct stat info;
    if (stat(path.c_str(), &info) != 0 || info.st_size == 0) continue;
    const auto known = std::find_if(regions_.begin(), regions_.end(),
                                    [&](const Region& r) { return r.inode == info.st_ino; });
    if (known != regions_.end()) {
      known->held = true;
      continue;
    }
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    Region region;
    region.inode = info.st_ino;
    region.name = name;
    region.size = std::size_t(info.st_size);
    region.base = mmap(nullptr, region.size, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (region.base == MAP_FAILED) throw std::runtime_error("cannot map " + name);
    region.looked_at = region.size;
    if (name.find("channel") != std::string::npos) {
      region.looked_at = std::min(region.size, ChannelLayout(shape_).extents);
    }
    regions_.push_back(std::move(region));
  }
  closedir(dir);
  std::erase_if(regions_, [](const Region& region) {
    if (!region.held) munmap(region.base, region.size);
    return !region.held;
  });
  channels_.clear();
  inodes_.clear();
  for (Region& region : regions_) {
    if (region.name.find("channel") == std::string::npos) continue;
    ChannelShape shape = shape_;
    shape.slots = ChannelView(region.base, shape_).header().slots.get();
    channels_.emplace_back(region.base, shape);
    inodes_.push_back(region.inode);
  }
}

const ChannelView& SharedView::channel_of(pid_t client) const {
  std::ifstream maps("/proc/" + std::to_string(client) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    // Its own mapping is writable; it may have inherited read-only ones of ours.
    unsigned long inode = 0;
    if (line.find("jobring:channel") == std::string::npos ||
        std::sscanf(line.c_str(), "%*s rw-s %*s %*s %lu", &inode) != 1) {
      continue;
    }
    for (std::size_t i = 0; i < inodes_.size(); ++i) {
      if (inodes_[i] == inode) return channels_[i];
    }
  }
  throw std::runtime_error("the client has no channel");
}

void SharedView::watch(RunLog& log, std::uint64_t first_tag, std::size_t count) {
  notes_.base = &log.note(first_tag);
  notes_.size = notes_.looked_at = count * sizeof(RunNote);
  notes_.seen.clear();
}

bool SharedView::region_changed(Region& region) {
  if (region.seen.size() != region.looked_at) {
    region.seen.resize(region.looked_at);
  } else if (std::memcmp(region.seen.data(), region.base, region.looked_at) == 0) {
    return false;
  }
  std::memcpy(region.seen.data(), region.base, region.looked_at);
  return true;
}

bool SharedView::changed() {
  bool any = notes_.base != nullptr && region_changed(notes_);
  for (Region& region : regions_) any = region_changed(region) || any;
  return any;
}

const PoolPage& SharedView::page() const {
  for (const Region& region : regions_) {
    if (region.name.find(":pool:") != std::string::npos)
      return *static_cast<const PoolPage*>(region.base);
  }
  throw std::runtime_error("the daemon has no pool page");
}

bool SharedView::sleeps(std::uint32_t worker) const {
  return page().sleeping[worker / 64].load() >> (worker % 64) & 1;
}

std::string SharedView::fault_at_rest(std::uint32_t workers) const {
  for (std::uint32_t w = 0; w < workers; ++w) {
    const std::string who = "worker " + std::to_string(w);
    const auto& entry = page().worker(w);
    if (!sleeps(w)) return who + " does not sleep";
    if (entry.batch_count.load() != 0) return who + " has a batch";
    if (entry.busy.get() != 0) return who + " is busy";
  }
  for (const ChannelView& channel : channels_) {
    for (std::uint32_t i = 0; i < channel.shape().slots; ++i) {
      const StateWord word = channel.slot(i).word();
      if (!word.is(SlotState::free) || word.owner() != 0) {
        return "slot " + std::to_string(i) + " is " + to_string(word.state()) + ", owner " +
               std::to_string(word.owner());
      }
    }
    // `rescan` may be raised: by a recovery that ended after the client had got all it waited for.
    for (std::uint32_t p = 0; p < kPriorities; ++p) {
      if (channel.submission_consumer(p).backlog() != 0) return "a submission ring is not empty";
    }
  }
  return {};
}

}  // namespace jobring::test
