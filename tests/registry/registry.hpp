// A registry over memory of its own, for tests: requests as short calls, replies by request.
#pragma once

#include <doctest/doctest.h>

#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/registry/engine.hpp"

namespace jobring::test {

using registry::Caller;
using registry::Engine;
using registry::RegistryConfig;
using registry::Reply;
using Op = RegistryOp;
using Status = RegistryStatus;

inline constexpr std::uint64_t kFirstToken = 1000;

// 64-bit words, so that the segment is aligned as a mapping is.
class Segment {
 public:
  explicit Segment(std::size_t bytes) : words_(bytes / 8) {}
  std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(words_)); }

 private:
  std::vector<std::uint64_t> words_;
};

class Registry {
 public:
  explicit Registry(RegistryConfig config = {}, std::size_t bytes = 1 << 20)
      : config_(config), segment_(bytes) {
    restart();
  }

  // As after SIGKILL: what was not committed is gone.
  void restart() {
    auto opened = Engine::open(segment_.bytes(), config_, now, kFirstToken);
    REQUIRE_MESSAGE(opened.ok(), opened.error().line());
    engine = std::move(*opened);
  }

  // Sends; the reply is in replies[id] as soon as there is one.
  std::uint64_t send(std::uint64_t session, const RegistryRequest& request,
                     std::uint64_t generation = 0, std::uint32_t slot = 0) {
    Caller caller;
    caller.request_id = ++last_id;
    caller.session = session;
    caller.slot = slot;
    caller.generation = generation;
    caller.uid = uid;
    caller.gid = gid;
    engine->handle(caller, request, now);
    collect();
    return caller.request_id;
  }
  // Sends what must be answered at once.
  RegistryReply ask(std::uint64_t session, const RegistryRequest& request,
                    std::uint64_t generation = 0, std::uint32_t slot = 0) {
    const std::uint64_t id = send(session, request, generation, slot);
    REQUIRE_MESSAGE(replies.count(id) == 1, "it waits");
    return replies.at(id);
  }
  bool waits(std::uint64_t id) const { return replies.count(id) == 0; }
  Status status(std::uint64_t id) const {
    REQUIRE_MESSAGE(replies.count(id) == 1, "it waits");
    return replies.at(id).status;
  }
  void end(std::uint64_t session) {
    engine->session_ended(session, now);
    collect();
  }
  void cancel(std::uint64_t id) {
    CHECK(engine->cancel(id, now));
    collect();
  }
  void tick(std::int64_t to) {
    now = to;
    engine->tick(now);
    collect();
  }
  void collect() {
    for (const Reply& r : engine->commit()) {
      CHECK_MESSAGE(replies.count(r.request_id) == 0, "answered twice");
      replies[r.request_id] = r.reply;
    }
  }
  std::span<std::byte> segment() { return segment_.bytes(); }

  std::unique_ptr<Engine> engine;
  std::map<std::uint64_t, RegistryReply> replies;
  std::int64_t now = 1'000;
  std::uint32_t uid = 1000, gid = 1000;
  std::uint64_t last_id = 0;

 private:
  RegistryConfig config_;
  Segment segment_;
};

// Requests that create their object if it is missing.
inline RegistryRequest on(Op op, std::string_view name = "x") {
  RegistryRequest r;
  r.op = op;
  r.name = name;
  r.flags = kCreateIfMissing;
  return r;
}
inline RegistryRequest sized(RegistryRequest r, std::int64_t size) {
  r.size = size;
  return r;
}
inline RegistryRequest typed(RegistryRequest r, ObjectType type) {
  r.type = type;
  return r;
}
inline RegistryRequest with(RegistryRequest r, std::int64_t a, std::int64_t b = 0) {
  r.a = a;
  r.b = b;
  return r;
}
inline RegistryRequest until(RegistryRequest r, std::int64_t deadline_ns) {
  r.deadline_ns = deadline_ns;
  return r;
}
inline RegistryRequest flagged(RegistryRequest r, unsigned flags) {
  r.flags = std::uint16_t(r.flags | flags);
  return r;
}
inline RegistryRequest valued(RegistryRequest r, std::string_view value) {
  r.value = value;
  return r;
}
inline RegistryRequest keyed(RegistryRequest r, std::string_view key, std::string_view value = {}) {
  r.key = key;
  r.value = value;
  return r;
}
inline RegistryRequest token(RegistryRequest r, std::uint64_t token) {
  r.token = token;
  return r;
}
inline RegistryRequest owned(RegistryRequest r, std::uint64_t owner) {
  r.owner = owner;
  return r;
}

}  // namespace jobring::test
