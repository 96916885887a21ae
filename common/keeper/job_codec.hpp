// Stored records of jobs, the same for every engine. All start with a set of bits that says which
// fields follow; what has its default is not written, so an ordinary job takes about 20 bytes
// beside its handler's name and payload.
//
//   specification   bits, submitted_ms, handler, then in the order of the bits what is there, then
//                   the payload up to the end (not if it is kept elsewhere)
//   ending          attempt, then the result up to the end (not if it is kept elsewhere)
//   attempt         bits, number, outcome, started_ms, duration, then what is there
//
// Pool and priority are not in it: they can be edited, and stand in columns of their own. If you
// change a record, increment the schema's version (sqlite/schema.hpp), and give old records a way
// in.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/keeper/job.hpp"
#include "common/keeper/packer.hpp"

namespace jobring::keeper {

// What the store says instead of the specification.
struct SpecParts {
  std::int64_t submitted_ms = 0;
  std::span<const Dependency> dependencies{};
  bool payload_elsewhere = false;  // only a bit tells of the payload
};
// Appends.
void encode_spec(std::string& to, const JobSpec& spec, const SpecParts& parts);
// Views into `bytes`. False: it makes no sense. `payload_elsewhere` may be null.
bool decode_spec(std::string_view bytes, JobSpec& spec, bool* payload_elsewhere);
// Without reading the rest of it.
bool payload_is_elsewhere(std::string_view bytes);

void encode_attempt(std::string& to, const Attempt& attempt);
bool decode_attempt(Unpacker& from, Attempt& attempt);

// An attempt, and the result behind it.
void encode_ending(std::string& to, const Attempt& attempt, std::string_view result);
bool decode_ending(std::string_view bytes, Attempt& attempt, std::string_view& result);

void encode_progress(std::string& to, const Progress& progress);
bool decode_progress(std::string_view bytes, Progress& progress);

}  // namespace jobring::keeper
