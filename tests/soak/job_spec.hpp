// What a job of the soak is to do: the head of its payload, or the arguments of its command.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace jobring::soak {

enum class Behaviour : std::uint8_t {
  spin,         // burns `us` microseconds
  nap,          // sleeps so long, whatever it is asked
  cooperate,    // sleeps so long, or until it is asked to stop
  fail,         // reports a failure
  crash_once,   // its first run crashes its worker (a command: itself)
  crash,        // every run does
  hold,         // its first run lasts until it is stopped; the next ends at once
  leave_child,  // a command that leaves a process behind, out of its group and session
  delegate      // a command whose work a child does, out of its group and session
};

struct JobSpec {
  std::uint64_t id = 0;
  std::uint32_t us = 0;
  std::uint32_t payload_size = sizeof(JobSpec);  // bytes
  std::uint32_t result_size = 0;                 // bytes
  Behaviour behaviour = Behaviour::spin;
  std::uint8_t reserved[3] = {};
};

// Byte `at` of what belongs to job `id`: no two jobs have the same, and no two places of one.
inline char pattern(std::uint64_t id, std::size_t at) {
  const std::uint64_t mixed = (id + at / 8) * 0x9e3779b97f4a7c15u;
  return char(mixed >> (8 * (at % 8)));
}
inline void fill(std::uint64_t id, std::size_t from, std::span<char> bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = pattern(id, from + i);
}
inline bool matches(std::uint64_t id, std::size_t from, std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != pattern(id, from + i)) return false;
  }
  return true;
}

inline std::string payload_of(const JobSpec& spec) {
  std::string bytes(spec.payload_size, '\0');
  std::memcpy(bytes.data(), &spec, sizeof spec);
  fill(spec.id, sizeof spec, std::span(bytes).subspan(sizeof spec));
  return bytes;
}

}  // namespace jobring::soak
