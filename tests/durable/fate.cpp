#include "tests/durable/fate.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

namespace jobring::test {

Fate::Fate() {
  file_ = (std::filesystem::temp_directory_path() / "jobring-fate-XXXXXX").string();
  const int fd = mkstemp(file_.data());
  if (fd < 0 || ftruncate(fd, sizeof(FateWords)) != 0) throw std::runtime_error("mkstemp");
  void* const at = mmap(nullptr, sizeof(FateWords), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (at == MAP_FAILED) throw std::runtime_error("mmap");
  words_ = static_cast<FateWords*>(at);
}

Fate::~Fate() {
  munmap(words_, sizeof(FateWords));
  unlink(file_.c_str());
}

void Fate::die_at(Step step, std::uint32_t nth, Step then, std::uint32_t then_nth) {
  live_on();
  words_->deaths[0].step = unsigned(step);
  words_->deaths[1].step = unsigned(then);
  words_->deaths[1].left = then_nth;
  words_->deaths[0].left = nth;
}

void Fate::live_on() {
  for (FateWords::Death& death : words_->deaths) death.left = 0;
  words_->died = 0;
}

}  // namespace jobring::test
