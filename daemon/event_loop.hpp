// The supervisor's single-threaded event loop: readiness, timers, posted work. Boost.Asio inside,
// kept out of everybody's sight because it costs seconds to compile.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace jobring {

class EventLoop {
 public:
  using Callback = std::function<void()>;

  // Ends its callback when destroyed; may be destroyed from within it.
  class Handle {
   public:
    struct Base {
      virtual ~Base() = default;
      virtual void cancel() = 0;
    };
    Handle() = default;
    explicit Handle(std::shared_ptr<Base> base) : base_(std::move(base)) {}
    Handle(Handle&&) noexcept = default;
    Handle& operator=(Handle&& other) noexcept {
      if (this != &other) {
        reset();
        base_ = std::move(other.base_);
      }
      return *this;
    }
    ~Handle() { reset(); }
    void reset() {
      // Out of the member first: cancelling may destroy what holds this handle.
      if (auto base = std::move(base_)) base->cancel();
    }
    explicit operator bool() const { return base_ != nullptr; }

   private:
    std::shared_ptr<Base> base_;
  };

  EventLoop();
  ~EventLoop();

  // Calls back whenever `fd` is readable or hung up. The caller keeps `fd` open for as long as the
  // handle lives.
  Handle watch(int fd, Callback on_readable);
  Handle after(std::chrono::nanoseconds delay, Callback on_time);
  void post(Callback soon);
  void run();
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace jobring
