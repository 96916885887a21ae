#include <algorithm>

#include "tests/registry/registry.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {
constexpr std::uint64_t A = 1, B = 2, C = 3;

RegistryRequest queue(Op op, std::int64_t size = 0, QueueOrder order = QueueOrder::fifo) {
  RegistryRequest r = sized(on(op), size);
  r.order = order;
  return r;
}
std::vector<std::string> values(const RegistryReply& reply) {
  const auto entries = decode_registry_entries(reply.payload);
  REQUIRE(entries.has_value());
  std::vector<std::string> all;
  for (const auto& e : *entries) {
    std::string text(e.key);
    if (!e.key.empty() && !e.value.empty()) text += "=";
    text += e.value;
    if ((e.flags & kErased) != 0) text += " erased";
    all.push_back(text);
  }
  return all;
}
using Texts = std::vector<std::string>;
}  // namespace

TEST_CASE("a queue gives its items in its order") {
  const auto order = [](QueueOrder order) {
    Registry r;
    const std::pair<const char*, int> puts[] = {{"a", 2}, {"b", 1}, {"c", 2}, {"d", 0}};
    for (const auto& [item, priority] : puts)
      r.ask(A, valued(with(queue(Op::queue_put, 0, order), priority), item));
    r.restart();
    std::string got;
    for (int i = 0; i < 4; ++i) got += r.ask(B, queue(Op::queue_get, 0, order)).payload;
    return got;
  };
  CHECK(order(QueueOrder::fifo) == "abcd");
  CHECK(order(QueueOrder::lifo) == "dcba");
  CHECK(order(QueueOrder::priority) == "dbac");
}

TEST_CASE("getters of an empty queue and putters of a full one wait in line") {
  Registry r;
  const auto g1 = r.send(A, queue(Op::queue_get, 1)), g2 = r.send(B, queue(Op::queue_get, 1));
  r.ask(C, valued(queue(Op::queue_put, 1), "one"));
  CHECK(r.replies[g1].payload == "one");
  CHECK(r.waits(g2));
  r.ask(C, valued(queue(Op::queue_put, 1), "two"));
  CHECK(r.replies[g2].payload == "two");
  r.ask(C, valued(queue(Op::queue_put, 1), "three"));
  const auto p1 = r.send(C, valued(queue(Op::queue_put, 1), "four"));
  const auto p2 = r.send(B, until(valued(queue(Op::queue_put, 1), "five"), 2'000));
  const auto p3 = r.send(B, valued(queue(Op::queue_put, 1), "six"));
  CHECK(r.ask(A, queue(Op::queue_get, 1)).payload == "three");
  CHECK(r.status(p1) == Status::ok);
  r.tick(2'000);
  CHECK(r.status(p2) == Status::timed_out);
  CHECK(r.ask(A, queue(Op::queue_get, 1)).payload == "four");
  CHECK(r.status(p3) == Status::ok);
  CHECK(r.ask(A, queue(Op::queue_get, 1)).payload == "six");
  CHECK(r.engine->core().waiting_bytes() == 0);
}

TEST_CASE("join waits until every item that was put is done, and task_done is counted") {
  Registry r;
  CHECK(r.ask(A, queue(Op::queue_join)).status == Status::ok);
  for (const char* item : {"a", "b"}) r.ask(A, valued(queue(Op::queue_put), item));
  const auto join = r.send(A, queue(Op::queue_join));
  CHECK(r.ask(B, queue(Op::queue_task_done)).status == Status::over_release);
  r.ask(B, queue(Op::queue_get));
  r.ask(C, queue(Op::queue_get));
  CHECK(r.ask(B, queue(Op::queue_task_done)).number == 1);
  CHECK(r.ask(B, queue(Op::queue_task_done)).status == Status::over_release);
  CHECK(r.waits(join));
  r.end(C);  // what it had got counts as done: join does not wait for the dead
  CHECK(r.status(join) == Status::ok);
}

TEST_CASE("a leased item goes back to its place when its getter dies, also over a restart") {
  Registry r;
  for (const char* item : {"a", "b", "c"}) r.ask(A, valued(queue(Op::queue_put), item));
  const auto a = r.ask(B, flagged(queue(Op::queue_get), kLease));
  const auto b = r.ask(B, flagged(queue(Op::queue_get), kLease));
  CHECK(a.payload == "a");
  CHECK(r.ask(C, token(queue(Op::queue_task_done), a.token)).status == Status::not_holder);
  CHECK(r.ask(B, token(queue(Op::queue_task_done), a.token)).status == Status::ok);
  CHECK(r.ask(B, token(queue(Op::queue_task_done), a.token)).status == Status::not_holder);
  r.restart();
  CHECK(r.engine->sessions() == std::vector<std::uint64_t>{B});
  const auto waits = r.send(C, token(queue(Op::queue_join), 0));
  r.end(B);
  const auto again = r.ask(C, flagged(queue(Op::queue_get), kLease));
  CHECK(again.payload == "b");
  CHECK(again.flags == kRedelivered);
  CHECK(again.token > b.token);
  CHECK(r.ask(C, queue(Op::queue_get)).payload == "c");
  r.ask(C, token(queue(Op::queue_task_done), again.token));
  CHECK(r.waits(waits));
  r.ask(C, queue(Op::queue_task_done));
  CHECK(r.status(waits) == Status::ok);
}

TEST_CASE("a request that is sent again after a restart is answered, not done twice") {
  Registry r;
  r.ask(A, valued(queue(Op::queue_put), "a"), 1);
  const auto got = r.ask(B, queue(Op::queue_get), 5);
  const auto sum = r.ask(B, with(on(Op::counter_add, "c"), 3), 1, 1);
  r.restart();
  const auto again = r.ask(B, queue(Op::queue_get), 5);
  CHECK(again.payload == got.payload);
  CHECK(again.flags == kReplayed);
  CHECK(r.ask(B, with(on(Op::counter_add, "c"), 3), 1, 1).number == sum.number);
  CHECK(r.ask(B, with(on(Op::counter_add, "c"), 3), 2, 1).number == 6);
  CHECK(r.ask(B, with(on(Op::counter_add, "c"), 3), 1, 1).status == Status::stale_request);
  CHECK(r.ask(A, queue(Op::queue_length)).number == 0);
}

TEST_CASE("a dict sets, gets, counts, compares and removes") {
  Registry r;
  const auto get = [&](std::string_view key) { return r.ask(A, keyed(on(Op::dict_get), key)); };
  r.ask(A, keyed(on(Op::dict_set), "k", "v"));
  CHECK(get("k").payload == "v");
  CHECK(get("other").status == Status::no_key);
  const auto there = r.ask(B, flagged(keyed(on(Op::dict_set), "k", "w"), kIfAbsent));
  CHECK(there.flags == kExisted);
  CHECK(there.payload == "v");
  CHECK(r.ask(B, with(keyed(on(Op::dict_increment), "n"), 40)).number == 40);
  CHECK(r.ask(B, with(keyed(on(Op::dict_increment), "n"), 2)).number == 42);
  CHECK(get("n").payload == "42");
  CHECK(r.ask(B, with(keyed(on(Op::dict_increment), "k"), 2)).status == Status::not_a_number);
  CHECK(r.ask(B, with(keyed(on(Op::dict_increment), "n"), kNoDeadline)).status ==
        Status::out_of_range);
  const auto swap = [&](std::string_view key, RegistryEntry expected, RegistryEntry desired) {
    std::string pair;
    append(pair, expected);
    append(pair, desired);
    return r.ask(C, keyed(on(Op::dict_compare_and_set), key, pair));
  };
  const RegistryEntry none{{}, {}, 0, kErased};
  CHECK(swap("k", {{}, "x", 0, 0}, {{}, "y", 0, 0}).payload == "v");
  CHECK(swap("k", {{}, "v", 0, 0}, {{}, "y", 0, 0}).status == Status::ok);
  CHECK(get("k").payload == "y");
  CHECK(swap("k", none, {{}, "z", 0, 0}).status == Status::mismatch);
  CHECK(swap("new", {{}, "v", 0, 0}, {{}, "y", 0, 0}).flags == kAbsent);
  CHECK(swap("new", none, {{}, "z", 0, 0}).status == Status::ok);
  CHECK(swap("new", {{}, "z", 0, 0}, none).status == Status::ok);
  CHECK(get("new").status == Status::no_key);
  CHECK(r.ask(A, keyed(on(Op::dict_pop), "k")).payload == "y");
  CHECK(r.ask(A, keyed(on(Op::dict_remove), "k")).status == Status::no_key);
  CHECK(r.ask(A, on(Op::dict_length)).number == 1);
}

TEST_CASE("a batch of updates is done as a whole or not at all") {
  RegistryConfig config;
  config.bytes_per_uid_max = 2'000;
  Registry r(config);
  const auto update = [&](std::initializer_list<RegistryEntry> entries, RegistryRequest request) {
    std::string batch;
    for (const auto& e : entries) append(batch, e);
    return r.ask(A, valued(request, batch));
  };
  const auto first = update({{"a", "1", 0, 0}, {"b", "2", 0, 0}}, on(Op::dict_update));
  CHECK(first.status == Status::ok);
  const std::string large(1'500, 'x');
  const std::string before = r.engine->dump();
  CHECK(update({{"a", {}, 0, kErased}, {"c", large, 0, 0}}, on(Op::dict_update)).status ==
        Status::full);
  CHECK(r.engine->dump() == before);
  const auto current = std::int64_t(first.token);
  CHECK(update({{"a", {}, 0, kErased}}, flagged(with(on(Op::dict_update), current - 1), kIfVersion))
            .status == Status::mismatch);
  CHECK(update({{"a", {}, 0, kErased}, {"z", {}, 0, kErased}},
               flagged(with(on(Op::dict_update), current), kIfVersion))
            .status == Status::ok);
  CHECK(values(r.ask(A, on(Op::dict_items))) == Texts{"b=2"});
}

TEST_CASE("a dict lists its keys in the order they came, in pages, also after a restart") {
  RegistryConfig config;
  config.reply_max = 60;
  Registry r(config);
  for (const char* key : {"c", "a", "d", "b"}) r.ask(A, keyed(on(Op::dict_set), key, "1"));
  r.ask(A, keyed(on(Op::dict_set), "c", "2"));
  r.restart();
  const auto page = r.ask(A, on(Op::dict_items));
  CHECK(values(page) == Texts{"c=2", "a=1", "d=1"});
  CHECK(page.flags == kMore);
  const auto last = r.ask(A, with(on(Op::dict_items), page.number));
  CHECK(values(last) == Texts{"b=1"});
  CHECK(last.flags == 0);
}

TEST_CASE("a watcher misses no change: of a key, of the whole, by set, removal or expiry") {
  Registry r;
  const auto watch = flagged(on(Op::dict_watch), kWholeDict);
  auto known = r.ask(A, on(Op::dict_length)).token;
  const auto whole = r.send(A, with(watch, std::int64_t(known)));
  const auto key = r.send(B, with(keyed(on(Op::dict_watch), "k"), std::int64_t(known)));
  CHECK(r.waits(whole));
  r.ask(C, keyed(on(Op::dict_set), "other", "1"));
  CHECK(values(r.replies[whole]) == Texts{"other=1"});
  CHECK(r.waits(key));
  r.ask(C, with(keyed(on(Op::dict_set), "k", "2"), 0, 100));
  CHECK(values(r.replies[key]) == Texts{"k=2"});
  r.ask(C, keyed(on(Op::dict_remove), "other"));
  // What happened meanwhile is told at once.
  const auto told = r.ask(A, with(watch, r.replies[whole].number));
  CHECK(values(told) == Texts{"k=2", "other erased"});
  const auto expiry = r.send(A, with(watch, told.number));
  const auto gone = r.send(B, with(keyed(on(Op::dict_watch), "k"), r.replies[key].number));
  CHECK(r.engine->next_deadline() == r.now + 100);
  r.tick(r.now + 100);
  CHECK(values(r.replies[expiry]) == Texts{"k erased"});
  CHECK(values(r.replies[gone]) == Texts{"k erased"});
}

TEST_CASE("a watcher that has slept too long, or knows another dict, is told to read it all") {
  Registry r;
  const auto watch = flagged(on(Op::dict_watch), kWholeDict);
  const auto known = std::int64_t(r.ask(A, on(Op::dict_length)).token);
  for (int i = 0; i < 300; ++i) {
    r.ask(A, keyed(on(Op::dict_set), "k" + std::to_string(i)));
    r.ask(A, keyed(on(Op::dict_remove), "k" + std::to_string(i)));
  }
  const auto told = r.ask(A, with(watch, known));
  CHECK(told.flags == kCompacted);
  CHECK(r.waits(r.send(A, with(watch, told.number))));
  r.ask(A, on(Op::remove));
  CHECK(r.ask(A, with(watch, told.number)).flags == kCompacted);
}

TEST_CASE("keys live as long as they are told to") {
  Registry r;
  r.ask(A, with(keyed(on(Op::dict_set), "short", "1"), 0, 100));
  r.ask(A, with(keyed(on(Op::dict_set), "long", "1"), 0, 10'000));
  CHECK(r.ask(A, with(keyed(on(Op::dict_set), "bad", "1"), 0, -1)).status == Status::bad_timeout);
  r.ask(A, with(keyed(on(Op::dict_expire), "short"), 0, 200));
  r.restart();
  r.now += 199;
  CHECK(r.ask(A, on(Op::dict_length)).number == 2);
  r.now += 1;
  CHECK(r.ask(A, keyed(on(Op::dict_get), "short")).status == Status::no_key);
  r.ask(A, with(keyed(on(Op::dict_expire), "long"), 0, 0));
  r.tick(1'000'000);
  CHECK(r.ask(A, on(Op::dict_length)).number == 1);
  CHECK(r.engine->next_deadline() == kNoDeadline);
}

TEST_CASE("a list does what Python's lists do") {
  Registry r;
  const auto all = [&] { return values(r.ask(A, with(on(Op::list_slice), 0, kNoDeadline))); };
  std::string batch;
  for (const char* item : {"b", "c", "d"}) append(batch, {{}, item, 0, 0});
  CHECK(r.ask(A, valued(on(Op::list_extend), batch)).number == 3);
  r.ask(A, valued(with(on(Op::list_insert), 0), "a"));
  r.ask(A, valued(with(on(Op::list_insert), 99), "e"));
  r.ask(A, valued(with(on(Op::list_insert), -1), "x"));
  CHECK(all() == Texts{"a", "b", "c", "d", "x", "e"});
  CHECK(r.ask(A, with(on(Op::list_pop), -2)).payload == "x");
  CHECK(r.ask(A, with(on(Op::list_pop), 9)).status == Status::out_of_range);
  CHECK(r.ask(A, with(on(Op::list_get), -5)).payload == "a");
  CHECK(r.ask(A, with(on(Op::list_get), -6)).status == Status::out_of_range);
  r.ask(A, valued(with(on(Op::list_set), 1), "B"));
  CHECK(r.ask(A, valued(on(Op::list_index), "B")).number == 1);
  CHECK(r.ask(A, valued(on(Op::list_remove), "c")).number == 4);
  CHECK(r.ask(A, valued(on(Op::list_remove), "c")).status == Status::no_key);
  CHECK(values(r.ask(A, with(on(Op::list_slice), -3, -1))) == Texts{"B", "d"});
  r.restart();
  CHECK(all() == Texts{"a", "B", "d", "e"});
  r.ask(A, on(Op::list_clear));
  CHECK(r.ask(A, on(Op::list_length)).number == 0);
}

TEST_CASE("a counter adds, sets, compares, and does not overflow") {
  Registry r;
  CHECK(r.ask(A, with(on(Op::counter_add), 5)).number == 5);
  CHECK(r.ask(B, with(on(Op::counter_add), -7)).number == -2);
  CHECK(r.ask(B, with(on(Op::counter_compare_and_set), 0, 9)).number == -2);
  CHECK(r.ask(B, with(on(Op::counter_compare_and_set), -2, kNoDeadline)).status == Status::ok);
  CHECK(r.ask(B, with(on(Op::counter_add), 1)).status == Status::out_of_range);
  r.restart();
  CHECK(r.ask(A, on(Op::counter_get)).number == kNoDeadline);
}
