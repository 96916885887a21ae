#include "client/cli/durable/batch.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <map>

#include "client/cli/durable/wait_jobs.hpp"
#include "client/cli/line_reader.hpp"
#include "client/cli/shell_quote.hpp"
#include "client/client_core.hpp"
#include "common/excerpt.hpp"

namespace jobring::cli {
namespace {

constexpr std::size_t kLineMost = 64 << 20;  // bytes

[[noreturn]] void wrong_line(const std::string& file, std::size_t line, const Error& error) {
  detail::throw_error({error.code, error.what,
                       (file == "-" ? "stdin" : file) + ": line " + std::to_string(line),
                       error.hint});
}

// "line 3" means a line of the file; the library counts jobs.
void count_jobs_not_lines(const std::string& file, Batch& batch) {
  std::map<std::size_t, std::size_t> place;
  for (std::size_t i = 0; i < batch.jobs.size(); ++i) {
    for (JobDependency& d : batch.jobs[i].options.after) {
      if (!d.in_batch) continue;
      const auto found = place.find(std::size_t(d.on) + 1);
      if (found == place.end()) {
        wrong_line(
            file, batch.lines[i],
            {Errc::bad_input,
             "\"after\": there is no job before it in line " + std::to_string(d.on + 1), "", ""});
      }
      d.on = found->second;
    }
    place[batch.lines[i]] = i;
  }
}

UniqueFd open_batch(const std::string& file) {
  if (file == "-") return UniqueFd(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) detail::throw_error(system_error("open", file));
  return fd;
}

}  // namespace

Batch read_batch(const std::string& file, const BatchDefaults& defaults) {
  LineReader reader(open_batch(file), file, '\n', kLineMost);
  Batch batch;
  std::string line;
  bool too_long = false;
  for (std::size_t number = 1;;) {
    const auto pulled = reader.next(line, too_long);
    if (!pulled) detail::throw_error(pulled.error());
    if (*pulled == Pull::end) break;
    if (*pulled == Pull::later) {
      pollfd ready = {reader.fd(), POLLIN, 0};
      poll(&ready, 1, -1);
      continue;
    }
    if (too_long) wrong_line(file, number, {Errc::bad_input, "longer than 64 MiB", "", ""});
    if (line.find_first_not_of(" \t\r") != std::string::npos) {
      auto job = parse_job_json(line, defaults);
      if (!job) wrong_line(file, number, job.error());
      batch.jobs.push_back(std::move(*job));
      batch.lines.push_back(number);
    }
    ++number;
  }
  count_jobs_not_lines(file, batch);
  return batch;
}

int submit_batch(DurableJobs& jobs, const Batch& batch, const BatchWishes& wishes) {
  int status = 0;
  std::vector<JobId> stored;
  const auto tell = [&](const std::vector<SubmitAnswer>& answers) {
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const SubmitAnswer& answer = answers[i];
      const bool kept = answer.status == SubmitAnswer::Status::stored;
      if (kept) stored.push_back(answer.id);
      if (wishes.json) {
        std::printf("%s\n", submit_json(answer).c_str());
      } else {
        std::printf("%s\n", kept ? std::to_string(answer.id).c_str() : "");
      }
      if (kept) continue;
      if (status == 0) status = refusal_status(answer.status);
      std::fprintf(stderr, "jobring submit: line %zu: %s\n", batch.lines[i],
                   refusal_text(answer, batch.jobs[i]).c_str());
    }
    std::fflush(stdout);
  };
  try {
    tell(jobs.submit_all(batch.jobs));
  } catch (const PartlySubmitted& e) {
    tell(e.answers());
    std::fprintf(stderr, "jobring submit: %zu of %zu jobs were submitted before this error\n",
                 stored.size(), batch.jobs.size());
    throw;
  }
  if (!wishes.wait) return status;
  const int waited = wait_all(jobs, stored, std::nullopt, "submit", false, false).status;
  return status != 0 ? status : waited == 0 ? 0 : 1;
}

std::string refusal_text(const SubmitAnswer& answer, const DurableJob& job) {
  const std::string id = std::to_string(answer.id);
  switch (answer.status) {
    case SubmitAnswer::Status::stored:
      return "";
    case SubmitAnswer::Status::duplicate:
      return "the key \"" + excerpt(one_line(job.options.unique.key)) + "\" is taken by job " + id +
             "; --replace takes it from one that waits";
    case SubmitAnswer::Status::no_such_job:
      return "it is to run after job " + id + ", which is not there";
    case SubmitAnswer::Status::cannot_succeed:
      return "it is to run after the success of job " + id +
             ", which has ended without; --after-any would do";
    case SubmitAnswer::Status::no_such_group:
      return "there is no group " + id + ", or it is sealed";
    case SubmitAnswer::Status::bad:
      return "the daemon says that this job makes no sense";
  }
  return "refused";
}

int refusal_status(SubmitAnswer::Status status) {
  return exit_status(status == SubmitAnswer::Status::duplicate ? Errc::full : Errc::bad_input);
}

}  // namespace jobring::cli
