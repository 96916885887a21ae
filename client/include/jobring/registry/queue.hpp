// Queue: items in order, between unrelated processes. Its items survive the registry's death; each
// acknowledged put is there exactly once, each acknowledged get took it out exactly once.
//
//     jobring::Queue queue(registry, "pages", {.capacity = 1000});
//     queue.put("https://example.org/");
//     while (auto item = queue.get(1s)) { work(item->value); queue.task_done(); }
#pragma once

#include <span>

#include <jobring/registry/base.hpp>

namespace jobring {

struct QueueOptions {
  enum class Order : std::uint8_t { fifo, lifo, priority };
  std::int64_t capacity = 0;  // 0: as much as memory allows
  Order order = Order::fifo;
  ObjectOptions object{};
};

struct QueueItem {
  std::string value;
  std::uint64_t lease = 0;   // of get_leased(): names it for task_done()
  bool redelivered = false;  // it was leased before, to a client that died
  std::int64_t left = 0;     // items in the queue after it
};

class Queue : public NamedObject {
 public:
  Queue(const Registry& registry, std::string_view name, const QueueOptions& options = {});

  // False: it stayed full until the time was over. `priority` is for priority queues: the smallest
  // goes first.
  bool put(std::string_view value, std::chrono::nanoseconds timeout = kForever,
           std::int64_t priority = 0);
  Pending<bool> start_put(std::string_view value, std::chrono::nanoseconds timeout = kForever,
                          std::int64_t priority = 0);
  // nullopt: it stayed empty until the time was over.
  std::optional<QueueItem> get(std::chrono::nanoseconds timeout = kForever);
  Pending<std::optional<QueueItem>> start_get(std::chrono::nanoseconds timeout = kForever);
  // The item goes back to its place if this process dies before task_done() of it.
  std::optional<QueueItem> get_leased(std::chrono::nanoseconds timeout = kForever);
  Pending<std::optional<QueueItem>> start_get_leased(std::chrono::nanoseconds timeout = kForever);

  // `n` items that this process got are done. Throws NotHolder if it has not got so many.
  void task_done(std::int64_t n = 1);
  // A leased one is done.
  void task_done(const QueueItem& item);
  // Until all that was put is done; what a process got without lease counts as done when it dies.
  bool join(std::chrono::nanoseconds timeout = kForever);
  Pending<bool> start_join(std::chrono::nanoseconds timeout = kForever);

  std::int64_t size();
  std::int64_t unfinished();  // put, and not yet done
  std::int64_t clear();       // throws away what nobody has got; how many
};

}  // namespace jobring
