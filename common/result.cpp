#include "common/result.hpp"

#include <system_error>

namespace jobring {

int exit_status(Errc code) {
  switch (code) {
    case Errc::usage:
      return 64;
    case Errc::bad_input:
      return 65;
    case Errc::unknown_pool:
      return 65;
    case Errc::no_daemon:
      return 69;
    case Errc::internal:
      return 70;
    case Errc::system:
      return 71;
    case Errc::full:
      return 75;
    case Errc::protocol:
      return 76;
    case Errc::permission:
      return 77;
    case Errc::config:
      return 78;
    case Errc::timeout:
      return 124;
  }
  return 70;
}

const char* to_string(Errc code) {
  switch (code) {
    case Errc::usage:
      return "usage";
    case Errc::bad_input:
      return "bad_input";
    case Errc::unknown_pool:
      return "unknown_pool";
    case Errc::no_daemon:
      return "no_daemon";
    case Errc::internal:
      return "internal";
    case Errc::system:
      return "system";
    case Errc::full:
      return "full";
    case Errc::protocol:
      return "protocol";
    case Errc::permission:
      return "permission";
    case Errc::config:
      return "config";
    case Errc::timeout:
      return "timeout";
  }
  return "internal";
}

std::string Error::line() const {
  std::string text;
  if (!where.empty()) text += where + ": ";
  text += what;
  if (!hint.empty()) text += "; " + hint;
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}

Error system_error(const std::string& doing, std::string where, int error) {
  const Errc code = error == EACCES || error == EPERM ? Errc::permission : Errc::system;
  return Error{code, doing + ": " + std::generic_category().message(error), std::move(where), {}};
}

}  // namespace jobring
