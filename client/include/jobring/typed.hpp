// Typed jobs: arguments and results through codecs (codec.hpp).
//
//     jobring::TypedFuture<long> f = pool.submit_as<long>("square", 7L);
//     long n = f.get();                                           // 49
//     for (long n : pool.map_as<long>("square", numbers)) ...     // lazily, in order
//     for (long n : pool.map_as<long>("add", pairs)) ...          // each tuple is the arguments
//
// Nothing checks that a handler takes what you send but its own codec, when the job runs: it fails
// the job as jobring::CodecError. A codec that throws here throws to you: on submitting, before
// anything is submitted; on get(), each time, and the raw bytes can still be had from future().
#pragma once

#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <jobring/codec.hpp>
#include <jobring/jobring.hpp>

namespace jobring {

// A Future whose result is an R. Copyable.
template <class R>
class TypedFuture {
 public:
  TypedFuture() = default;
  explicit TypedFuture(Future future) : future_(std::move(future)) {}

  // Waits; throws JobFailed, or what the codec throws. A codec whose values point into the bytes
  // (std::string_view) is for handlers only.
  R get() const {
    static_assert(!std::is_same_v<R, std::string_view>, "it would point into bytes that are gone");
    const auto bytes = future_.view();
    if constexpr (!std::is_void_v<R>) {
      return Codec<R>::decode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
  }
  // Everything else: waiting, callbacks, cancelling, the raw result.
  const Future& future() const { return future_; }
  bool ready() const { return future_.ready(); }
  bool wait_for(std::chrono::nanoseconds timeout) const { return future_.wait_for(timeout); }

 private:
  Future future_;
};

// Results (map.hpp) whose values are Rs; in a range-for they are decoded as they come.
template <class R>
class TypedResults {
 public:
  explicit TypedResults(Results results) : results_(std::move(results)) {}
  // As Results::next(), and the value. Throws JobFailed, or what the codec throws; the next call
  // goes on after it.
  std::optional<R> next(std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max()) {
    auto item = results_.next(timeout);
    if (!item) return std::nullopt;
    if (!item->result.ok()) throw JobFailed(item->result);
    return Codec<R>::decode(item->result.bytes);
  }
  Results& raw() { return results_; }

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = R;
    using difference_type = std::ptrdiff_t;
    using pointer = R*;
    using reference = R&;
    explicit Iterator(TypedResults* results) : results_(results), value_(results->next()) {}
    R& operator*() const { return *value_; }
    Iterator& operator++() {
      value_ = results_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) {
      return !it.value_.has_value();
    }

   private:
    TypedResults* results_;
    mutable std::optional<R> value_;
  };
  Iterator begin() { return Iterator(this); }
  std::default_sentinel_t end() const { return std::default_sentinel; }

 private:
  Results results_;
};

template <class R, class... Args>
TypedFuture<R> Pool::submit_as(const JobOptions& options, std::string_view handler,
                               const Args&... args) {
  return TypedFuture<R>(submit(handler, encode_arguments(args...), options));
}
template <class R, class... Args>
TypedFuture<R> Pool::submit_as(std::string_view handler, const Args&... args) {
  return submit_as<R>(JobOptions{}, handler, args...);
}

namespace detail {

// A tuple is encoded as its elements would be as arguments.
struct EncodeElement {
  template <class T>
  std::string operator()(const T& element) const {
    if constexpr (requires { std::tuple_size<T>::value; }) {
      return std::apply([](const auto&... each) { return encode_arguments(each...); }, element);
    } else {
      return encode_arguments(element);
    }
  }
};

// The elements of a range, or of a function that gives the next one or nullopt, as payloads.
template <class Elements>
Source arguments_from(Elements&& elements) {
  if constexpr (std::is_invocable_v<Elements&>) {
    return [next = std::forward<Elements>(elements)]() mutable -> std::optional<std::string> {
      const auto element = next();
      return element ? std::optional(EncodeElement{}(*element)) : std::nullopt;
    };
  } else {
    return source_through(std::forward<Elements>(elements), EncodeElement{});
  }
}

}  // namespace detail

template <class R, class Range>
TypedResults<R> Pool::map_as(std::string_view handler, Range&& range, const MapOptions& options) {
  return TypedResults<R>(
      map_lazy(handler, detail::arguments_from(std::forward<Range>(range)), options));
}
template <class R, class Range>
TypedResults<R> Pool::map_unordered_as(std::string_view handler, Range&& range,
                                       const MapOptions& options) {
  return TypedResults<R>(
      map_unordered(handler, detail::arguments_from(std::forward<Range>(range)), options));
}

}  // namespace jobring
