#include "daemon/state_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "common/unique_fd.hpp"

namespace jobring {

Result<void> make_state_dir(const std::string& path) {
  const std::filesystem::path directory(path);
  std::error_code error;
  std::filesystem::create_directories(directory.parent_path(), error);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return system_error("mkdir", path);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return system_error("open", path);
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return system_error("fstat", path);
  if (info.st_uid != geteuid())
    return Error{Errc::config, "belongs to user " + std::to_string(info.st_uid), path,
                 "name a directory of the daemon's own user in keeper.state_dir"};
  // A manager that made it for us (StateDirectory=) may have let others in.
  if ((info.st_mode & 0077) != 0 && fchmod(fd.get(), 0700) != 0) return system_error("chmod", path);
  return {};
}

}  // namespace jobring
