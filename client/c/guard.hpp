// What stands between the C interface and the C++ library: no exception passes, and nothing that a
// C program can give reaches C++ unchecked.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include <jobring/c/base.h>

namespace jobring::c {

// Thrown by a map whose source gave `status`.
struct SourceFailed {
  jobring_status status;
};

// The exception that is being handled, as a status; its words become this thread's last error.
jobring_status remember() noexcept;
[[noreturn]] void bad_input(const std::string& what, const char* where = "");

// Runs the body of a function. It returns a status, or nothing for OK.
template <class Body>
jobring_status guarded(const Body& body) noexcept {
  try {
    if constexpr (std::is_void_v<decltype(body())>) {
      body();
      return JOBRING_OK;
    } else {
      return body();
    }
  } catch (...) {
    return remember();
  }
}

// What a pointer points to; throws bad_input for NULL.
template <class T>
T& need(T* pointer, const char* name) {
  if (pointer == nullptr) bad_input("NULL", name);
  return *pointer;
}
// The same for a handle to be given, which is NULL until it is.
template <class T>
T*& need_out(T** handle, const char* name) {
  need(handle, name) = nullptr;
  return *handle;
}
inline std::string_view need_text(const char* text, const char* name) {
  return &need(text, name);
}
inline std::string_view text_or_empty(const char* text) {
  return text != nullptr ? text : "";
}
std::string_view need_bytes(const void* bytes, std::size_t len, const char* name);
// Throws bad_input if it is negative.
std::chrono::nanoseconds need_time(std::int64_t ns, const char* name);

// ---- structs that grow
//
// One that has grown says here how large it was in the first release that had it.
template <class T>
inline constexpr std::size_t kFirstSize = sizeof(T);
constexpr std::size_t kLargestStruct = 4096;  // a size above this was never set

void check_size(std::size_t size, std::size_t smallest, const char* name);
void check_unknown_zero(const void* from, std::size_t known, std::size_t size, const char* name);

// A caller's struct as ours: what it does not have is zero. NULL: all is.
template <class T>
T read_struct(const T* from, const char* name) {
  T value{};
  if (from == nullptr) return value;
  const std::size_t size = from->size;
  check_size(size, kFirstSize<T>, name);
  std::memcpy(&value, from, std::min(size, sizeof value));
  check_unknown_zero(from, sizeof value, size, name);
  return value;
}
// To be called before anything is done that a bad struct would come too late for.
template <class T>
T& need_struct(T* to, const char* name) {
  check_size(need(to, name).size, kFirstSize<T>, name);
  return *to;
}
template <class T>
void write_struct(T& to, T value) {
  const std::uint32_t size = to.size;
  value.size = size;
  std::memset(static_cast<void*>(&to), 0, size);
  std::memcpy(&to, &value, std::min<std::size_t>(size, sizeof value));
}

}  // namespace jobring::c
