// A client of the soak: a process that submits jobs in every way the library has, checks whatever
// it is handed, and may be killed anywhere.
#pragma once

#include <cstdint>
#include <string>

#include "tests/soak/ledger.hpp"

namespace jobring::soak {

// The whole life of client process `index`; ends only by a signal.
[[noreturn]] void be_client(Ledger& ledger, std::uint32_t index, std::uint64_t seed,
                            const std::string& socket);

}  // namespace jobring::soak
