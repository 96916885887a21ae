// Errors inside jobring: a code plus the words a person needs. Exceptions exist only at the public
// C++ API.
#pragma once

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace jobring {

// What kind of error; also decides the exit status of `jobring` and `jobringd` (exit_status()).
enum class Errc {
  usage,         // 64  the command line makes no sense
  bad_input,     // 65  data that makes no sense
  unknown_pool,  // 65
  no_daemon,     // 69  nobody listens, or it went away
  internal,      // 70
  system,        // 71  the operating system refused something
  protocol,      // 76  versions differ, or a peer wrote nonsense
  full,          // 75  a limit is reached: try again later
  timeout,       // 124
  permission,    // 77
  config,        // 78
};

int exit_status(Errc code);
const char* to_string(Errc code);

struct Error {
  Errc code = Errc::internal;
  std::string what;   // what went wrong: "unknown pool \"fast\""
  std::string where;  // which file, key, socket: may be empty
  std::string hint;   // what to do about it: may be empty

  // "where: what; hint", one line for a person.
  std::string line() const;
};

// The words for errno. `doing` is what was tried: "open", "memfd_create".
Error system_error(const std::string& doing, std::string where = {}, int error = errno);

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : value_(std::in_place_index<1>, std::move(error)) {}
  bool ok() const { return value_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() { return std::get<0>(value_); }
  const T& value() const { return std::get<0>(value_); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() { return std::get<1>(value_); }
  const Error& error() const { return std::get<1>(value_); }

 private:
  std::variant<T, Error> value_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}
  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  Error& error() { return *error_; }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace jobring
