// How values become payloads and results, and back: for typed jobs (typed.hpp) and typed handlers
// (typed_handler.hpp). Header-only; links against nothing.
//
// A type of your own: specialise Codec for it.
//
//     template <>
//     struct jobring::Codec<Point> {
//       static void encode(const Point& p, std::string& to) {
//         jobring::encode_fields(to, p.x, p.y);
//       }
//       static Point decode(std::string_view bytes) {
//         auto [x, y] = jobring::decode_fields<double, double>(bytes);
//         return {x, y};
//       }
//     };
//
// encode() appends to `to`; decode() gets exactly the bytes that encode() appended. Both may throw:
// in the client the exception passes unchanged through the call that needed the value; in a handler
// it fails the job, as type jobring::CodecError if the arguments could not be decoded.
//
// Formats (little endian):
//   std::string, std::string_view, const char*, std::vector<std::byte>   the bytes as they are
//   integers        'i' or 'u', 8 bytes: any integer type reads any other if the value fits
//   bool, enums     as integers
//   float, double   'd', 8 bytes
//   std::vector<T> of arithmetic T    'v', 'i', 'u' or 'd', sizeof(T), the elements' bytes
//   other std::vector<T>, std::tuple, std::pair   each element: its length in 8 bytes, its bytes
//   one argument stands as it is, several as a tuple, none as nothing
// What does not fit is a CodecError: another type, a value out of range, too few or too many bytes.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace jobring {

class CodecError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class T>
struct Codec;  // no codec: specialise it for your type

static_assert(std::endian::native == std::endian::little, "the formats are copied as they are");

namespace detail {

template <class T>
void put_raw(std::string& to, const T& value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <class T>
T get_raw(std::string_view bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}
// The next element of a sequence, cut off its front.
inline std::string_view cut_field(std::string_view& bytes) {
  if (bytes.size() < sizeof(std::uint64_t)) throw CodecError("a field's length is cut off");
  const auto size = get_raw<std::uint64_t>(bytes);
  bytes.remove_prefix(sizeof size);
  if (size > bytes.size()) throw CodecError("a field is cut off");
  const std::string_view field = bytes.substr(0, std::size_t(size));
  bytes.remove_prefix(std::size_t(size));
  return field;
}
template <class T>
void put_field(std::string& to, const T& value) {
  const std::size_t at = to.size();
  put_raw(to, std::uint64_t{0});
  Codec<T>::encode(value, to);
  const std::uint64_t size = to.size() - at - sizeof size;
  std::memcpy(to.data() + at, &size, sizeof size);
}
template <class T>
constexpr char kind_of() {
  return std::is_floating_point_v<T> ? 'd' : std::is_signed_v<T> ? 'i' : 'u';
}

}  // namespace detail

// Several values as one: for codecs of structures.
template <class... T>
void encode_fields(std::string& to, const T&... values) {
  (detail::put_field(to, values), ...);
}
template <class... T>
std::tuple<T...> decode_fields(std::string_view bytes) {
  // In a braced list, so that the fields are cut off in order.
  std::tuple<T...> values{Codec<T>::decode(detail::cut_field(bytes))...};
  if (!bytes.empty()) throw CodecError("more fields than expected");
  return values;
}

// ---- bytes

template <>
struct Codec<std::string> {
  static void encode(const std::string& value, std::string& to) { to += value; }
  static std::string decode(std::string_view bytes) { return std::string(bytes); }
};
// Decoded, it points into what it was decoded from: for a handler's parameters.
template <>
struct Codec<std::string_view> {
  static void encode(std::string_view value, std::string& to) { to += value; }
  static std::string_view decode(std::string_view bytes) { return bytes; }
};
template <>
struct Codec<const char*> {
  static void encode(const char* value, std::string& to) { to += value; }
};
template <std::size_t N>
struct Codec<char[N]> : Codec<const char*> {};
template <>
struct Codec<std::vector<std::byte>> {
  static void encode(const std::vector<std::byte>& value, std::string& to) {
    to.append(reinterpret_cast<const char*>(value.data()), value.size());
  }
  static std::vector<std::byte> decode(std::string_view bytes) {
    const auto* from = reinterpret_cast<const std::byte*>(bytes.data());
    return {from, from + bytes.size()};
  }
};

// ---- numbers

template <class T>
  requires std::is_integral_v<T>
struct Codec<T> {
  static void encode(T value, std::string& to) {
    to += detail::kind_of<T>();
    if constexpr (std::is_signed_v<T>) {
      detail::put_raw(to, std::int64_t(value));
    } else {
      detail::put_raw(to, std::uint64_t(value));
    }
  }
  static T decode(std::string_view bytes) {
    if (bytes.size() != 9 || (bytes[0] != 'i' && bytes[0] != 'u'))
      throw CodecError("an integer was expected");
    const auto raw = detail::get_raw<std::uint64_t>(bytes.substr(1));
    const bool negative = bytes[0] == 'i' && std::int64_t(raw) < 0;
    using Limits = std::numeric_limits<T>;
    const bool fits =
        negative ? std::is_signed_v<T> && std::int64_t(raw) >= std::int64_t(Limits::min())
                 : raw <= std::uint64_t(Limits::max());
    if (!fits) throw CodecError("the integer does not fit into the type that was expected");
    return T(raw);
  }
};

template <class T>
  requires std::is_enum_v<T>
struct Codec<T> {
  using Number = std::underlying_type_t<T>;
  static void encode(T value, std::string& to) { Codec<Number>::encode(Number(value), to); }
  static T decode(std::string_view bytes) { return T(Codec<Number>::decode(bytes)); }
};

template <class T>
  requires(std::is_same_v<T, float> || std::is_same_v<T, double>)
struct Codec<T> {
  static void encode(T value, std::string& to) {
    to += 'd';
    detail::put_raw(to, double(value));
  }
  static T decode(std::string_view bytes) {
    if (bytes.size() != 9 || bytes[0] != 'd')
      throw CodecError("a floating-point number was expected");
    return T(detail::get_raw<double>(bytes.substr(1)));
  }
};

// ---- sequences

template <class T>
  requires(!std::is_same_v<T, bool>)
struct Codec<std::vector<T>> {
  static constexpr bool kPlain = std::is_integral_v<T> || std::is_same_v<T, float> ||
                                 std::is_same_v<T, double>;

  static void encode(const std::vector<T>& value, std::string& to) {
    if constexpr (kPlain) {
      to += 'v';
      to += detail::kind_of<T>();
      to += char(sizeof(T));
      to.append(reinterpret_cast<const char*>(value.data()), value.size() * sizeof(T));
    } else {
      for (const T& element : value) detail::put_field(to, element);
    }
  }
  static std::vector<T> decode(std::string_view bytes) {
    std::vector<T> value;
    if constexpr (kPlain) {
      if (bytes.size() < 3 || bytes[0] != 'v' || bytes[1] != detail::kind_of<T>() ||
          bytes[2] != char(sizeof(T)) || (bytes.size() - 3) % sizeof(T) != 0)
        throw CodecError("an array of numbers of another type was expected");
      value.resize((bytes.size() - 3) / sizeof(T));
      if (!value.empty()) std::memcpy(value.data(), bytes.data() + 3, bytes.size() - 3);
    } else {
      while (!bytes.empty()) value.push_back(Codec<T>::decode(detail::cut_field(bytes)));
    }
    return value;
  }
};

template <class... T>
struct Codec<std::tuple<T...>> {
  static void encode(const std::tuple<T...>& value, std::string& to) {
    std::apply([&](const T&... element) { encode_fields(to, element...); }, value);
  }
  static std::tuple<T...> decode(std::string_view bytes) { return decode_fields<T...>(bytes); }
};

template <class A, class B>
struct Codec<std::pair<A, B>> {
  static void encode(const std::pair<A, B>& value, std::string& to) {
    encode_fields(to, value.first, value.second);
  }
  static std::pair<A, B> decode(std::string_view bytes) {
    auto [first, second] = decode_fields<A, B>(bytes);
    return {std::move(first), std::move(second)};
  }
};

// ---- arguments

// What a typed job's payload is: no argument is nothing, one stands as it is, several are a tuple.
template <class... Args>
std::string encode_arguments(const Args&... args) {
  std::string bytes;
  if constexpr (sizeof...(Args) == 1) {
    (Codec<Args>::encode(args, bytes), ...);
  } else {
    encode_fields(bytes, args...);
  }
  return bytes;
}

template <class... Args>
std::tuple<Args...> decode_arguments(std::string_view bytes) {
  if constexpr (sizeof...(Args) == 1) {
    return std::tuple<Args...>{Codec<Args>::decode(bytes)...};
  } else {
    return decode_fields<Args...>(bytes);
  }
}

}  // namespace jobring
