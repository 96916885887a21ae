// JSON as payloads and results, as text. Optional: needs nlohmann_json, which no other header does.
//
//     #include <jobring/json.hpp>
//     nlohmann::json answer = pool.submit_as<nlohmann::json>("plan", request).get();
//
// What is no JSON is a CodecError that says where; so is a string that is not UTF-8.
#pragma once

#include <string>
#include <string_view>

#include <jobring/codec.hpp>
#include <nlohmann/json.hpp>

namespace jobring {

template <>
struct Codec<nlohmann::json> {
  static void encode(const nlohmann::json& value, std::string& to) {
    try {
      to += value.dump();
    } catch (const nlohmann::json::exception& e) {
      throw CodecError(e.what());
    }
  }
  static nlohmann::json decode(std::string_view bytes) {
    try {
      return nlohmann::json::parse(bytes);
    } catch (const nlohmann::json::exception& e) {
      throw CodecError(e.what());
    }
  }
};

}  // namespace jobring
