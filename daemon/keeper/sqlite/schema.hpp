// The tables of the SQLite engine, and the way from every older version of them to this one.
//
// To change a table or a record: add a Migration at the end of kMigrations (schema.cpp), never
// change an old one, and check in a store of the version before (tests/keeper/stores).
#pragma once

#include <cstdint>
#include <span>

#include "common/result.hpp"
#include "daemon/keeper/sqlite/database.hpp"

namespace jobring::keeper {

inline constexpr std::int32_t kApplicationId = 0x4a524e47;  // "JRNG", in the file's header

// From version `n` to n + 1, where n is its place in the list; one transaction. Version 0 is an
// empty file.
using Migration = const char*;
std::span<const Migration> migrations();

// Brings the file to the last version. Refuses files of newer versions and of other programs.
Result<void> migrate(Database& db, std::span<const Migration> steps);

}  // namespace jobring::keeper
