// What jobs print, in the order in which they are to be printed (--keep-order).
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

namespace jobring::cli {

// What one job leaves for our stdout and stderr.
struct JobText {
  std::string out;
  std::string err;
  std::size_t size() const { return out.size() + err.size(); }
};

// Gives texts back in the order of their tickets 0, 1, 2, ..., whatever the order in which they
// come. Bounded: while full(), no new ticket may be handed out; those that are out can still come.
class OrderedOutput {
 public:
  OrderedOutput(std::size_t most_tickets, std::size_t most_bytes)
      : most_tickets_(most_tickets), most_bytes_(most_bytes) {}

  // The next ticket.
  std::uint64_t ticket() {
    waiting_.emplace_back();
    return next_++;
  }
  bool full() const { return waiting_.size() >= most_tickets_ || held_bytes_ >= most_bytes_; }

  // `sink(JobText)` gets every text whose turn it is now.
  template <class Sink>
  void put(std::uint64_t ticket, JobText text, Sink&& sink) {
    held_bytes_ += text.size();
    Place& place = waiting_[ticket - (next_ - waiting_.size())];
    place.text = std::move(text);
    place.here = true;
    while (!waiting_.empty() && waiting_.front().here) {
      held_bytes_ -= waiting_.front().text.size();
      sink(std::move(waiting_.front().text));
      waiting_.pop_front();
    }
  }

 private:
  struct Place {
    JobText text;
    bool here = false;
  };
  std::size_t most_tickets_;
  std::size_t most_bytes_;
  std::size_t held_bytes_ = 0;
  std::uint64_t next_ = 0;
  std::deque<Place> waiting_;  // tickets next_ - size() .. next_ - 1
};

}  // namespace jobring::cli
