// Why a job does not run yet, in words.
#include <cstdio>
#include <ctime>
#include <string>

#include "daemon/keeper/service/keeper.hpp"

namespace jobring::keeper {
namespace {

std::string moment(std::int64_t real_ms) {
  const time_t seconds = time_t(real_ms / 1'000);
  tm local{};
  localtime_r(&seconds, &local);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
  return text;
}

std::string span(std::int64_t ms) {
  if (ms < 0) ms = 0;
  const std::int64_t s = (ms + 999) / 1'000;
  if (s < 120) return std::to_string(s) + " s";
  if (s < 7'200) return std::to_string(s / 60) + " min";
  if (s < 172'800) return std::to_string(s / 3'600) + " h";
  return std::to_string(s / 86'400) + " days";
}

}  // namespace

Reply Keeper::explain(const Caller& caller, const Request& r, Now now) {
  Reply reply;
  const auto record = record_of(caller, r.id, reply);
  if (!record) return reply;
  const JobView& job = record->job;
  std::string& out = reply.payload;
  const auto line = [&](const std::string& text) { (out += text) += '\n'; };
  const auto due = [&](const char* what) {
    line(what + moment(job.due_ms) + ", in " + span(job.due_ms - clock_.real_ms));
  };
  switch (job.state) {
    case JobState::succeeded:
    case JobState::dead:
    case JobState::cancelled: {
      std::string text = std::string("it has ended: ") + to_string(job.state);
      if (job.last) {
        const Attempt& last = *job.last;
        const bool exited = last.outcome == Outcome::failed && last.exit_code != 0;
        if (last.outcome != Outcome::ok) text += std::string(", ") + to_string(last.outcome);
        if (exited) text += " with exit " + std::to_string(last.exit_code);
        text += ", after attempt " + std::to_string(last.number) + ", " + moment(last.ended_ms);
        // Of a command it is what it printed last, which does not say why.
        if (last.outcome != Outcome::ok && !exited && !last.tail.empty())
          text += ": " + std::string(last.tail);
      }
      line(text);
      return reply;
    }
    case JobState::held:
      line("it is held, until somebody releases it");
      return reply;
    case JobState::running:
      line("it runs: attempt " + std::to_string(job.attempts));
      if (job.stop_wanted) line("it was cancelled, and is being stopped");
      return reply;
    case JobState::failed:
      if (!record->attempts.empty()) {
        const Attempt& last = record->attempts.back();
        std::string text =
            "attempt " + std::to_string(last.number) + ": " + to_string(last.outcome);
        if (last.signal != 0)
          text += ", signal " + std::to_string(last.signal);
        else if (last.outcome == Outcome::failed)
          text += ", exit status " + std::to_string(last.exit_code);
        line(text);
      }
      due("the next attempt begins ");
      return reply;
    case JobState::delayed:
      if (job.due_ms != 0) due("its time comes ");
      for (const JobId id : record->waits_for) {
        std::string text = "it is after " + std::to_string(id);
        if (auto parent = store_->show(id); parent && *parent) {
          JobView& view = (*parent)->job;
          seen_from_outside(view);
          text = "it is after job " + std::to_string(id) + ", which is " + to_string(view.state);
        } else if (const auto group = store_->group(id); group && *group) {
          text = "it is after group " + std::to_string(id) + ", of which " +
                 std::to_string((*group)->open) + " have not ended" +
                 ((*group)->sealed ? "" : ", and which is not sealed");
        }
        line(text);
      }
      break;
    case JobState::ready:
      break;
  }
  // It is ready; or will be, and then this may stop it as well.
  const std::string pool(job.spec.pool);
  const bool ready = job.state == JobState::ready;
  std::uint64_t others = 0;
  for (const Counts& counts : store_->counts()) {
    if (counts.pool != pool) continue;
    if (counts.paused) line("its pool \"" + pool + "\" is paused, until somebody resumes it");
    others = counts.jobs[std::size_t(JobState::ready)];
  }
  if (const std::string obstacle = feed_.obstacle(pool, now.mono_ns); !obstacle.empty())
    line(obstacle);
  if (!job.spec.concurrency_key.empty()) {
    Selector running;
    running.states = 1u << unsigned(JobState::running);
    running.uid = job.spec.uid;
    std::uint32_t used = 0;
    if (const auto page = store_->list(running, 0, 10'000)) {
      for (const JobView& other : page->jobs)
        if (other.id != job.id && other.spec.concurrency_key == job.spec.concurrency_key) ++used;
    }
    if (used >= job.spec.concurrency_max)
      line("of its concurrency key \"" + std::string(job.spec.concurrency_key) + "\" " +
           std::to_string(used) + " run, as many as may");
  }
  if (ready && feed_.find(job.id) != nullptr) {
    line("it was handed to its pool and waits for a worker");
  } else if (ready && out.empty()) {
    const auto window = feed_.window(pool);
    if (window && window->used >= window->size)
      line("its pool is busy: " + std::to_string(window->used) + " jobs are in it, for " +
           std::to_string(window->lanes) + " workers; " + std::to_string(others) +
           " are ready, this one among them");
    else
      line("it is about to be handed to its pool");
  }
  if (out.empty()) line("nothing keeps it: ask again");
  return reply;
}

}  // namespace jobring::keeper
