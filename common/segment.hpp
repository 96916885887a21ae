// Shared-memory segments: memfds of fixed size, sealed, and their mappings.
#pragma once

#include <cstddef>
#include <memory>

#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace boost::interprocess {
class mapped_region;
}

namespace jobring {

// Creates a sparse memfd of `size` bytes, mode 0600, sealed against shrinking, growing and further
// seals: whoever maps it may rely on its size. `name` is what /proc shows.
Result<UniqueFd> create_segment(const char* name, std::size_t size);

// A second descriptor of a segment that can only be mapped for reading. Works because the memfd's
// own mode (0600) keeps other uids from opening it again for writing through /proc.
Result<UniqueFd> reopen_read_only(int segment_fd);

// Size of a segment, after checking that its seals forbid shrinking: only then is mapped memory
// sure not to vanish.
Result<std::size_t> sealed_size(int segment_fd);

// A mapping that unmaps itself.
class Mapping {
 public:
  enum class Access { read_only, read_write };

  Mapping();
  Mapping(Mapping&&) noexcept;
  Mapping& operator=(Mapping&&) noexcept;
  ~Mapping();

  // Maps the first `size` bytes.
  static Result<Mapping> map(int segment_fd, std::size_t size, Access access);

  void* base() const;
  std::size_t size() const;
  template <class T>
  T* as() const {
    return static_cast<T*>(base());
  }

 private:
  std::unique_ptr<boost::interprocess::mapped_region> region_;
};

}  // namespace jobring
