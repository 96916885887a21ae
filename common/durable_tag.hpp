// The tag of a durable job in its slot (JobNote): which job it is, and which attempt.
//
//     "<id>.<attempt>", for a member of an array "<id>.<attempt>.<index>"; decimal
//
// The keeper writes it; workers and the next keeper read it, and check it: it stands in memory that
// others could have written.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace jobring {

struct DurableTag {
  std::uint64_t id = 0;       // from 1
  std::uint32_t attempt = 0;  // from 1
  std::optional<std::int64_t> index{};

  bool operator==(const DurableTag&) const = default;
};

// As it stands in the slot. Ids have at most 15 digits, so it fits into a tag (kTagMax).
class DurableTagText {
 public:
  explicit DurableTagText(const DurableTag& tag) {
    char* const end = text_ + sizeof text_;
    char* at = std::to_chars(text_, end, tag.id).ptr;
    *at++ = '.';
    at = std::to_chars(at, end, tag.attempt).ptr;
    if (tag.index) {
      *at++ = '.';
      at = std::to_chars(at, end, *tag.index).ptr;
    }
    size_ = std::size_t(at - text_);
  }
  std::string_view view() const { return {text_, size_}; }

 private:
  char text_[56];
  std::size_t size_;
};

inline std::optional<DurableTag> parse_durable_tag(std::string_view text) {
  DurableTag tag;
  const char* const end = text.data() + text.size();
  const auto id = std::from_chars(text.data(), end, tag.id);
  if (id.ec != std::errc() || id.ptr == end || *id.ptr != '.' || tag.id == 0) return std::nullopt;
  const auto attempt = std::from_chars(id.ptr + 1, end, tag.attempt);
  if (attempt.ec != std::errc() || tag.attempt == 0) return std::nullopt;
  if (attempt.ptr == end) return tag;
  if (*attempt.ptr != '.') return std::nullopt;
  const auto index = std::from_chars(attempt.ptr + 1, end, tag.index.emplace());
  if (index.ec != std::errc() || index.ptr != end) return std::nullopt;
  return tag;
}

}  // namespace jobring
