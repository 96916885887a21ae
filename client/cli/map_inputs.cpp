#include "client/cli/map_inputs.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

namespace jobring::cli {

Result<Pull> MapInputs::Source::next(Value& value) {
  if (lines) return lines->next(value.text, value.too_long);
  if (next_word == words.size()) return Pull::end;
  value.text = words[next_word++];
  value.too_long = false;
  return Pull::got;
}

std::optional<std::uint64_t> MapInputs::Source::total() const {
  if (lines) return lines->count();
  return words.size();
}

Result<std::vector<MapInputs::Row>> MapInputs::read_all(std::vector<Source> group) {
  std::vector<Row> rows;
  while (true) {
    Row row(group.size());
    for (std::size_t i = 0; i < group.size();) {
      const Result<Pull> pulled = group[i].next(row[i]);
      if (!pulled) return pulled.error();
      if (*pulled == Pull::end) return rows;
      if (*pulled == Pull::got) {
        ++i;
        continue;
      }
      pollfd fd = {group[i].lines->fd(), POLLIN, 0};
      poll(&fd, 1, -1);
    }
    rows.push_back(std::move(row));
  }
}

Result<MapInputs> MapInputs::open(std::vector<SourceSpec> specs, char separator, std::size_t most) {
  std::vector<std::vector<Source>> groups;
  for (SourceSpec& spec : specs) {
    Source source;
    if (spec.is_file) {
      UniqueFd fd(spec.file == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                   : ::open(spec.file.c_str(), O_RDONLY | O_CLOEXEC));
      if (!fd) return system_error("open", spec.file);
      source.lines = std::make_unique<LineReader>(
          std::move(fd), spec.file == "-" ? "stdin" : spec.file, separator, most);
    } else {
      source.words = std::move(spec.words);
    }
    if (!spec.linked || groups.empty()) groups.emplace_back();
    groups.back().push_back(std::move(source));
  }
  MapInputs inputs;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (i == 0) {
      inputs.outer_ = std::move(groups[0]);
      continue;
    }
    auto rows = read_all(std::move(groups[i]));
    if (!rows) return rows.error();
    inputs.inner_.push_back(std::move(*rows));
  }
  inputs.wheel_.resize(inputs.inner_.size());
  return inputs;
}

Result<Pull> MapInputs::next_outer() {
  while (outer_row_.size() < outer_.size()) {
    Source& source = outer_[outer_row_.size()];
    Value value;
    const Result<Pull> pulled = source.next(value);
    if (!pulled || *pulled == Pull::end) return pulled;
    if (*pulled == Pull::later) {
      waiting_fd_ = source.lines->fd();
      return pulled;
    }
    outer_row_.push_back(std::move(value));
  }
  outer_complete_ = true;
  return Pull::got;
}

Result<Pull> MapInputs::next(MapInput& input) {
  for (const auto& rows : inner_) {
    if (rows.empty()) return Pull::end;  // nothing times anything
  }
  if (outer_.empty()) return Pull::end;
  if (!outer_complete_) {
    const Result<Pull> pulled = next_outer();
    if (!pulled || *pulled != Pull::got) return pulled;
  }
  input.seq = ++seq_;
  input.too_long = false;
  input.values.clear();
  const auto take = [&input](const Row& row) {
    for (const Value& value : row) {
      input.values.push_back(value.text);
      input.too_long |= value.too_long;
    }
  };
  take(outer_row_);
  for (std::size_t i = 0; i < inner_.size(); ++i) take(inner_[i][wheel_[i]]);

  std::size_t turning = inner_.size();
  while (turning > 0 && ++wheel_[turning - 1] == inner_[turning - 1].size()) wheel_[--turning] = 0;
  if (turning == 0) {
    outer_row_.clear();
    outer_complete_ = false;
  }
  return Pull::got;
}

std::optional<std::uint64_t> MapInputs::total() const {
  if (outer_.empty()) return 0;
  std::optional<std::uint64_t> total;
  for (const Source& source : outer_) {
    const auto count = source.total();
    if (!count) return std::nullopt;
    total = total ? std::min(*total, *count) : *count;
  }
  for (const auto& rows : inner_) *total *= rows.size();
  return total;
}

}  // namespace jobring::cli
