#include "common/config/suggest.hpp"

#include <algorithm>

namespace jobring {
namespace {

// What two names have in common when only habit differs: "Max-RSS" and "max_rss".
std::string plain(std::string_view name) {
  std::string result(name);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
    if (c == '-') c = '_';
  }
  return result;
}

// The one known name of which `wanted` is the beginning: "env" for "environment".
std::string only_longer(const std::string& wanted, const std::vector<std::string>& known) {
  std::string only;
  if (wanted.size() < 3) return only;
  for (const std::string& candidate : known) {
    if (!plain(candidate).starts_with(wanted)) continue;
    if (!only.empty()) return "";
    only = candidate;
  }
  return only;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the table of distances between prefixes: a swap looks two rows back.
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(above);
    above.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string nearest(const std::string& name, const std::vector<std::string>& known) {
  const std::string wanted = plain(name);
  std::string best;
  std::size_t best_distance = wanted.size() / 3 + 1;
  for (const std::string& candidate : known) {
    const std::string other = plain(candidate);
    // Their lengths alone tell that it is too far: a name of a megabyte must not cost a megabyte
    // per candidate.
    const std::size_t longer =
        std::max(wanted.size(), other.size()) - std::min(wanted.size(), other.size());
    if (longer >= best_distance) continue;
    const std::size_t distance = edit_distance(wanted, other);
    if (distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best.empty() ? only_longer(wanted, known) : best;
}

}  // namespace jobring
