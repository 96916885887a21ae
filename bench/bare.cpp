#include "bench/bare.hpp"

#include <sched.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "bench/measure.hpp"
#include "bench/work.hpp"

extern char** environ;

namespace bench {
namespace {

struct Cell {
  alignas(64) unsigned char bytes[64];
};

// Positions are published once per batch; each side keeps the other's in view and looks again only
// when it must.
struct Ring {
  alignas(64) std::atomic<std::uint64_t> tail{0};
  alignas(64) std::atomic<std::uint64_t> head{0};
};

class Producer {
 public:
  Producer(Ring* ring, Cell* cells, std::uint32_t size) : ring_(ring), cells_(cells), size_(size) {}
  Cell* room() {
    if (next_ - seen_ == size_) seen_ = ring_->head.load(std::memory_order_acquire);
    return next_ - seen_ == size_ ? nullptr : &cells_[next_++ & (size_ - 1)];
  }
  void publish() { ring_->tail.store(next_, std::memory_order_release); }

 private:
  Ring* ring_;
  Cell* cells_;
  std::uint64_t size_, next_ = 0, seen_ = 0;
};

class Consumer {
 public:
  Consumer(Ring* ring, Cell* cells, std::uint32_t size) : ring_(ring), cells_(cells), size_(size) {}
  Cell* next() {
    if (next_ == seen_) seen_ = ring_->tail.load(std::memory_order_acquire);
    return next_ == seen_ ? nullptr : &cells_[next_++ & (size_ - 1)];
  }
  void release() { ring_->head.store(next_, std::memory_order_release); }

 private:
  Ring* ring_;
  Cell* cells_;
  std::uint64_t size_, next_ = 0, seen_ = 0;
};

RoundTrip percentiles(std::vector<double>& samples) {
  return {percentile(samples, 0.5) * 1e6, percentile(samples, 0.99) * 1e6};
}

}  // namespace

double bare_rings(double duration, std::uint32_t cells, std::uint32_t batch) {
  auto* rings = new (shared_memory(2 * sizeof(Ring))) Ring[2];
  auto* there = static_cast<Cell*>(shared_memory(sizeof(Cell) * cells));
  auto* back = static_cast<Cell*>(shared_memory(sizeof(Cell) * cells));
  const pid_t peer = in_child([&] {
    Consumer in(&rings[0], there, cells);
    Producer out(&rings[1], back, cells);
    for (;;) {
      std::uint32_t n = 0;
      for (; n < batch; ++n) {
        Cell* request = in.next();
        if (request == nullptr) break;
        Cell* answer;
        while ((answer = out.room()) == nullptr) sched_yield();
        std::memcpy(answer, request, sizeof(Cell));
      }
      if (n != 0) {
        out.publish();
        in.release();
      } else {
        sched_yield();
      }
    }
  });
  Producer out(&rings[0], there, cells);
  Consumer in(&rings[1], back, cells);
  Cell message{};
  std::uint64_t sent = 0, done = 0;
  const double start = seconds();
  double now = start;
  while (now - start < duration) {
    for (int spin = 0; spin < 256; ++spin) {
      std::uint32_t n = 0;
      for (; n < batch && sent - done < cells; ++n) {
        Cell* cell = out.room();
        if (cell == nullptr) break;
        std::memcpy(cell, &message, sizeof message);
        ++sent;
      }
      if (n != 0) out.publish();
      std::uint32_t got = 0;
      for (; got < batch; ++got) {
        Cell* answer = in.next();
        if (answer == nullptr) break;
        std::memcpy(&message, answer, sizeof message);
      }
      if (got != 0) in.release();
      done += got;
      if (n == 0 && got == 0) sched_yield();
    }
    now = seconds();
  }
  end_child(peer);
  return double(done) / (now - start);
}

double boost_message_queue(double duration, std::size_t depth, MessageQueueUse use) {
  using boost::interprocess::message_queue;
  const std::string name = "jobring-bench-" + std::to_string(getpid());
  const std::string a = name + "-a", b = name + "-b";
  message_queue there(boost::interprocess::create_only, a.c_str(), depth, 64);
  message_queue back(boost::interprocess::create_only, b.c_str(), depth, 64);
  const pid_t peer = in_child([&] {
    message_queue in(boost::interprocess::open_only, a.c_str()),
        out(boost::interprocess::open_only, b.c_str());
    char bytes[64];
    for (;;) {
      message_queue::size_type size;
      unsigned priority;
      in.receive(bytes, sizeof bytes, size, priority);
      out.send(bytes, size, 0);
    }
  });
  char bytes[64] = {};
  std::uint64_t sent = 0, done = 0;
  const double start = seconds();
  double now = start;
  while (now - start < duration) {
    for (int i = 0; i < 1024; ++i) {
      bool moved = false;
      if (use == MessageQueueUse::blocking) {
        while (sent - done < depth && there.try_send(bytes, sizeof bytes, 0)) ++sent;
        message_queue::size_type size;
        unsigned priority;
        back.receive(bytes, sizeof bytes, size, priority);
        ++done;
        continue;
      }
      if (sent - done < depth && there.try_send(bytes, sizeof bytes, 0)) {
        ++sent;
        moved = true;
      }
      message_queue::size_type size;
      unsigned priority;
      if (back.try_receive(bytes, sizeof bytes, size, priority)) {
        ++done;
        moved = true;
      }
      if (!moved) sched_yield();
    }
    now = seconds();
  }
  end_child(peer);
  message_queue::remove(a.c_str());
  message_queue::remove(b.c_str());
  return double(done) / (now - start);
}

RoundTrip eventfd_ping_pong(double duration, int cpu_a, int cpu_b) {
  const int there = eventfd(0, EFD_CLOEXEC), back = eventfd(0, EFD_CLOEXEC);
  RoundTrip* result = static_cast<RoundTrip*>(shared_memory(sizeof(RoundTrip)));
  std::uint64_t value = 1;
  const pid_t peer = in_child([&] {
    pin(cpu_b);
    while (read(there, &value, 8) == 8) {
      value = 1;
      if (write(back, &value, 8) != 8) break;
    }
  });
  const pid_t me = in_child([&] {
    pin(cpu_a);
    std::vector<double> samples;
    for (const double end = seconds() + duration; seconds() < end;) {
      const double start = seconds();
      value = 1;
      if (write(there, &value, 8) != 8 || read(back, &value, 8) != 8) break;
      samples.push_back(seconds() - start);
    }
    *result = percentiles(samples);
  });
  wait_child(me);
  end_child(peer);
  close(there);
  close(back);
  return *result;
}

namespace {

// Returns once `word` has reached n. The first `patient` looks without sched_yield() between them.
void look_until(const std::atomic<std::uint64_t>& word, std::uint64_t n, int patient) {
  for (int look = 0; word.load(std::memory_order_acquire) < n; ++look) {
    if (look >= patient) sched_yield();
  }
}

RoundTrip looking_ping_pong(double duration, int cpu_a, int cpu_b, int patient) {
  struct Words {
    alignas(64) std::atomic<std::uint64_t> there{0};
    alignas(64) std::atomic<std::uint64_t> back{0};
    RoundTrip result;
  };
  auto* words = new (shared_memory(sizeof(Words))) Words;
  const pid_t peer = in_child([&] {
    pin(cpu_b);
    for (std::uint64_t n = 1;; ++n) {
      look_until(words->there, n, patient);
      words->back.store(n, std::memory_order_release);
    }
  });
  const pid_t me = in_child([&] {
    pin(cpu_a);
    std::vector<double> samples;
    const double end = seconds() + duration;
    for (std::uint64_t n = 1; seconds() < end; ++n) {
      const double start = seconds();
      words->there.store(n, std::memory_order_release);
      look_until(words->back, n, patient);
      samples.push_back(seconds() - start);
    }
    words->result = percentiles(samples);
  });
  wait_child(me);
  end_child(peer);
  return words->result;
}

}  // namespace

RoundTrip yielding_ping_pong(double duration, int cpu_a, int cpu_b) {
  return looking_ping_pong(duration, cpu_a, cpu_b, 0);
}
RoundTrip spinning_ping_pong(double duration, int cpu_a, int cpu_b) {
  return looking_ping_pong(duration, cpu_a, cpu_b, 2000);
}

double posix_spawn_loop(double duration, const char* program, int parallel) {
  auto* counts = static_cast<std::atomic<std::uint64_t>*>(shared_memory(sizeof(std::uint64_t)));
  const double start = seconds();
  std::vector<pid_t> children;
  for (int i = 0; i < parallel; ++i) {
    children.push_back(in_child([&] {
      char* const argv[] = {const_cast<char*>(program), nullptr};
      while (seconds() - start < duration) {
        pid_t pid;
        if (posix_spawn(&pid, program, nullptr, nullptr, argv, environ) != 0) _exit(1);
        waitpid(pid, nullptr, 0);
        counts->fetch_add(1);
      }
    }));
  }
  for (const pid_t child : children) wait_child(child);
  return double(counts->load()) / (seconds() - start);
}

double bare_memory_work(double duration, std::size_t size) {
  struct Words {
    alignas(64) std::atomic<std::uint64_t> there{0};
    alignas(64) std::atomic<std::uint64_t> back{0};
  };
  auto* words = new (shared_memory(sizeof(Words))) Words;
  auto* payload = static_cast<unsigned char*>(shared_memory(size));
  auto* result = static_cast<unsigned char*>(shared_memory(size));
  const pid_t peer = in_child([&] {
    for (std::uint64_t n = 1;; ++n) {
      while (words->there.load(std::memory_order_acquire) < n) sched_yield();
      fill(result, size, sum(payload, size));
      words->back.store(n, std::memory_order_release);
    }
  });
  std::uint64_t rounds = 0;
  const double start = seconds();
  double now = start;
  while (now - start < duration) {
    fill(payload, size, ++rounds);
    words->there.store(rounds, std::memory_order_release);
    while (words->back.load(std::memory_order_acquire) < rounds) sched_yield();
    sink(sum(result, size));
    now = seconds();
  }
  end_child(peer);
  return double(rounds) * 2 * double(size) / (now - start);
}

}  // namespace bench
