// "Did you mean ...?": the known name nearest to a mistyped one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace jobring {

// Damerau-Levenshtein (optimal string alignment): how many insertions, deletions, replacements and
// swaps of neighbours turn `a` into `b`, in bytes.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The known name that `name` most likely means, or "" if none is near: at most a third of its
// letters may differ, and capital letters and '-' for '_' do not count; of equally near ones, the
// first. Else the only one that begins with it.
std::string nearest(const std::string& name, const std::vector<std::string>& known);

}  // namespace jobring
