#include "client/cli/durable/job_page.hpp"

#include "client/cli/durable/job_text.hpp"
#include "client/cli/durable/texts.hpp"
#include "client/cli/durable/users.hpp"
#include "client/cli/durable/when.hpp"
#include "client/cli/human.hpp"
#include "client/cli/limits.hpp"
#include "client/cli/shell_quote.hpp"
#include "client/cli/table.hpp"
#include "common/config/units.hpp"
#include "common/excerpt.hpp"

namespace jobring::cli {
namespace {

constexpr std::size_t kMostWords = 4000;  // bytes of a command line or payload

class Page {
 public:
  explicit Page(bool color) : color_(color) {}
  void line(const char* name, const std::string& text) {
    if (text.empty()) return;
    std::string padded = name;
    padded.resize(12, ' ');
    text_ += colored(padded, Color::dim, color_) + " " + text + "\n";
  }
  void raw(const std::string& text) { text_ += text; }
  std::string take() { return std::move(text_); }

 private:
  bool color_;
  std::string text_;
};

std::string duration(std::chrono::milliseconds time) {
  return format_duration(time);
}

std::string when(WallTime time, WallTime now) {
  const bool past = time <= now;
  const auto away = past ? now - time : time - now;
  const std::string span = human_duration(
      std::uint64_t(std::chrono::duration_cast<std::chrono::nanoseconds>(away).count()));
  return local_time(time) + (past ? " (" + span + " ago)" : " (in " + span + ")");
}

std::string ids_text(const std::vector<JobId>& ids) {
  std::string text;
  for (const JobId id : ids) text += (text.empty() ? "" : ", ") + std::to_string(id);
  return text;
}

std::string retries_text(const RetryPolicy& retry) {
  if (retry.max == 0) return "";
  std::string text = std::to_string(retry.max) + ", pauses " + duration(retry.base) + " up to " +
                     duration(retry.cap) + ", give or take " +
                     std::to_string(retry.jitter_percent) + "%";
  std::string exits;
  for (const int code : retry.exits) exits += (exits.empty() ? "" : ", ") + std::to_string(code);
  return exits.empty() ? text : text + ", after exit " + exits;
}

std::string after_text(const std::vector<JobDependency>& after) {
  std::string text;
  for (const JobDependency& d : after) {
    text += (text.empty() ? "" : ", ") + std::to_string(d.on) +
            (d.after == JobDependency::After::any ? " (whatever becomes of it)" : "");
  }
  return text;
}

std::string unique_text(const UniqueKey& unique) {
  if (unique.key.empty()) return "";
  const std::string key = excerpt(one_line(unique.key));
  switch (unique.until) {
    case UniqueKey::Until::started:
      return key + ", until it is started";
    case UniqueKey::Until::ended:
      return key + ", until it has ended";
    case UniqueKey::Until::time:
      return key + ", for " + duration(unique.for_time);
  }
  return key;
}

void put_work(Page& page, const DurableInfo& job) {
  if (const auto command = command_in(job)) {
    page.line("command", excerpt(one_line(shell_join(command->argv)), kMostWords));
    page.line("directory", one_line(command->cwd));
    if (!command->stdin_file.empty()) page.line("stdin", one_line(command->stdin_file));
    if (!command->stdin_text.empty()) {
      page.line("stdin", human_size(command->stdin_text.size()) + " of text");
    }
    page.line("limits", limits_text(command->limits));
    return;
  }
  page.line("handler", one_line(job.handler));
  if (job.payload_left_out) {
    page.line("payload", "(long)");
  } else if (!job.payload.empty()) {
    page.line("payload", excerpt(one_line(job.payload), kMostWords));
  }
}

void put_options(Page& page, const DurableInfo& job, WallTime now) {
  const DurableOptions& o = job.options;
  page.line("pool", one_line(o.pool) + ", priority " + std::to_string(o.priority));
  std::string tags;
  for (const std::string& tag : o.tags) tags += (tags.empty() ? "" : ", ") + one_line(tag);
  page.line("tags", tags);
  page.line("user", user_name(job.uid));
  if (o.group != 0) {
    page.line("group",
              std::to_string(o.group) + (job.index ? ", index " + std::to_string(*job.index) : ""));
  }
  page.line("submitted", when(job.submitted, now));
  if (o.run_at) page.line("run at", when(*o.run_at, now));
  if (job.due) page.line("due", when(*job.due, now));
  if (o.deadline) page.line("deadline", when(*o.deadline, now));
  if (o.timeout.count() != 0) page.line("timeout", duration(o.timeout));
  page.line("retries", retries_text(o.retry));
  page.line("after", after_text(o.after));
  page.line("waits for", ids_text(job.waits_for));
  page.line("unique", unique_text(o.unique));
  if (!o.concurrency_key.empty()) {
    page.line("key", excerpt(one_line(o.concurrency_key)) + ", at most " +
                         std::to_string(o.concurrency_max) + " at a time");
  }
  if (o.durability != Durability::synced) {
    page.line("durability", o.durability == Durability::none ? "none" : "batched");
  }
  if (o.keep) page.line("kept", duration(*o.keep) + " after its end");
  if (o.output_max != 0) page.line("output max", human_size(o.output_max));
}

void put_result(Page& page, const DurableInfo& job) {
  if (job.progress) {
    page.line("progress", progress_text(job.progress->done, job.progress->total,
                                        excerpt(one_line(job.progress->text))));
  }
  if (job.handler != "exec" && !job.result.empty()) {
    page.line("result", excerpt(one_line(job.result), kMostWords));
  }
}

// The lines of a tail, indented. Whoever wrote them does not get to write to a terminal.
std::string tail_lines(const std::string& tail) {
  std::string text;
  for (std::size_t at = 0; at < tail.size();) {
    const std::size_t end = std::min(tail.find('\n', at), tail.size());
    text += "    " + excerpt(std::string_view(tail).substr(at, end - at), 2000) + "\n";
    at = end + 1;
  }
  return text;
}

void put_attempts(Page& page, const DurableInfo& job, WallTime now, bool color) {
  std::vector<AttemptInfo> attempts = job.history;
  if (attempts.empty() && job.last) attempts.push_back(*job.last);
  // How a job ended that was never begun.
  std::erase_if(attempts, [](const AttemptInfo& a) { return a.number == 0; });
  if (attempts.empty()) return;
  Table table({">ATTEMPT", "STARTED", ">TIME", "END", ">CPU", ">MEMORY", ">WORKER"});
  for (const AttemptInfo& a : attempts) {
    const bool runs = a.ended == WallTime();
    const auto took = (runs ? now : a.ended) - a.started;
    const bool began = a.started != WallTime();
    table.row({{std::to_string(a.number)},
               {began ? local_time(a.started) : "-"},
               {began && took.count() >= 0
                    ? human_duration(std::uint64_t(
                          std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()))
                    : "-"},
               {runs ? "runs" : ending_text(a),
                runs || a.outcome == Outcome::ok ? Color::green : Color::red},
               {runs ? "-" : human_duration(std::uint64_t((a.user + a.system).count()) * 1000)},
               {a.max_rss_kib != 0 ? human_size(a.max_rss_kib * 1024) : "-"},
               {a.worker > 0 ? std::to_string(a.worker) : "-"}});
  }
  page.raw("\n" + table.print(color));
  for (const AttemptInfo& a : attempts) {
    if (a.tail.empty()) continue;
    page.raw("  last lines of attempt " + std::to_string(a.number) + ":\n" + tail_lines(a.tail));
  }
}

}  // namespace

std::string job_page(const DurableInfo& job, WallTime now, bool color) {
  Page page(color);
  const std::string note = note_text(job, now);
  page.line("job", colored(std::to_string(job.id), Color::bold, color) +
                       (job.options.name.empty() ? "" : " " + excerpt(one_line(job.options.name))));
  page.line("state", colored(to_string(job.state), state_color(job.state), color) +
                         (note.empty() ? "" : ", " + note));
  put_work(page, job);
  put_options(page, job, now);
  put_result(page, job);
  put_attempts(page, job, now, color);
  return page.take();
}

std::string group_text(const JobGroup& group) {
  std::string text = "group " + std::to_string(group.id) + ": " + human_count(group.size) +
                     (group.size == 1 ? " job, " : " jobs, ") + human_count(group.open) +
                     " have not ended, " + human_count(group.bad) + " ended without success";
  if (!group.sealed) text += "; it is not sealed";
  return text + "\n";
}

}  // namespace jobring::cli
