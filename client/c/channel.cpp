// The fast lane.
#include <jobring/c/channel.h>

#include <signal.h>

#include <memory>

#include "client/c/guard.hpp"
#include "client/c/handles.hpp"

using namespace jobring::c;

static_assert(sizeof(jobring_completion) == 72);

struct jobring_channel {
  jobring::Channel channel;
  std::uint32_t handlers = 0;  // how many names it knows: ids are below this
};

namespace {

jobring::HandlerId need_handler(const jobring_channel& channel, std::uint32_t handler) {
  if (handler >= channel.handlers)
    bad_input(std::to_string(handler) + " is no handler of this channel", "handler");
  return jobring::HandlerId(handler);
}

jobring::JobRef job_of(const jobring_job_ref* ref) {
  const jobring_job_ref& job = need(ref, "ref");
  return {job.slot, job.generation};
}

// Prepares one job by `prepare`, which gives false if there is no slot.
template <class Prepare>
jobring_status prepared(jobring_job_ref* ref, const Prepare& prepare) {
  jobring::JobRef job{};
  if (!prepare(&job)) return JOBRING_NONE;
  if (ref != nullptr) *ref = {job.generation, job.slot, 0};
  return JOBRING_OK;
}

template <class N, class Get>
jobring_status number(jobring_channel* channel, N* to, const Get& get) {
  return guarded([&] { need(to, "number") = N(get(need(channel, "channel").channel)); });
}

void describe(jobring_completion& to, const jobring::Completion& from) {
  to.tag = from.tag;
  to.outcome = std::int32_t(from.outcome);
  to.detail = from.detail;
  to.attempts = from.attempts;
  to.worker = from.worker;
  to.queued_ns = from.queue_ns;
  to.ran_ns = from.run_us * 1000;
  to.bytes = from.result.data() != nullptr ? static_cast<const void*>(from.result.data()) : "";
  to.bytes_len = from.result.size();
  const std::string_view type = from.error_type();
  to.error_type = type.empty() ? "" : type.data();
  to.error_type_len = type.size();
}

}  // namespace

jobring_status jobring_channel_open(jobring_client* client, const char* pool,
                                    const jobring_pool_options* options,
                                    jobring_channel** channel) {
  return guarded([&] {
    auto*& out = need_out(channel, "channel");
    const auto given = read_struct(options, "jobring_pool_options");
    jobring::ChannelOptions how;
    how.slots = given.slots;
    how.pass_stdio = given.pass_stdio != 0;
    out = new jobring_channel{
        need(client, "client").client.channel(pool != nullptr ? pool : "default", how)};
  });
}

void jobring_channel_free(jobring_channel* channel) {
  delete channel;
}

jobring_status jobring_channel_handler(jobring_channel* channel, const char* name,
                                       uint32_t* handler) {
  return guarded([&] {
    std::uint32_t& to = need(handler, "handler");
    jobring_channel& of = need(channel, "channel");
    to = std::uint32_t(of.channel.handler(need_text(name, "name")));
    of.handlers = std::max(of.handlers, to + 1);
  });
}

jobring_status jobring_channel_prepare(jobring_channel* channel, uint32_t handler,
                                       const void* payload, size_t payload_len, uint64_t tag,
                                       const jobring_job_options* options, jobring_job_ref* ref) {
  return guarded([&] {
    jobring_channel& to = need(channel, "channel");
    const auto id = need_handler(to, handler);
    const auto bytes = need_bytes(payload, payload_len, "payload");
    const auto job = job_options(options);
    return prepared(ref, [&](auto* made) { return to.channel.prepare(id, bytes, tag, job, made); });
  });
}

jobring_status jobring_channel_prepare_many(jobring_channel* channel, uint32_t handler,
                                            const jobring_bytes* payloads, size_t count,
                                            uint64_t first_tag, const jobring_job_options* options,
                                            size_t* prepared) {
  return guarded([&]() -> jobring_status {
    std::size_t& done = need(prepared, "prepared") = 0;
    jobring_channel& to = need(channel, "channel");
    const auto id = need_handler(to, handler);
    if (count != 0) need(payloads, "payloads");
    const auto job = job_options(options);
    for (; done < count; ++done) {
      const auto bytes = need_bytes(payloads[done].data, payloads[done].len, "payloads[]");
      if (!to.channel.prepare(id, bytes, first_tag + done, job)) return JOBRING_NONE;
    }
    return JOBRING_OK;
  });
}

jobring_status jobring_channel_prepare_with_stdio(jobring_channel* channel, uint32_t handler,
                                                  const void* payload, size_t payload_len,
                                                  uint64_t tag, const jobring_job_options* options,
                                                  jobring_job_ref* ref) {
  return guarded([&] {
    jobring_channel& to = need(channel, "channel");
    const auto id = need_handler(to, handler);
    const auto bytes = need_bytes(payload, payload_len, "payload");
    const auto job = job_options(options);
    return prepared(ref, [&](auto* made) {
      return to.channel.prepare_with_stdio(id, std::as_bytes(std::span(bytes)), tag, job, made);
    });
  });
}

jobring_status jobring_channel_reserve(jobring_channel* channel, size_t size, void** bytes) {
  return guarded([&]() -> jobring_status {
    auto*& out = need_out(bytes, "bytes");
    const auto room = need(channel, "channel").channel.reserve(size);
    out = room.data();
    return room.data() != nullptr ? JOBRING_OK : JOBRING_NONE;
  });
}

jobring_status jobring_channel_prepare_reserved(jobring_channel* channel, uint32_t handler,
                                                size_t payload_len, uint64_t tag,
                                                const jobring_job_options* options,
                                                jobring_job_ref* ref) {
  return guarded([&] {
    jobring_channel& to = need(channel, "channel");
    const auto id = need_handler(to, handler);
    const auto job = job_options(options);
    return prepared(ref, [&](auto* made) {
      return to.channel.prepare_reserved(id, payload_len, tag, job, made);
    });
  });
}

jobring_status jobring_channel_submit(jobring_channel* channel) {
  return guarded([&] { need(channel, "channel").channel.submit(); });
}

jobring_status jobring_channel_reap(jobring_channel* channel, jobring_completion* completions,
                                    size_t room, size_t* count) {
  return guarded([&] {
    std::size_t& reaped = need(count, "count") = 0;
    jobring_channel& from = need(channel, "channel");
    if (room == 0) return;  // reap() takes one at least
    jobring_completion* to = &need(completions, "completions");
    for (const jobring::Completion& done : from.channel.reap(room)) describe(to[reaped++], done);
  });
}

jobring_status jobring_channel_wait(jobring_channel* channel, size_t at_least, int64_t timeout_ns) {
  return guarded([&]() -> jobring_status {
    jobring::Channel& on = need(channel, "channel").channel;
    if (on.wait(need_time(timeout_ns, "timeout_ns"), at_least)) return JOBRING_OK;
    return on.outstanding() != 0 ? JOBRING_TIMED_OUT : JOBRING_NONE;
  });
}

jobring_status jobring_channel_cancel(jobring_channel* channel, const jobring_job_ref* ref,
                                      int32_t* withdrawn) {
  return guarded([&] {
    const bool done = need(channel, "channel").channel.cancel(job_of(ref));
    if (withdrawn != nullptr) *withdrawn = done ? 1 : 0;
  });
}

jobring_status jobring_channel_cancel_all(jobring_channel* channel, uint64_t* count) {
  return guarded([&] {
    const std::size_t cancelled = need(channel, "channel").channel.cancel_all();
    if (count != nullptr) *count = cancelled;
  });
}

jobring_status jobring_channel_kill(jobring_channel* channel, const jobring_job_ref* ref,
                                    int32_t signal) {
  return guarded([&] {
    jobring::Channel& on = need(channel, "channel").channel;
    if (signal < 1 || signal >= NSIG) bad_input(std::to_string(signal) + " is no signal", "signal");
    on.kill(job_of(ref), signal);
  });
}

jobring_status jobring_channel_progress(jobring_channel* channel, const jobring_job_ref* ref,
                                        jobring_progress* progress) {
  return guarded([&]() -> jobring_status {
    auto& to = need_struct(progress, "jobring_progress");
    const auto report = need(channel, "channel").channel.progress(job_of(ref));
    if (!report) return JOBRING_NONE;
    write_struct(to, jobring::c::describe(*report));
    return JOBRING_OK;
  });
}

jobring_status jobring_channel_fd(jobring_channel* channel, int32_t* fd) {
  return number(channel, fd, [](const jobring::Channel& c) { return c.fd(); });
}
jobring_status jobring_channel_arm(jobring_channel* channel) {
  return guarded([&] { need(channel, "channel").channel.arm(); });
}
jobring_status jobring_channel_outstanding(jobring_channel* channel, uint64_t* jobs) {
  return number(channel, jobs, [](const jobring::Channel& c) { return c.outstanding(); });
}
jobring_status jobring_channel_slots(jobring_channel* channel, uint64_t* slots) {
  return number(channel, slots, [](const jobring::Channel& c) { return c.slots(); });
}
jobring_status jobring_channel_max_payload(jobring_channel* channel, uint64_t* bytes) {
  return number(channel, bytes, [](const jobring::Channel& c) { return c.max_payload(); });
}
jobring_status jobring_channel_max_result(jobring_channel* channel, uint64_t* bytes) {
  return number(channel, bytes, [](const jobring::Channel& c) { return c.max_result(); });
}
jobring_status jobring_channel_connected(jobring_channel* channel, int32_t* connected) {
  return number(channel, connected, [](const jobring::Channel& c) { return c.connected(); });
}
