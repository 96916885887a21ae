// Durable jobs: lists of jobs, pools, events and cron entries, logs, export.
#include "client/c/durable.hpp"

using namespace jobring::c;
using List = jobring_durable_list;

namespace {

// The elements of a list that is one of these; throws wrong_type.
template <class Elements>
const Elements& need_list(List* list) {
  const auto* all = std::get_if<Elements>(&need(list, "list").all);
  if (all == nullptr)
    throw jobring::DurableError(65, "wrong_type", "list: it is one of something else");
  return *all;
}

template <class Elements, class T, class Describe>
jobring_status at(List* list, uint64_t index, T* to, const char* name, const Describe& describe) {
  auto& out = need_struct(to, name);
  const Elements& all = need_list<Elements>(list);
  if (index >= all.size()) return JOBRING_NONE;
  write_struct(out, describe(all[index]));
  return JOBRING_OK;
}

}  // namespace

void jobring_durable_list_free(jobring_durable_list* list) {
  delete list;
}
jobring_status jobring_durable_list_count(jobring_durable_list* list, uint64_t* count) {
  return guarded([&] {
    need(count, "count") =
        std::visit([](const auto& all) { return all.size(); }, need(list, "list").all);
  });
}
jobring_status jobring_durable_list_next(jobring_durable_list* list, uint64_t* next) {
  return guarded([&] { need(next, "next") = need(list, "list").next; });
}

// ---- jobs

jobring_status jobring_durable_list_jobs(jobring_durable* durable,
                                         const jobring_durable_filter* filter, uint64_t most,
                                         uint64_t below, jobring_durable_list** list) {
  return guarded([&] {
    auto*& out = need_out(list, "list");
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    jobring::JobPage page = jobs.list(durable_filter(filter), most, below);
    out = new List(std::move(page.jobs), page.next);
  });
}
jobring_status jobring_durable_show(jobring_durable* durable, uint64_t id,
                                    jobring_durable_list** list) {
  return guarded([&]() -> jobring_status {
    auto*& out = need_out(list, "list");
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    auto info = jobs.show(id);
    if (!info) return JOBRING_NONE;
    List::Jobs one;
    one.push_back(std::move(*info));
    out = new List(std::move(one), 0);
    return JOBRING_OK;
  });
}
jobring_status jobring_durable_list_job(jobring_durable_list* list, uint64_t index,
                                        jobring_durable_info* info) {
  return guarded([&]() -> jobring_status {
    return at<List::Jobs>(list, index, info, "jobring_durable_info",
                          [&](const auto&) { return list->infos[index]->get(); });
  });
}
jobring_status jobring_durable_list_attempt(jobring_durable_list* list, uint64_t index,
                                            uint32_t attempt, jobring_durable_attempt* to) {
  return guarded([&]() -> jobring_status {
    auto& out = need_struct(to, "jobring_durable_attempt");
    if (index >= need_list<List::Jobs>(list).size()) return JOBRING_NONE;
    const auto& attempts = list->infos[index]->attempts();
    if (attempt >= attempts.size()) return JOBRING_NONE;
    write_struct(out, describe(attempts[attempt]));
    return JOBRING_OK;
  });
}
jobring_status jobring_durable_explain(jobring_durable* durable, uint64_t id, char** text) {
  return guarded([&] {
    auto*& out = need_out(text, "text");
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    std::string all;
    for (const std::string& line : jobs.explain(id)) all += line + "\n";
    out = static_cast<char*>(give_bytes(all));
  });
}

// ---- pools

jobring_status jobring_durable_pools(jobring_durable* durable, jobring_durable_list** list) {
  return guarded([&] {
    auto*& out = need_out(list, "list");
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    out = new List(jobs.counts(), 0);
  });
}
jobring_status jobring_durable_list_pool(jobring_durable_list* list, uint64_t index,
                                         jobring_durable_pool* pool) {
  return guarded([&]() -> jobring_status {
    return at<List::Pools>(list, index, pool, "jobring_durable_pool",
                           [](const jobring::PoolJobs& from) {
                             jobring_durable_pool value{};
                             value.paused = from.paused ? 1 : 0;
                             value.name = from.pool.c_str();
                             std::copy(from.jobs.begin(), from.jobs.end(), value.jobs);
                             return value;
                           });
  });
}

// ---- logs and events

jobring_status jobring_durable_logs(jobring_durable* durable, uint64_t id,
                                    jobring_durable_log* log) {
  return guarded([&] {
    auto& to = need_struct(log, "jobring_durable_log");
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    jobring_durable_log value = read_struct(log, "jobring_durable_log");
    constexpr std::uint64_t some = 1 << 16;
    const jobring::LogPart part =
        jobs.logs(id, value.of_stderr != 0, value.offset, value.most != 0 ? value.most : some,
                  value.attempt, need_time(value.patience_ns, "log.patience_ns"));
    value.attempt = part.attempt;
    value.end = part.end ? 1 : 0;
    value.cut = part.cut ? 1 : 0;
    value.offset = std::int64_t(part.offset);
    value.bytes = give_bytes(part.bytes);
    value.bytes_len = part.bytes.size();
    write_struct(to, value);
  });
}

jobring_status jobring_durable_events(jobring_durable* durable, uint64_t after, uint64_t most,
                                      int64_t patience_ns, int32_t* gap,
                                      jobring_durable_list** list) {
  return guarded([&] {
    auto*& out = need_out(list, "list");
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    constexpr std::uint64_t some = 1000;
    jobring::JobEvents events =
        jobs.events(after, most != 0 ? most : some, need_time(patience_ns, "patience_ns"));
    if (gap != nullptr) *gap = events.gap ? 1 : 0;
    out = new List(std::move(events.events), events.last);
  });
}
jobring_status jobring_durable_list_event(jobring_durable_list* list, uint64_t index,
                                          jobring_durable_event* event) {
  return guarded([&]() -> jobring_status {
    return at<List::Events>(list, index, event, "jobring_durable_event",
                            [](const jobring::JobEvent& from) {
                              jobring_durable_event value{};
                              value.state = std::int32_t(from.state);
                              value.sequence = from.sequence;
                              value.time_ms = to_c(from.time);
                              value.id = from.id;
                              value.attempt = from.attempt;
                              value.uid = from.uid;
                              value.pool = from.pool.c_str();
                              value.name = from.name.c_str();
                              value.removed = from.removed ? 1 : 0;
                              return value;
                            });
  });
}

// ---- export and import

jobring_status jobring_durable_export(jobring_durable* durable, uint64_t id, void** bytes,
                                      size_t* len) {
  return guarded([&]() -> jobring_status {
    auto*& out = need_out(bytes, "bytes");
    std::size_t& size = need(len, "len") = 0;
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    const auto exported = jobs.export_job(id);
    if (!exported) return JOBRING_NONE;
    out = give_bytes(*exported);
    size = exported->size();
    return JOBRING_OK;
  });
}
jobring_status jobring_durable_import(jobring_durable* durable, const void* bytes, size_t len) {
  return guarded([&]() -> jobring_status {
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    return jobs.import_job(need_bytes(bytes, len, "bytes")) ? JOBRING_OK : JOBRING_NONE;
  });
}
