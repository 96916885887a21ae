// A type with a codec of its own, which refuses some values.
#pragma once

#include <stdexcept>

#include <jobring/codec.hpp>

struct Point {
  double x = 0, y = 0;
};

template <>
struct jobring::Codec<Point> {
  static constexpr double kUnsendable = 1e9;  // encode() throws
  static constexpr double kUnreadable = 2e9;  // decode() throws

  static void encode(const Point& p, std::string& to) {
    if (p.x == kUnsendable) throw std::domain_error("this point cannot be sent");
    encode_fields(to, p.x, p.y);
  }
  static Point decode(std::string_view bytes) {
    const auto [x, y] = decode_fields<double, double>(bytes);
    if (x == kUnreadable || x == -kUnreadable) throw std::range_error("a point out of range");
    return {x, y};
  }
};
