// A thread of an execution: a stack of its own, switched to by hand.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>
#include <memory>

namespace explore {

// Not movable: the machine context points into it.
class Fiber {
 public:
  Fiber() : stack_(new std::byte[kStack]) {}
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Prepares to run `body` from its beginning; body must never return.
  void prepare(std::function<void()> body) {
    body_ = std::move(body);
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_.get();
    context_.uc_stack.ss_size = kStack;
    context_.uc_link = nullptr;
    const auto bits = reinterpret_cast<std::uintptr_t>(this);
    makecontext(&context_, reinterpret_cast<void (*)()>(&Fiber::enter), 2, unsigned(bits >> 32),
                unsigned(bits));
  }
  static void change(ucontext_t& from, ucontext_t& to) { swapcontext(&from, &to); }
  ucontext_t& context() { return context_; }

 private:
  static constexpr std::size_t kStack = 256 * 1024;  // bytes
  static void enter(unsigned high, unsigned low) {
    reinterpret_cast<Fiber*>(std::uintptr_t(high) << 32 | low)->body_();
  }

  std::unique_ptr<std::byte[]> stack_;
  ucontext_t context_{};
  std::function<void()> body_;
};

}  // namespace explore
