// Status codes, the last error of each thread, versions.
#include <jobring/c/base.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string>

#include <jobring/future.hpp>

#include "client/c/guard.hpp"

#ifndef JOBRING_VERSION
#error "the build defines JOBRING_VERSION"
#endif

namespace jobring::c {
namespace {

struct Code {
  jobring_status status;
  const char* name;
  const char* kind;  // Exception::kind(); null: no exception has it
};
// A kind that stands twice: the first counts.
constexpr Code kCodes[] = {
    {JOBRING_OK, "JOBRING_OK", nullptr},
    {JOBRING_TIMED_OUT, "JOBRING_TIMED_OUT", nullptr},
    {JOBRING_END, "JOBRING_END", nullptr},
    {JOBRING_NONE, "JOBRING_NONE", nullptr},
    {JOBRING_BAD_INPUT, "JOBRING_BAD_INPUT", "bad_input"},
    {JOBRING_BAD_INPUT, "JOBRING_BAD_INPUT", "usage"},
    {JOBRING_NO_DAEMON, "JOBRING_NO_DAEMON", "no_daemon"},
    {JOBRING_UNKNOWN_POOL, "JOBRING_UNKNOWN_POOL", "unknown_pool"},
    {JOBRING_FULL, "JOBRING_FULL", "full"},
    {JOBRING_SHUT_DOWN, "JOBRING_SHUT_DOWN", "shut_down"},
    {JOBRING_PERMISSION, "JOBRING_PERMISSION", "permission"},
    {JOBRING_PROTOCOL, "JOBRING_PROTOCOL", "protocol"},
    {JOBRING_SYSTEM, "JOBRING_SYSTEM", "system"},
    {JOBRING_CONFIG, "JOBRING_CONFIG", "config"},
    {JOBRING_NO_ANSWER, "JOBRING_NO_ANSWER", "timeout"},
    {JOBRING_JOB_FAILED, "JOBRING_JOB_FAILED", nullptr},
    {JOBRING_NO_MEMORY, "JOBRING_NO_MEMORY", nullptr},
    {JOBRING_SOURCE_FAILED, "JOBRING_SOURCE_FAILED", nullptr},
    {JOBRING_WRONG_TYPE, "JOBRING_WRONG_TYPE", "wrong_type"},
    {JOBRING_WRONG_PARAMS, "JOBRING_WRONG_PARAMS", "wrong_params"},
    {JOBRING_NOT_FOUND, "JOBRING_NOT_FOUND", "not_found"},
    {JOBRING_EXISTS, "JOBRING_EXISTS", "exists"},
    {JOBRING_NOT_HOLDER, "JOBRING_NOT_HOLDER", "not_holder"},
    {JOBRING_LOST, "JOBRING_LOST", "lost"},
    {JOBRING_CANCELLED, "JOBRING_CANCELLED", "cancelled"},
    {JOBRING_REMOVED, "JOBRING_REMOVED", "removed"},
    {JOBRING_BROKEN, "JOBRING_BROKEN", "broken"},
    {JOBRING_OUT_OF_RANGE, "JOBRING_OUT_OF_RANGE", "out_of_range"},
    {JOBRING_NOT_A_NUMBER, "JOBRING_NOT_A_NUMBER", "not_a_number"},
    {JOBRING_NOT_HOLDER, "JOBRING_NOT_HOLDER", "over_release"},
    {JOBRING_BAD_INPUT, "JOBRING_BAD_INPUT", "bad_name"},
    {JOBRING_BAD_INPUT, "JOBRING_BAD_INPUT", "bad_argument"},
    {JOBRING_BAD_INPUT, "JOBRING_BAD_INPUT", "bad_timeout"},
    {JOBRING_BAD_INPUT, "JOBRING_BAD_INPUT", "too_large"},
    {JOBRING_FULL, "JOBRING_FULL", "too_many"},
    {JOBRING_PROTOCOL, "JOBRING_PROTOCOL", "stale_request"},
    {JOBRING_INTERNAL, "JOBRING_INTERNAL", "internal"},
    {JOBRING_STORE_FAILED, "JOBRING_STORE_FAILED", "store_failed"},
    {JOBRING_DUPLICATE, "JOBRING_DUPLICATE", "duplicate"},
    {JOBRING_REFUSED, "JOBRING_REFUSED", "no_such_job"},
    {JOBRING_REFUSED, "JOBRING_REFUSED", "cannot_succeed"},
    {JOBRING_REFUSED, "JOBRING_REFUSED", "no_such_group"},
    {JOBRING_REFUSED, "JOBRING_REFUSED", "bad"},
    {JOBRING_NO_ANSWER, "JOBRING_NO_ANSWER", "timed_out"},
};

struct LastError {
  std::string line;
  std::string kind;
  int exit_status = 0;
  bool no_memory = false;  // for the words either
};
thread_local LastError last;

jobring_status set_last(jobring_status status, const char* kind, const std::string& line,
                        int exit_status) noexcept {
  last.exit_status = exit_status;
  try {
    last.kind = kind;
    last.line = line;
    last.no_memory = false;
  } catch (...) {
    last.no_memory = true;
  }
  return status;
}

jobring_status no_memory() noexcept {
  last.no_memory = true;
  last.exit_status = 71;
  return JOBRING_NO_MEMORY;
}

jobring_status status_of(const char* kind) {
  const auto* const code = std::find_if(std::begin(kCodes), std::end(kCodes), [&](const Code& c) {
    return c.kind != nullptr && std::string_view(c.kind) == kind;
  });
  return code != std::end(kCodes) ? code->status : JOBRING_INTERNAL;
}

}  // namespace

jobring_status remember() noexcept {
  try {
    throw;
  } catch (const JobFailed& e) {
    return set_last(JOBRING_JOB_FAILED, e.kind(), e.what(), e.exit_status());
  } catch (const Exception& e) {
    return set_last(status_of(e.kind()), e.kind(), e.what(), e.exit_status());
  } catch (const SourceFailed& e) {
    const jobring_status status = e.status < 0 ? e.status : JOBRING_SOURCE_FAILED;
    try {
      return set_last(status, "source_failed",
                      "the source of a map returned " + std::to_string(e.status), 1);
    } catch (...) {
      return no_memory();
    }
  } catch (const std::bad_alloc&) {
    return no_memory();
  } catch (const std::length_error&) {  // what containers say to sizes beyond all memory
    return no_memory();
  } catch (const std::exception& e) {
    try {
      return set_last(JOBRING_INTERNAL, "internal", e.what(), 70);
    } catch (...) {
      return no_memory();
    }
  } catch (...) {
    try {
      return set_last(JOBRING_INTERNAL, "internal", "not a std::exception", 70);
    } catch (...) {
      return no_memory();
    }
  }
}

void bad_input(const std::string& what, const char* where) {
  const std::string place = where;
  throw Exception(65, "bad_input", place.empty() ? what : place + ": " + what);
}

std::string_view need_bytes(const void* bytes, std::size_t len, const char* name) {
  if (bytes == nullptr && len != 0) bad_input("NULL with a length", name);
  return bytes != nullptr ? std::string_view(static_cast<const char*>(bytes), len)
                          : std::string_view("");
}

std::chrono::nanoseconds need_time(std::int64_t ns, const char* name) {
  if (ns < 0) bad_input("a negative time-out", name);
  return std::chrono::nanoseconds(ns);
}

void check_size(std::size_t size, std::size_t smallest, const char* name) {
  if (size >= smallest && size <= kLargestStruct) return;
  bad_input("size is " + std::to_string(size) + ": set it to sizeof of the struct", name);
}

void check_unknown_zero(const void* from, std::size_t known, std::size_t size, const char* name) {
  const auto* bytes = static_cast<const unsigned char*>(from);
  for (std::size_t i = known; i < size; ++i) {
    if (bytes[i] != 0)
      bad_input("has members that this libjobring does not know: it is too old", name);
  }
}

}  // namespace jobring::c

using namespace jobring::c;

const char* jobring_status_name(jobring_status status) {
  const auto* const code = std::find_if(std::begin(kCodes), std::end(kCodes),
                                        [&](const Code& c) { return c.status == status; });
  return code != std::end(kCodes) ? code->name : "unknown";
}
const char* jobring_last_error(void) {
  return last.no_memory ? "no memory" : last.line.c_str();
}
const char* jobring_last_error_kind(void) {
  return last.no_memory ? "no_memory" : last.kind.c_str();
}
int32_t jobring_last_error_exit_status(void) {
  return last.exit_status;
}
uint32_t jobring_abi_version(void) {
  return std::uint32_t(JOBRING_ABI_MAJOR) << 16 | JOBRING_ABI_MINOR;
}
const char* jobring_version(void) {
  return JOBRING_VERSION;
}
void jobring_free(void* memory) {
  std::free(memory);
}
