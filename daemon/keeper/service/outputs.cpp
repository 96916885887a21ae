#include "daemon/keeper/service/outputs.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <set>

#include "common/job_note.hpp"
#include "common/unique_fd.hpp"

namespace jobring::keeper {
namespace {

constexpr std::uint64_t kJobsEach = 1'000;  // of a directory
constexpr std::size_t kStep = 16;           // directories of one sweep

using Listing = std::unique_ptr<DIR, decltype([](DIR* d) { closedir(d); })>;

template <class T>
std::optional<T> whole_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

UniqueFd open_file(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
}

std::uint64_t size_of(int fd) {
  struct stat s {};
  return fstat(fd, &s) == 0 && S_ISREG(s.st_mode) ? std::uint64_t(s.st_size) : 0;
}

}  // namespace

Outputs::Outputs(std::string directory, std::uint64_t most)
    : directory_(std::move(directory)), most_(most) {
  const Listing listing(opendir(directory_.c_str()));
  if (!listing) return;
  while (const dirent* entry = readdir(listing.get()))
    if (const auto number = whole_number<std::uint64_t>(entry->d_name)) unseen_.push_back(*number);
  std::sort(unseen_.begin(), unseen_.end());
}

std::string Outputs::directory_of(std::uint64_t number) const {
  return directory_ + '/' + std::to_string(number);
}

std::string Outputs::path(JobId id, std::uint32_t attempt, Stream stream) const {
  return directory_of(id / kJobsEach) + '/' + std::to_string(id) + '.' + std::to_string(attempt) +
         (stream == Stream::out ? ".out" : ".err");
}

Outputs::Part Outputs::read(JobId id, std::uint32_t attempt, Stream stream, std::int64_t offset,
                            std::uint64_t most) const {
  Part part;
  const UniqueFd file = open_file(path(id, attempt, stream));
  if (!file) return part;
  part.there = true;
  part.size = size_of(file.get());
  if (offset >= 0)
    part.offset = std::uint64_t(offset);
  else
    part.offset = part.size - std::min(part.size, std::uint64_t(-(offset + 1)) + 1);
  if (part.offset >= part.size) return part;
  part.bytes.resize(std::size_t(std::min(most, part.size - part.offset)));
  const ssize_t n = pread(file.get(), part.bytes.data(), part.bytes.size(), off_t(part.offset));
  part.bytes.resize(n > 0 ? std::size_t(n) : 0);
  return part;
}

std::uint64_t Outputs::size(JobId id, std::uint32_t attempt, Stream stream) const {
  struct stat s {};
  if (lstat(path(id, attempt, stream).c_str(), &s) != 0 || !S_ISREG(s.st_mode)) return 0;
  return std::uint64_t(s.st_size);
}

std::string Outputs::tail(JobId id, std::uint32_t attempt, std::size_t most) const {
  if (most == 0) return {};
  for (const Stream stream : {Stream::err, Stream::out}) {
    Part part = read(id, attempt, stream, -std::int64_t(most), most);
    if (part.bytes.empty()) continue;
    // Whole lines, if there is one.
    if (part.offset > 0) {
      const auto line = part.bytes.find('\n');
      if (line != std::string::npos && line + 1 < part.bytes.size()) part.bytes.erase(0, line + 1);
    }
    while (!part.bytes.empty() && part.bytes.back() == '\n') part.bytes.pop_back();
    return std::move(part.bytes);
  }
  return {};
}

void Outputs::ended(JobId id, std::uint32_t attempt) {
  const std::uint64_t bytes = size(id, attempt, Stream::out) + size(id, attempt, Stream::err);
  const std::uint64_t number = id / kJobsEach;
  // One of a former life is counted when it is looked through.
  if (std::binary_search(unseen_.begin(), unseen_.end(), number)) return;
  known_[number] += bytes;
  total_ += bytes;
  nothing_to_drop_ = false;
}

void Outputs::removed(JobId id) {
  const std::uint64_t number = id / kJobsEach;
  if (known_.contains(number)) removed_[number].push_back(id);
}

void Outputs::comes_back(JobId id) {
  const auto found = removed_.find(id / kJobsEach);
  if (found == removed_.end() || std::erase(found->second, id) == 0) return;
  std::vector<File> files = files_of(found->first);
  std::erase_if(files, [&](const File& f) { return f.id != id; });
  drop(found->first, files);
  if (found->second.empty()) removed_.erase(found);
}

std::vector<Outputs::File> Outputs::files_of(std::uint64_t number) const {
  std::vector<File> files;
  const Listing listing(opendir(directory_of(number).c_str()));
  if (!listing) return files;
  while (const dirent* entry = readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    const auto id = whole_number<JobId>(name.substr(0, name.find('.')));
    struct stat s {};
    if (!id || fstatat(dirfd(listing.get()), entry->d_name, &s, AT_SYMLINK_NOFOLLOW) != 0) continue;
    files.push_back({std::string(name), *id, std::uint64_t(s.st_size)});
  }
  return files;
}

void Outputs::drop(std::uint64_t number, const std::vector<File>& files) {
  const std::string directory = directory_of(number);
  std::uint64_t& counted = known_[number];
  for (const File& file : files) {
    if (unlink((directory + '/' + file.name).c_str()) != 0) continue;
    const std::uint64_t bytes = std::min(counted, file.size);
    counted -= bytes;
    total_ -= bytes;
  }
  // Only if nothing is left in it.
  if (rmdir(directory.c_str()) != 0) return;
  total_ -= counted;
  known_.erase(number);
}

bool Outputs::sweep(const Jobs& jobs) {
  std::size_t steps = 0;
  while (!removed_.empty() && steps++ < kStep) {
    const auto first = removed_.begin();
    const std::set<JobId> gone(first->second.begin(), first->second.end());
    std::vector<File> files = files_of(first->first);
    std::erase_if(files, [&](const File& f) { return !gone.contains(f.id); });
    drop(first->first, files);
    removed_.erase(first);
  }
  while (!unseen_.empty() && steps++ < kStep) {
    const std::uint64_t number = unseen_.front();
    unseen_.pop_front();
    std::vector<File> files = files_of(number);
    for (const File& file : files) {
      // What still runs is counted when it ends.
      if (jobs.runs(file.id)) continue;
      known_[number] += file.size;
      total_ += file.size;
    }
    std::erase_if(files, [&](const File& f) { return jobs.runs(f.id) || jobs.known(f.id); });
    known_.try_emplace(number, 0);
    drop(number, files);
  }
  if (!unseen_.empty() || !removed_.empty()) return true;
  if (!over()) return false;
  // The oldest first.
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, bytes] : known_) {
    if (bytes > 0) numbers.push_back(number);
    if (numbers.size() == kStep) break;
  }
  bool dropped = false;
  for (const std::uint64_t number : numbers) {
    if (total_ <= most_) break;
    std::vector<File> files = files_of(number);
    std::erase_if(files, [&](const File& f) { return jobs.runs(f.id) || f.size == 0; });
    std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.id < b.id; });
    std::uint64_t left = total_ - most_;
    std::size_t count = 0;
    while (count < files.size() && left > 0) left -= std::min(left, files[count++].size);
    files.resize(count);
    dropped |= count > 0;
    drop(number, files);
  }
  nothing_to_drop_ = !dropped;
  return over();
}

}  // namespace jobring::keeper
