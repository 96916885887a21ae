#include "client/callbacks.hpp"

#include <atomic>
#include <cstdio>
#include <deque>
#include <iterator>

namespace jobring {
namespace {

void complain(std::exception_ptr error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "jobring: a callback threw: %s\n", e.what());
  } catch (...) {
    std::fprintf(stderr, "jobring: a callback threw something that is not a std::exception\n");
  }
}

std::atomic<CallbackErrorHandler> error_handler{&complain};

// What is due on this thread. Not null only while the outermost run_callbacks() is at work.
thread_local std::deque<detail::DueCallback>* running = nullptr;

}  // namespace

CallbackErrorHandler set_callback_error_handler(CallbackErrorHandler handler) {
  return error_handler.exchange(handler != nullptr ? handler : &complain);
}

void detail::run_callbacks(std::vector<DueCallback> due) {
  // At once, also from within a callback: somebody may wait for the slot that it holds.
  std::erase_if(due, [](const DueCallback& entry) { return !entry.call; });
  if (running != nullptr) {
    running->insert(running->end(), std::make_move_iterator(due.begin()),
                    std::make_move_iterator(due.end()));
    return;
  }
  std::deque<DueCallback> mine(std::make_move_iterator(due.begin()),
                               std::make_move_iterator(due.end()));
  due.clear();
  running = &mine;
  while (!mine.empty()) {
    // Out of the queue first: the callback may add to it. Destroyed before the next one runs, and
    // still as part of the callback: what it captured may be the last copy of a pool.
    try {
      const DueCallback next = std::move(mine.front());
      mine.pop_front();
      next.call(next.future);
    } catch (...) {
      error_handler.load()(std::current_exception());
    }
  }
  running = nullptr;
}

}  // namespace jobring
