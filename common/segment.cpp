#include "common/segment.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <boost/interprocess/mapped_region.hpp>
#include <cstdio>

namespace jobring {
namespace {

// What Boost.Interprocess calls a MemoryMappable: a descriptor and a mode are all that
// mapped_region asks for.
class MappableFd {
 public:
  MappableFd(int fd, boost::interprocess::mode_t mode) : fd_(fd), mode_(mode) {}
  boost::interprocess::mapping_handle_t get_mapping_handle() const { return {fd_, false}; }
  boost::interprocess::mode_t get_mode() const { return mode_; }

 private:
  int fd_;
  boost::interprocess::mode_t mode_;
};

}  // namespace

Result<UniqueFd> create_segment(const char* name, std::size_t size) {
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return system_error("memfd_create", name);
  // A memfd is born with mode 0777, which would let any uid that gets a read-only descriptor open
  // it for writing.
  if (fchmod(fd.get(), 0600) != 0) return system_error("fchmod", name);
  if (ftruncate(fd.get(), off_t(size)) != 0) return system_error("ftruncate", name);
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return system_error("seal", name);
  return fd;
}

Result<UniqueFd> reopen_read_only(int segment_fd) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", segment_fd);
  UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("open for reading", path);
  return fd;
}

Result<std::size_t> sealed_size(int segment_fd) {
  const int seals = fcntl(segment_fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    return Error{Errc::protocol, "the segment is not sealed against shrinking", {}, {}};
  }
  struct stat info;
  if (fstat(segment_fd, &info) != 0) return system_error("fstat", "segment");
  return std::size_t(info.st_size);
}

Mapping::Mapping() = default;
Mapping::Mapping(Mapping&&) noexcept = default;
Mapping& Mapping::operator=(Mapping&&) noexcept = default;
Mapping::~Mapping() = default;

Result<Mapping> Mapping::map(int segment_fd, std::size_t size, Access access) {
  const auto mode = access == Access::read_only ? boost::interprocess::read_only
                                                : boost::interprocess::read_write;
  Mapping mapping;
  try {
    mapping.region_ = std::make_unique<boost::interprocess::mapped_region>(
        MappableFd(segment_fd, mode), mode, 0, size);
  } catch (const boost::interprocess::interprocess_exception& e) {
    return Error{Errc::system,
                 std::string("mmap: ") + e.what(),
                 "segment of " + std::to_string(size) + " bytes",
                 {}};
  }
  return mapping;
}

void* Mapping::base() const {
  return region_ ? region_->get_address() : nullptr;
}
std::size_t Mapping::size() const {
  return region_ ? region_->get_size() : 0;
}

}  // namespace jobring
