// Lists of numbers as `jobring bench` takes them: "64,4096", "1..8" (1, 2, 4, 8: doubling).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/result.hpp"

namespace jobring::cli {

// Each must lie in least .. most. `where` names the option in the error.
Result<std::vector<std::uint64_t>> parse_numbers(const std::string& text, std::uint64_t least,
                                                 std::uint64_t most, const std::string& where);

}  // namespace jobring::cli
