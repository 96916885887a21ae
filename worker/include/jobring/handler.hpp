// Handlers: C++ functions that jobring workers run.
//
// A module is a shared object that a pool's config names under "modules". This header is all it
// needs; it links against nothing of jobring. A whole module:
//
//     #include <jobring/handler.hpp>
//
//     JOBRING_HANDLER(square, job) {
//       const long long n = std::stoll(std::string(job.text()));
//       job.reply(std::to_string(n * n));
//     }
//
// Build it with `c++ -std=c++20 -shared -fPIC -o square.so square.cpp`. Any number of
// JOBRING_HANDLER may stand in one module, in any number of files. (In C: handler.h.)
//
// A handler returns normally: the job succeeds with what it replied (nothing, if it never did). It
// throws: the job fails with the exception's type and message, and those of the exceptions nested
// in it (std::throw_with_nested), a line each. It crashes: the job alone fails, with the
// signal.
//
// Handlers of one worker process run one at a time, but in a pool whose config says "model":
// "thread": there they run on several threads at once, also several times the same one. Such a pool
// takes a module only if all its handlers are declared fit for that:
//
//     JOBRING_THREAD_SAFE_HANDLER(square, job) { ... }
//
// A thread-safe handler shares no data without a lock, and changes nothing that belongs to the
// whole process: the working directory, umask, environment, user, descriptors 0 to 2, signal
// handlers. Nothing of that is put back between the jobs of a thread pool. If one of them crashes,
// it takes the others of its process with it.
#pragma once

#include <cxxabi.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>

// The C side of it: what modules and workers agree on. Usable as it is, also beside this header.
#include <jobring/handler.h>

namespace jobring {

// The job a handler works on. Valid only during the call, on the thread that was called.
class Job {
 public:
  explicit Job(jobring_job* job) : job_(job) {}

  // The payload: bytes in shared memory (in place when the client runs under the worker's own uid,
  // else a private copy). Treat it as input from outside.
  std::span<const std::byte> payload() const {
    return {reinterpret_cast<const std::byte*>(job_->payload), job_->payload_len};
  }
  std::string_view text() const {
    return {reinterpret_cast<const char*>(job_->payload), job_->payload_len};
  }

  // Sets the result by copying it. Throws above the pool's max_result.
  void reply(std::string_view bytes) {
    unsigned char* room = reserve_raw(bytes.size());
    if (!bytes.empty()) std::memcpy(room, bytes.data(), bytes.size());
    job_->commit(job_->host, bytes.size());
  }
  void reply(std::span<const std::byte> bytes) {
    reply(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  // Room for `len` bytes of result in shared memory, to be filled without a copy and then
  // committed.
  std::span<std::byte> reserve(std::size_t len) {
    return {reinterpret_cast<std::byte*>(reserve_raw(len)), len};
  }
  void commit(std::size_t len) { job_->commit(job_->host, len); }

  // Fails the job without an exception.
  void fail(std::string_view message) { job_->fail(job_->host, message.data(), message.size()); }

  // Tells whoever looks (Future::progress(), `jobring status`) how far this job is: `done` of
  // `total`, 0 if that is not known, and a few words, of which 80 bytes are kept. Cheap enough for
  // an inner loop: some stores to shared memory, and nobody is woken.
  void progress(std::uint64_t done, std::uint64_t total = 0, std::string_view text = {}) {
    job_->progress(job_->host, done, total, text.data(), text.size());
  }

  // True once somebody asked for this job to stop (a kill, or the death of its client). A long
  // handler looks now and then and returns; one that does not is killed with its worker after the
  // pool's kill_grace.
  bool stop_requested() const { return job_->stop_requested(job_->host) != 0; }

  // Of a durable job: its number, which is the same in all its attempts (an attempt may have been
  // cut short by a crash when it had done half of its work; what both do in the number's name can
  // be seen to be one). 0: the job is attached.
  std::uint64_t durable_id() const { return job_->durable_id; }
  // Which attempt of a durable job this is, from 1. 0: the job is attached.
  std::uint32_t attempt() const { return std::uint32_t(job_->attempt); }
  // Which member of an array of durable jobs it is; 0 if it is none.
  std::int64_t index() const { return job_->index; }

  // Bytes, the largest result that this pool takes.
  std::size_t max_result() const { return job_->max_result(job_->host); }

 private:
  struct ResultTooBig : std::exception {
    const char* what() const noexcept override {
      return "the result is larger than the pool's max_result";
    }
  };
  unsigned char* reserve_raw(std::size_t len) {
    unsigned char* room = job_->reserve(job_->host, len);
    if (room == nullptr) throw ResultTooBig();
    return room;
  }
  jobring_job* job_;
};

// Hidden below: two modules in one process must not take each other's. (Statics of inline functions
// and classes are otherwise one for the whole process, even between modules that are loaded apart.)
namespace detail {

using HandlerFunction = void (*)(Job&);

__attribute__((visibility("hidden"))) inline std::string type_name(const std::type_info* type) {
  if (type == nullptr) return "unknown";
  int status = 0;
  char* readable = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
  std::string name = readable != nullptr ? readable : type->name();
  std::free(readable);
  // std::throw_with_nested throws a class of the library's own; what is meant is its base.
  for (const std::string_view wrapper : {"std::_Nested_exception<", "std::__nested<"}) {
    if (name.starts_with(wrapper) && name.ends_with('>'))
      name = name.substr(wrapper.size(), name.size() - wrapper.size() - 1);
  }
  return name;
}

// The exception that is being handled: its words, then a line for each one nested in it.
__attribute__((visibility("hidden"))) inline void describe(std::string& message) {
  try {
    throw;
  } catch (const std::exception& e) {
    message += e.what();
    try {
      std::rethrow_if_nested(e);
    } catch (...) {
      message += "\ncaused by ";
      message += type_name(abi::__cxa_current_exception_type());
      message += ": ";
      describe(message);
    }
  } catch (...) {
    message += "something that is not a std::exception";
  }
}

// No exception leaves the module: worker and module need not share a C++ runtime.
__attribute__((visibility("hidden"))) inline void report(jobring_job* raw) noexcept {
  try {
    throw;
  } catch (const std::exception& e) {
    try {
      const std::string type = type_name(&typeid(e));
      std::string message;
      describe(message);
      raw->fail_typed(raw->host, type.data(), type.size(), message.data(), message.size());
    } catch (...) {
      raw->fail(raw->host, e.what(), std::strlen(e.what()));  // no memory for more
    }
  } catch (...) {
    static const char message[] = "the handler threw something that is not a std::exception";
    try {
      const std::string type = type_name(abi::__cxa_current_exception_type());
      raw->fail_typed(raw->host, type.data(), type.size(), message, sizeof message - 1);
    } catch (...) {
      raw->fail(raw->host, message, sizeof message - 1);
    }
  }
}

__attribute__((visibility("hidden"))) inline void call(jobring_job* raw, void* user) {
  try {
    Job job(raw);
    reinterpret_cast<HandlerFunction>(user)(job);
  } catch (...) {
    report(raw);
  }
}

// Puts a handler into this module's list (handler.h), from a static initialiser.
struct __attribute__((visibility("hidden"))) Registration : jobring_registration {
  Registration(const char* handler_name, HandlerFunction function, std::uint32_t declared)
      : jobring_registration{handler_name, &call, reinterpret_cast<void*>(function), declared,
                             jobring_registrations} {
    jobring_registrations = this;
  }
};

}  // namespace detail
}  // namespace jobring

// Defines and registers a handler: JOBRING_HANDLER(name, job) { ... job is a jobring::Job& ... }
#define JOBRING_HANDLER(handler_name, job) JOBRING_HANDLER_WITH(handler_name, job, 0u)
// One that may run on several threads at once.
#define JOBRING_THREAD_SAFE_HANDLER(handler_name, job) \
  JOBRING_HANDLER_WITH(handler_name, job, JOBRING_THREAD_SAFE)

#define JOBRING_HANDLER_WITH(handler_name, job, traits)                       \
  static void jobring_handler_##handler_name(::jobring::Job& job);            \
  static ::jobring::detail::Registration jobring_registration_##handler_name( \
      #handler_name, &jobring_handler_##handler_name, traits);                \
  static void jobring_handler_##handler_name([[maybe_unused]] ::jobring::Job& job)
