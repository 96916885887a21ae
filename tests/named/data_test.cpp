// Queues, dicts, lists and counters between unrelated processes, and over deaths of the registry.
#include <algorithm>

#include "tests/named/support.hpp"

using namespace jobring;
using namespace jobring::test;

TEST_CASE("a queue hands items from process to process in its order") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Queue fifo(registry, "f"), lifo(registry, "l", {.order = QueueOptions::Order::lifo});
  Queue urgent(registry, "p", {.order = QueueOptions::Order::priority});
  Child producer([&](Child&) {
    Client client = daemon.connect();
    Registry registry(client);
    for (const char* name : {"f", "l", "p"}) {
      const auto order = *name == 'f'   ? QueueOptions::Order::fifo
                         : *name == 'l' ? QueueOptions::Order::lifo
                                        : QueueOptions::Order::priority;
      Queue queue(registry, name, {.order = order});
      for (int i = 0; i < 4; ++i) queue.put(std::to_string(i), kForever, i % 2);
    }
    return 0;
  });
  REQUIRE_EQ(producer.wait(), 0);
  const auto drain = [](Queue& queue) {
    std::string all;
    while (const auto item = queue.get(0ns)) all += item->value;
    return all;
  };
  CHECK_EQ(drain(fifo), "0123");
  CHECK_EQ(drain(lifo), "3210");
  CHECK_EQ(drain(urgent), "0213");
  CHECK_THROWS_AS(fifo.get(-1ns), BadTimeout);
  CHECK_THROWS_AS(Queue(registry, "f", {.capacity = 5}).put("x"), ObjectError);
}

TEST_CASE("a bounded queue makes putters wait and join waits for the last task") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Queue queue(registry, "q", {.capacity = 2});
  CHECK(queue.put("a"));
  CHECK(queue.put("b"));
  CHECK_FALSE(queue.put("c", 0ns));
  CHECK_FALSE(queue.put("c", 5ms));
  const auto waits = queue.start_put("c");
  CHECK_FALSE(waits.wait_for(5ms));
  CHECK_EQ(queue.get()->value, "a");
  CHECK(waits.get());
  CHECK_EQ(queue.size(), 2);
  CHECK_EQ(queue.unfinished(), 3);
  CHECK_FALSE(queue.join(5ms));
  queue.get();
  queue.get();
  const auto joins = queue.start_join();
  queue.task_done(2);
  CHECK_FALSE(joins.wait_for(5ms));
  queue.task_done();
  CHECK(joins.get());
  CHECK_THROWS_AS(queue.task_done(), NotHolder);
}

TEST_CASE("a leased item of a process that is killed goes back to its place") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Queue queue(registry, "q");
  for (const char* item : {"1", "2", "3"}) queue.put(item);
  Child worker([&](Child& self) {
    Client client = daemon.connect();
    Registry registry(client);
    Queue queue(registry, "q");
    const auto done = queue.get_leased();
    queue.task_done(*done);
    self.say(queue.get_leased()->value);
    self.listen();
    return 0;
  });
  REQUIRE_EQ(worker.hear(), "2");
  CHECK_EQ(queue.size(), 1);
  worker.kill();
  REQUIRE(eventually([&] { return queue.size() == 2; }));
  const auto again = queue.get_leased();
  CHECK_EQ(again->value, "2");
  CHECK(again->redelivered);
  CHECK_FALSE(queue.get()->redelivered);
  queue.task_done(*again);
  CHECK_THROWS_AS(queue.task_done(*again), NotHolder);
}

TEST_CASE("a dict is read changed compared and updated atomically by several processes") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Dict dict(registry, "d");
  CHECK_FALSE(dict.get("k"));
  dict.set("k", "v");
  CHECK_EQ(dict.get("k"), "v");
  std::string present;
  CHECK_FALSE(dict.set_if_absent("k", "w", {}, &present));
  CHECK_EQ(present, "v");
  CHECK_FALSE(dict.compare_and_set("k", "x", "y"));
  CHECK(dict.compare_and_set("k", "v", "y"));
  CHECK(dict.compare_and_set("new", std::nullopt, "1"));
  CHECK(dict.compare_and_set("new", "1", std::nullopt));
  CHECK_THROWS_AS(dict.increment("k"), ObjectError);
  const std::uint64_t version = dict.update({{"a", "1"}, {"b", "2"}, {"k", std::nullopt}});
  CHECK_FALSE(dict.update_if(version - 1, {{"a", "9"}}));
  CHECK(dict.update_if(version, {{"a", "3"}}));
  const std::vector<std::pair<std::string, std::string>> expected{{"a", "3"}, {"b", "2"}};
  CHECK_EQ(dict.items().size(), 2);
  CHECK(dict.items() == expected);
  CHECK_EQ(dict.pop("b"), "2");
  CHECK_FALSE(dict.erase("b"));

  std::vector<std::unique_ptr<Child>> adders;
  for (int i = 0; i < 4; ++i) {
    adders.push_back(std::make_unique<Child>([&](Child&) {
      Client client = daemon.connect();
      Registry registry(client);
      Dict dict(registry, "d");
      Counter counter(registry, "c");
      for (int n = 0; n < 100; ++n) {
        dict.increment("sum", 2);
        counter.add(3);
      }
      return 0;
    }));
  }
  for (auto& adder : adders) CHECK_EQ(adder->wait(), 0);
  CHECK_EQ(dict.get("sum"), "800");
  Counter counter(registry, "c");
  CHECK_EQ(counter.get(), 1200);
  CHECK(counter.compare_and_set(1200, INT64_MAX));
  CHECK_THROWS_AS(counter.add(1), ObjectRange);
}

TEST_CASE("keys go when their time is over and a watcher hears of it and of every change") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Dict dict(registry, "d");
  CHECK(dict.watch(0, kForever)->compacted);  // who knows nothing of it reads it first
  const auto waits = dict.start_watch(dict.version());
  CHECK_FALSE(waits.wait_for(5ms));
  Child other([&](Child&) {
    Client client = daemon.connect();
    Registry registry(client);
    Dict(registry, "d").set("k", "v", 50ms);
    return 0;
  });
  const auto came = waits.get();
  REQUIRE(came);
  REQUIRE_EQ(came->changed.size(), 1);
  CHECK_EQ(came->changed[0].key, "k");
  CHECK_EQ(came->changed[0].value, "v");
  const auto went = dict.watch_key("k", came->version, kForever);
  REQUIRE(went);
  REQUIRE_EQ(went->changed.size(), 1);
  CHECK_FALSE(went->changed[0].value);
  CHECK_FALSE(dict.get("k"));
  CHECK_FALSE(dict.watch(went->version, 5ms));
  CHECK_THROWS_AS(dict.set("k", "v", -1ns), BadTimeout);
  dict.set("k", "v");
  CHECK(dict.expire("k", 1ms));
  CHECK(eventually([&] { return !dict.get("k"); }));
  CHECK_EQ(other.wait(), 0);
}

TEST_CASE("a list behaves as one of Python") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  List list(registry, "l");
  CHECK_EQ(list.append("b"), 1);
  CHECK_EQ(list.extend({"c", "d"}), 3);
  list.insert(0, "a");
  CHECK_EQ(list.get(-1), "d");
  list.set(1, "B");
  const std::vector<std::string> middle{"B", "c"};
  CHECK(list.slice(1, 3) == middle);
  CHECK_EQ(list.index("c"), 2);
  CHECK_FALSE(list.index("z"));
  CHECK(list.erase("a"));
  CHECK_EQ(list.pop(), "d");
  CHECK_EQ(list.size(), 2);
  CHECK_THROWS_AS(list.get(2), ObjectRange);
  list.clear();
  CHECK_EQ(list.size(), 0);
}

TEST_CASE("listings longer than one answer come whole") {
  Daemon daemon(R"({"default": {"workers": 1}})", R"(, "registry": {"reply_max": "4KiB"})");
  Client client = daemon.connect();
  Registry registry(client);
  Dict dict(registry, "d");
  List list(registry, "l");
  const std::string value(300, 'x');
  for (int i = 0; i < 100; ++i) {
    dict.set("key" + std::to_string(i), value);
    list.append(value);
    Counter(registry, "counter" + std::to_string(i)).add();
  }
  CHECK_EQ(dict.items().size(), 100);
  CHECK_EQ(dict.keys().size(), 100);
  CHECK_EQ(list.all().size(), 100);
  CHECK_EQ(registry.objects("counter", ObjectKind::counter).size(), 100);
  CHECK_EQ(registry.objects().size(), 102);
}

TEST_CASE("what objects contain survives the registry") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Dict dict(registry, "d");
  List list(registry, "l");
  Counter counter(registry, "c");
  Queue queue(registry, "q", {.capacity = 10});
  const std::string large(500'000, 'y');
  dict.set("k", "v");
  dict.set("large", large);
  list.extend({"1", "2"});
  counter.add(7);
  queue.put("x");
  queue.put("y");
  const auto leased = queue.get_leased();
  Event(registry, "e").set();
  for (int i = 0; i < 3; ++i) kill_registry(daemon);
  CHECK_EQ(dict.get("k"), "v");
  CHECK_EQ(dict.get("large"), large);
  CHECK_EQ(list.size(), 2);
  CHECK_EQ(counter.get(), 7);
  CHECK_EQ(queue.size(), 1);
  queue.task_done(*leased);  // the lease too
  CHECK_EQ(queue.get()->value, "y");
  CHECK(Event(registry, "e").is_set());
}

TEST_CASE("what a process held is free when it died together with the registry") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Queue queue(registry, "q");
  queue.put("x");
  Child holder([&](Child& self) {
    Client client = daemon.connect();
    Registry registry(client);
    Queue queue(registry, "q");
    queue.get_leased();
    Lock lock(registry, "gone", {.ephemeral = true});
    lock.lock();
    self.say("held");
    self.listen();
    return 0;
  });
  REQUIRE_EQ(holder.hear(), "held");
  // Stopped, the registry hears of nothing: the session ends while there is none that serves.
  const pid_t stopped = registry_pid(daemon);
  kill(stopped, SIGSTOP);
  holder.kill();
  REQUIRE(eventually([&] { return registry_status(daemon)["channels"].size() == 1; }));
  kill(stopped, SIGKILL);
  CHECK(queue.get(30s)->redelivered);
  CHECK_FALSE(registry.info("gone"));
}
