#include "tests/registry/registry.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {
constexpr std::uint64_t A = 1, B = 2;

RegistryRequest create(std::string_view name, ObjectType type, std::uint16_t mode = 0) {
  RegistryRequest r;
  r.op = Op::create;
  r.name = name;
  r.type = type;
  r.mode = mode;
  return r;
}
RegistryRequest plain(Op op, std::string_view name = "x") {
  RegistryRequest r;
  r.op = op;
  r.name = name;
  return r;
}
}  // namespace

TEST_CASE("names are checked, each fault with its own line") {
  Registry r;
  const auto line = [&](std::string_view name) {
    const auto reply = r.ask(A, on(Op::counter_get, name));
    CHECK(reply.status == Status::bad_name);
    return reply.payload;
  };
  CHECK(line("") == "the name is empty");
  CHECK(line(std::string(256, 'x')) == "the name has 256 bytes, it may have 255");
  CHECK(line("a\nb") == "the name contains a control character");
  CHECK(line(std::string("a\0b", 3)) == "the name contains a control character");
  CHECK(r.ask(A, on(Op::counter_get, std::string(255, 'x'))).status == Status::ok);
}

TEST_CASE("an object is what it was created as: other types and parameters are refused") {
  Registry r;
  CHECK(r.ask(A, plain(Op::lock_acquire)).payload == "there is no object \"x\"");
  CHECK(r.ask(A, create("x", ObjectType::queue)).status == Status::ok);
  CHECK(r.ask(A, create("x", ObjectType::queue)).flags == kExisted);
  CHECK(r.ask(A, flagged(create("x", ObjectType::queue), kExclusive)).status == Status::exists);
  CHECK(r.ask(A, create("x", ObjectType::dict)).status == Status::wrong_type);
  CHECK(r.ask(A, sized(create("x", ObjectType::queue), 5)).status == Status::wrong_params);
  CHECK(r.ask(A, on(Op::lock_acquire)).status == Status::wrong_type);
  CHECK(r.ask(A, sized(on(Op::queue_length), 5)).status == Status::wrong_params);
  CHECK(r.ask(A, sized(create("b", ObjectType::barrier), 0)).status == Status::bad_argument);
  CHECK(r.ask(A, sized(create("s", ObjectType::semaphore), -1)).status == Status::bad_argument);
  CHECK(r.ask(A, create("c", ObjectType::condition)).status == Status::bad_argument);
  CHECK(r.ask(A, create("n", ObjectType::none)).status == Status::bad_argument);
  CHECK(r.ask(A, typed(on(Op::lock_acquire, "l"), ObjectType::queue)).status == Status::wrong_type);
  CHECK(r.ask(A, plain(RegistryOp(255))).status == Status::bad_argument);
}

TEST_CASE("who waits for an object is told when it is removed") {
  Registry r;
  const auto waiter = r.send(A, on(Op::queue_get));
  CHECK(r.ask(B, plain(Op::remove)).status == Status::ok);
  CHECK(r.status(waiter) == Status::removed);
  CHECK(r.ask(B, plain(Op::remove)).status == Status::not_found);
  // A lock that is removed is no longer held, and a new one is free.
  r.ask(A, on(Op::lock_acquire));
  r.ask(B, plain(Op::remove));
  CHECK(r.ask(A, plain(Op::lock_release)).status == Status::not_found);
  CHECK(r.ask(B, on(Op::lock_acquire)).status == Status::ok);
  CHECK(r.ask(A, on(Op::lock_release)).status == Status::not_holder);
  r.end(A);
  CHECK(r.ask(B, on(Op::lock_release)).status == Status::ok);
}

TEST_CASE("permissions are those of files: user, group, others, root") {
  Registry r;
  r.ask(A, create("x", ObjectType::counter, 0640));
  const auto as = [&](std::uint32_t uid, std::uint32_t gid, const RegistryRequest& request) {
    r.uid = uid;
    r.gid = gid;
    return r.ask(100 + uid, request).status;
  };
  const auto get = plain(Op::counter_get), add = with(plain(Op::counter_add), 1);
  CHECK(as(1000, 5, add) == Status::ok);
  CHECK(as(2000, 1000, get) == Status::ok);
  CHECK(as(2000, 1000, add) == Status::permission);
  CHECK(as(3000, 3000, get) == Status::permission);
  CHECK(as(1000, 1000, plain(Op::remove)) == Status::permission);  // mode lacks x
  CHECK(as(0, 0, add) == Status::ok);
  RegistryRequest access = with(plain(Op::set_access), -1, -1);
  access.mode = 0766;
  CHECK(as(2000, 1000, access) == Status::permission);
  CHECK(as(1000, 1000, access) == Status::ok);
  CHECK(as(3000, 3000, add) == Status::ok);
  CHECK(as(1000, 1000, with(plain(Op::set_access), 2000, -1)) == Status::permission);
  CHECK(as(1000, 1000, with(plain(Op::set_access), -1, 77)) == Status::permission);
  CHECK(as(0, 0, with(plain(Op::set_access), 2000, 77)) == Status::ok);
  r.restart();
  CHECK(as(2000, 2000, plain(Op::remove)) == Status::ok);
  const auto made = as(3000, 3000, create("y", ObjectType::lock));
  CHECK(made == Status::ok);
  CHECK(as(4000, 4000, plain(Op::lock_acquire, "y")) == Status::permission);
}

TEST_CASE("an ephemeral object vanishes with the last session that uses it, others are kept") {
  Registry r;
  const auto use = flagged(valued(on(Op::list_append), "item"), kEphemeral);
  r.ask(A, use);
  r.ask(B, use);
  r.ask(A, on(Op::list_append, "kept"));
  r.end(A);
  r.restart();
  CHECK(r.ask(B, plain(Op::list_length)).number == 2);
  r.end(B);
  CHECK(r.ask(A, plain(Op::list_length)).status == Status::not_found);
  CHECK(r.ask(A, plain(Op::list_length, "kept")).number == 1);
  CHECK(r.engine->sessions() == std::vector<std::uint64_t>{A});
}

TEST_CASE("who only looks at an ephemeral object does not keep it") {
  Registry r;
  r.ask(A, flagged(valued(on(Op::list_append), "item"), kEphemeral));
  CHECK(r.ask(B, plain(Op::info)).status == Status::ok);
  r.end(A);
  CHECK(r.ask(B, plain(Op::info)).status == Status::not_found);
}

TEST_CASE("limits push back, and what was refused left nothing behind") {
  RegistryConfig config;
  config.objects_max = 4;
  config.objects_per_uid_max = 3;
  config.bytes_per_uid_max = 4'000;
  config.value_max = 1'000;
  config.sessions_max = 5;
  config.waiters_per_uid_max = 2;
  config.waiting_bytes_max = 1'000;
  Registry r(config);
  for (const char* name : {"q", "l", "c"}) {
    const auto type = *name == 'q'   ? ObjectType::queue
                      : *name == 'l' ? ObjectType::list
                                     : ObjectType::counter;
    r.ask(A, sized(create(name, type, 0777), *name == 'q' ? 1 : 0));
  }
  CHECK(r.ask(A, create("d", ObjectType::dict)).payload ==
        "dict \"d\": too many objects: user 1000 has 3 of 3, all users have 3 of 4");
  const std::string kilo(1'000, 'x');
  CHECK(r.ask(A, valued(on(Op::list_append, "l"), kilo + "x")).status == Status::too_large);
  CHECK(r.ask(A, keyed(on(Op::dict_get, "l"), kilo + kilo)).status == Status::too_large);
  CHECK(r.ask(A, valued(on(Op::list_append, "l"), kilo)).status == Status::ok);
  CHECK(r.ask(A, valued(on(Op::list_append, "l"), kilo)).status == Status::ok);
  const std::string before = r.engine->dump();
  CHECK(r.ask(A, valued(on(Op::list_append, "l"), kilo)).status == Status::full);
  CHECK(r.engine->dump() == before);
  // What only reads or takes away is not refused.
  CHECK(r.ask(A, on(Op::list_pop, "l")).status == Status::ok);

  const std::string long_value(600, 'x');  // the request only refers to it
  const auto put = valued(sized(on(Op::queue_put, "q"), 1), long_value);
  CHECK(r.ask(A, put).status == Status::ok);
  r.send(A, put);
  CHECK(r.ask(A, put).status == Status::full);  // too many bytes in line
  r.send(A, valued(sized(on(Op::queue_put, "q"), 1), "short"));
  CHECK(r.ask(A, valued(sized(on(Op::queue_put, "q"), 1), "short")).status == Status::too_many);
  for (std::uint64_t s = 2; s <= 5; ++s)
    CHECK(r.ask(s, on(Op::counter_get, "c")).status == Status::ok);
  CHECK(r.ask(6, on(Op::counter_get, "c")).payload == "too many clients: 5");
}

TEST_CASE("a registry that is full can be emptied, whoever empties it and however") {
  Registry r({}, 16 * 1024);
  const std::string long_value(200, 'x');
  const auto put = valued(on(Op::queue_put, "q"), long_value);
  std::uint64_t generation = 0;
  std::int64_t items = 0;
  while (r.ask(A, put, ++generation).status == Status::ok) ++items;
  CHECK(items > 5);
  CHECK(r.ask(A, put, ++generation).status == Status::full);
  CHECK(r.ask(A, create("d", ObjectType::dict)).status == Status::full);
  for (std::int64_t i = 0; i < items; ++i) {
    const auto slot = std::uint32_t(i % 2);
    CHECK(r.ask(B, on(Op::queue_get, "q"), std::uint64_t(i + 1), slot).status == Status::ok);
  }
  r.end(A);
  r.end(B);
  r.ask(A, plain(Op::remove, "q"));
  CHECK(r.engine->core().store.bytes() == 0);
}

TEST_CASE("objects are listed with their counts, by prefix and type, in pages") {
  RegistryConfig config;
  config.reply_max = 200;
  Registry r(config);
  r.ask(A, on(Op::lock_acquire, "a/lock"));
  r.send(B, on(Op::lock_acquire, "a/lock"));
  r.ask(A, valued(on(Op::queue_put, "a/queue"), "item"));
  r.ask(A, with(on(Op::counter_add, "b"), -3));
  const auto list = [&](std::string_view prefix, ObjectType type) {
    std::vector<std::string> found;
    for (std::int64_t from = 0;;) {
      const auto reply = r.ask(A, typed(with(plain(Op::enumerate, prefix), from), type));
      const auto entries = decode_registry_entries(reply.payload);
      REQUIRE(entries.has_value());
      for (const auto& entry : *entries) {
        const auto status = decode_object_status(entry.value);
        REQUIRE(status.has_value());
        found.push_back(std::string(entry.key) + " " + to_string(status->type) + " " +
                        std::to_string(status->length) + " " + std::to_string(status->holders) +
                        " " + std::to_string(status->waiters));
      }
      if ((reply.flags & kMore) == 0) return found;
      from = reply.number;
    }
  };
  CHECK(list("", ObjectType::none) ==
        std::vector<std::string>{"a/lock lock 0 1 1", "a/queue queue 1 0 0", "b counter -3 0 0"});
  CHECK(list("a/", ObjectType::queue) == std::vector<std::string>{"a/queue queue 1 0 0"});
  r.uid = 7;
  CHECK(list("", ObjectType::none).empty());
}
