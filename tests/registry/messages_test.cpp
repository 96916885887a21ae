#include "common/registry_messages.hpp"

#include <doctest/doctest.h>

#include <random>

#include "tests/support/seed.hpp"

using namespace jobring;

namespace {

std::span<const unsigned char> bytes(std::string_view text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}
RegistryRequest full_request() {
  RegistryRequest r;
  r.op = RegistryOp::dict_set;
  r.type = ObjectType::dict;
  r.order = QueueOrder::lifo;
  r.flags = kCreateIfMissing | kIfAbsent;
  r.mode = 0640;
  r.size = -5;
  r.owner = 6;
  r.token = 7;
  r.deadline_ns = 8;
  r.a = -9;
  r.b = 10;
  r.name = "name";
  r.key = std::string_view("k\0y", 3);
  r.value = "value";
  return r;
}

}  // namespace

TEST_CASE("a request of the registry comes back as it was encoded") {
  const RegistryRequest sent = full_request();
  const std::string payload = encode(sent);
  const auto got = decode_registry_request(bytes(payload));
  REQUIRE(got.ok());
  CHECK(encode(*got) == payload);
  CHECK(got->op == sent.op);
  CHECK(got->type == sent.type);
  CHECK(got->order == sent.order);
  CHECK(got->flags == sent.flags);
  CHECK(got->mode == 0640);
  CHECK(got->size == -5);
  CHECK(got->owner == 6);
  CHECK(got->token == 7);
  CHECK(got->deadline_ns == 8);
  CHECK(got->a == -9);
  CHECK(got->b == 10);
  CHECK(got->name == sent.name);
  CHECK(got->key == sent.key);
  CHECK(got->value == sent.value);
}

TEST_CASE("a reply of the registry comes back as it was encoded") {
  const std::string result = encode(RegistryReply{RegistryStatus::lost, kMore, 3, -4, "why"});
  const auto got = decode_registry_reply(bytes(result));
  REQUIRE(got.ok());
  CHECK(got->status == RegistryStatus::lost);
  CHECK(got->flags == kMore);
  CHECK(got->token == 3);
  CHECK(got->number == -4);
  CHECK(got->payload == "why");
}

TEST_CASE("entries and an object's status come back as they were encoded") {
  std::string text;
  append(text, {"key", "value", 5, kErased});
  append(text, {"", "", 6, 0});
  const auto entries = decode_registry_entries(text);
  REQUIRE(entries.has_value());
  REQUIRE(entries->size() == 2);
  CHECK((*entries)[0].key == "key");
  CHECK((*entries)[0].value == "value");
  CHECK((*entries)[0].version == 5);
  CHECK((*entries)[0].flags == kErased);
  CHECK((*entries)[1].key.empty());
  CHECK(decode_registry_entries("")->empty());
  ObjectStatus status{1,    2,    3, -4, 5, 6, 7, 8, 9, 0640, ObjectType::queue, QueueOrder::lifo,
                      true, false};
  CHECK(decode_object_status(encode(status)) == status);
  CHECK_FALSE(decode_object_status("short").has_value());
}

TEST_CASE("every prefix of a registry message is refused, and so is anything behind it") {
  const std::string request = encode(full_request());
  const std::string reply = encode(RegistryReply{RegistryStatus::ok, 0, 1, 2, "payload"});
  std::string entry;
  append(entry, {"key", "value", 5, 0});
  for (std::size_t n = 0; n < request.size(); ++n)
    CHECK_FALSE(decode_registry_request(bytes(request).first(n)).ok());
  for (std::size_t n = 0; n < reply.size(); ++n)
    CHECK_FALSE(decode_registry_reply(bytes(reply).first(n)).ok());
  for (std::size_t n = 1; n < entry.size(); ++n)
    CHECK_FALSE(decode_registry_entries(entry.substr(0, n)).has_value());
  CHECK_FALSE(decode_registry_request(bytes(request + "x")).ok());
  CHECK_FALSE(decode_registry_reply(bytes(reply + "x")).ok());
  CHECK_FALSE(decode_registry_entries(entry + "x").has_value());
}

TEST_CASE("a text too long for its field is refused as too long, not taken for another") {
  RegistryRequest r = full_request();
  const std::string name(70'000, 'n');
  r.name = name;
  const std::string payload = encode(r);
  const auto got = decode_registry_request(bytes(payload));
  REQUIRE(got.ok());
  CHECK(got->name.size() > kRegistryNameMax);
}

TEST_CASE("random bytes never do more than fail to decode") {
  const std::uint64_t seed = test::seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const std::string request = encode(full_request());
  std::string reply = encode(RegistryReply{RegistryStatus::ok, 0, 1, 2, "payload"});
  std::string entries;
  for (int i = 0; i < 4; ++i) append(entries, {"key", "value", 5, 0});
  for (int round = 0; round < 50'000; ++round) {
    std::string a = request, b = reply, c = entries;
    for (std::string* text : {&a, &b, &c}) {
      for (int k = 0; k < 3; ++k) (*text)[random() % text->size()] = char(random());
      if (random() % 8 == 0) text->resize(random() % text->size());
    }
    if (auto got = decode_registry_request(bytes(a)); got.ok())
      CHECK(got->name.size() + got->key.size() + got->value.size() + 64 == a.size());
    if (auto got = decode_registry_reply(bytes(b)); got.ok())
      CHECK(got->payload.size() + kRegistryReplyHead == b.size());
    if (auto got = decode_registry_entries(c)) CHECK(got->size() <= c.size() / kRegistryEntryHead);
  }
}

TEST_CASE("types are found by their names") {
  for (std::size_t i = 1; i < kObjectTypes; ++i)
    CHECK(object_type(to_string(ObjectType(i))) == ObjectType(i));
  CHECK_FALSE(object_type("object").has_value());
  CHECK_FALSE(object_type("Lock").has_value());
  CHECK(std::string(to_string(RegistryStatus::stale_request)) == "stale_request");
}
