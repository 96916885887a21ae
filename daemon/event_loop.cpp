#include "daemon/event_loop.hpp"

#include <utility>  // Boost 1.74's Asio forgets it

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace jobring {
namespace asio = boost::asio;

struct EventLoop::Impl {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
};

namespace {

struct FdWatch final : EventLoop::Handle::Base, std::enable_shared_from_this<FdWatch> {
  FdWatch(asio::io_context& context, int fd, EventLoop::Callback callback)
      : descriptor(context, fd), call(std::move(callback)) {}
  ~FdWatch() override { forget(); }
  void arm() {
    descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                            if (error || !self->alive) return;
                            self->call();
                            if (self->alive) self->arm();
                          });
  }
  void cancel() override {
    alive = false;
    forget();
  }
  void forget() {
    if (descriptor.is_open()) descriptor.release();  // the caller owns the descriptor
  }

  asio::posix::stream_descriptor descriptor;
  EventLoop::Callback call;
  bool alive = true;
};

struct TimerWatch final : EventLoop::Handle::Base, std::enable_shared_from_this<TimerWatch> {
  TimerWatch(asio::io_context& context, EventLoop::Callback callback)
      : timer(context), call(std::move(callback)) {}
  void arm(std::chrono::nanoseconds delay) {
    timer.expires_after(delay);
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (!error && self->alive) self->call();
    });
  }
  void cancel() override {
    alive = false;
    timer.cancel();
  }

  asio::steady_timer timer;
  EventLoop::Callback call;
  bool alive = true;
};

}  // namespace

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

EventLoop::Handle EventLoop::watch(int fd, Callback on_readable) {
  auto watch = std::make_shared<FdWatch>(impl_->context, fd, std::move(on_readable));
  watch->arm();
  return Handle(std::move(watch));
}

EventLoop::Handle EventLoop::after(std::chrono::nanoseconds delay, Callback on_time) {
  auto timer = std::make_shared<TimerWatch>(impl_->context, std::move(on_time));
  timer->arm(delay);
  return Handle(std::move(timer));
}

void EventLoop::post(Callback soon) {
  asio::post(impl_->context, std::move(soon));
}
void EventLoop::run() {
  impl_->context.run();
}
void EventLoop::stop() {
  impl_->context.stop();
}

}  // namespace jobring
