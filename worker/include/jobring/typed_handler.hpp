// Handlers with parameters and a result, through codecs:
//
//     #include <jobring/typed_handler.hpp>
//
//     JOBRING_TYPED_HANDLER(long, square, long n) { return n * n; }
//     JOBRING_TYPED_HANDLER(void, note, std::string_view words, int times) { ... }
//     JOBRING_THREAD_SAFE_TYPED_HANDLER(long, cube, long n) { return n * n * n; }
//
// A client calls them with the same types: pool.submit_as<long>("square", 7L). Parameters are
// decoded values; a std::string_view or a `const T&` lives until the handler returns. The first
// parameter may be `jobring::Job& job`, for progress and stop requests. What the function throws
// fails the job as in any handler; arguments that cannot be decoded fail it as jobring::CodecError,
// with the codec's own exception nested in it.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include <jobring/codec.hpp>
#include <jobring/handler.hpp>

namespace jobring::detail {

template <class... Args>
std::tuple<Args...> arguments_of(const Job& job) {
  try {
    return decode_arguments<Args...>(job.text());
  } catch (...) {
    std::throw_with_nested(CodecError("the arguments cannot be decoded"));
  }
}

template <class R, class Call>
void reply_with(Job& job, const Call& call) {
  if constexpr (std::is_void_v<R>) {
    call();
  } else {
    std::string bytes;
    Codec<std::remove_cvref_t<R>>::encode(call(), bytes);
    job.reply(bytes);
  }
}

template <class R, class... Args>
void call_typed(Job& job, R (*function)(Args...)) {
  std::tuple<std::remove_cvref_t<Args>...> args = arguments_of<std::remove_cvref_t<Args>...>(job);
  reply_with<R>(job, [&] { return std::apply(function, args); });
}
template <class R, class... Args>
void call_typed(Job& job, R (*function)(Job&, Args...)) {
  std::tuple<std::remove_cvref_t<Args>...> args = arguments_of<std::remove_cvref_t<Args>...>(job);
  reply_with<R>(
      job, [&] { return std::apply([&](auto&... each) { return function(job, each...); }, args); });
}

}  // namespace jobring::detail

// JOBRING_TYPED_HANDLER(result, name, parameters...) { body }. A result type with a comma in it
// needs a name of its own (`using`).
#define JOBRING_TYPED_HANDLER(result, handler_name, ...) \
  JOBRING_TYPED_HANDLER_WITH(0u, result, handler_name, __VA_ARGS__)
// One that may run on several threads at once, as JOBRING_THREAD_SAFE_HANDLER.
#define JOBRING_THREAD_SAFE_TYPED_HANDLER(result, handler_name, ...) \
  JOBRING_TYPED_HANDLER_WITH(JOBRING_THREAD_SAFE, result, handler_name, __VA_ARGS__)

#define JOBRING_TYPED_HANDLER_WITH(traits, result, handler_name, ...)  \
  static result jobring_typed_##handler_name(__VA_ARGS__);             \
  JOBRING_HANDLER_WITH(handler_name, job, traits) {                    \
    ::jobring::detail::call_typed(job, &jobring_typed_##handler_name); \
  }                                                                    \
  static result jobring_typed_##handler_name(__VA_ARGS__)
