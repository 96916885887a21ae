// Maps: many inputs, lazily.
#include <memory>
#include <optional>

#include <jobring/c/submit.h>

#include "client/c/guard.hpp"
#include "client/c/handles.hpp"

using namespace jobring::c;

struct jobring_results {
  jobring::Results results;
  std::optional<jobring::MapItem> item;  // what the caller's pointers point into
};

namespace {

void start(jobring_pool* pool, const char* handler, const jobring_map_options* options,
           jobring::Source source, jobring_results** results) {
  auto*& out = need_out(results, "results");
  jobring::Pool& over = need(pool, "pool").pool;
  const auto name = need_text(handler, "handler");
  const auto given = read_struct(options, "jobring_map_options");
  const jobring::MapOptions map{job_options(given.job), given.chunk, given.buffer};
  out = new jobring_results{given.unordered != 0 ? over.map_unordered(name, std::move(source), map)
                                                 : over.map_lazy(name, std::move(source), map),
                            std::nullopt};
}

}  // namespace

jobring_status jobring_map(jobring_pool* pool, const char* handler, jobring_source source,
                           void* user, const jobring_map_options* options,
                           jobring_results** results) {
  return guarded([&] {
    need_out(results, "results");
    if (source == nullptr) bad_input("NULL", "source");
    const auto next = [source, user]() -> std::optional<std::string> {
      const void* bytes = nullptr;
      std::size_t len = 0;
      const jobring_status status = source(user, &bytes, &len);
      if (status == JOBRING_END) return std::nullopt;
      if (status != JOBRING_OK) throw SourceFailed{status};
      return std::string(need_bytes(bytes, len, "the source's input"));
    };
    start(pool, handler, options, next, results);
  });
}

jobring_status jobring_map_array(jobring_pool* pool, const char* handler,
                                 const jobring_bytes* inputs, size_t count,
                                 const jobring_map_options* options, jobring_results** results) {
  return guarded([&] {
    need_out(results, "results");
    if (count != 0) need(inputs, "inputs");
    // All of them, now: what is wrong with the last should not come after a thousand results.
    for (std::size_t i = 0; i < count; ++i) need_bytes(inputs[i].data, inputs[i].len, "inputs[]");
    const auto next = [inputs, count, at = std::size_t(0)]() mutable -> std::optional<std::string> {
      if (at == count) return std::nullopt;
      const jobring_bytes& input = inputs[at++];
      return std::string(need_bytes(input.data, input.len, "inputs[]"));
    };
    start(pool, handler, options, next, results);
  });
}

jobring_status jobring_results_next(jobring_results* results, int64_t timeout_ns, uint64_t* index,
                                    jobring_result* result) {
  return guarded([&]() -> jobring_status {
    auto& to = need_struct(result, "jobring_result");
    jobring_results& from = need(results, "results");
    from.item = from.results.next(need_time(timeout_ns, "timeout_ns"));
    if (!from.item) return from.results.exhausted() ? JOBRING_END : JOBRING_TIMED_OUT;
    if (index != nullptr) *index = from.item->index;
    write_struct(to, describe(from.item->result, from.item->result.bytes));
    return JOBRING_OK;
  });
}

jobring_status jobring_results_fd(jobring_results* results, int32_t* fd) {
  return guarded([&] { need(fd, "fd") = need(results, "results").results.fd(); });
}

jobring_status jobring_results_cancel(jobring_results* results) {
  return guarded([&] { need(results, "results").results.cancel(); });
}

void jobring_results_free(jobring_results* results) {
  delete results;
}
