#include "client/cli/map_job.hpp"

#include "client/cli/caller.hpp"
#include "client/cli/shell_quote.hpp"
#include "common/exec_codec.hpp"

namespace jobring::cli {
namespace {

constexpr std::size_t kNameMost = 120;  // bytes of a job's title in a message

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += ' ';
    text += word;
  }
  return text;
}

}  // namespace

std::string tag_lines(std::string_view text, const std::string& tag) {
  std::string tagged;
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    const std::string_view line = text.substr(0, newline);
    tagged += tag;
    tagged += '\t';
    tagged += line;
    tagged += '\n';  // added to a last line without one: the next job's tag must not stand in it
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
  }
  return tagged;
}

MapJobs::MapJobs(const MapOptions& options)
    : options_(options), commands_(options.handler.empty()), template_(options.command) {
  if (!commands_ || options.dry_run) return;
  base_ = command_of_caller();
  base_.output_max = options.max_output;
  base_.limits = options.limits;
}

std::vector<std::string> MapJobs::argv(const MapInput& input) const {
  if (options_.lines_are_commands) return {"/bin/sh", "-c", join(input.values)};
  if (options_.shell) return {"/bin/sh", "-c", template_.expand_text(input, true)};
  return template_.expand(input);
}

std::string MapJobs::payload(const MapInput& input) {
  if (!commands_) return template_.expand_text(input, false);
  base_.argv = argv(input);
  return encode(base_);
}

std::string MapJobs::title(const MapInput& input) const {
  if (!commands_) return options_.handler + " " + shell_quote(template_.expand_text(input, false));
  if (options_.lines_are_commands) return join(input.values);
  if (options_.shell) return template_.expand_text(input, true);
  return shell_join(template_.expand(input));
}

JobText MapJobs::text(const MapInput& input, const JobEnd& end, double started) const {
  JobText text;
  const auto say = [&](const std::string& what) {
    if (options_.quiet || what.empty()) return;
    std::string name = one_line(title(input));
    if (name.size() > kNameMost) name = name.substr(0, kNameMost) + "...";
    text.err += "jobring map: job " + std::to_string(input.seq) + " (" + name + "): " + what + "\n";
  };
  if (options_.json) {
    const JobLabel label = {input.seq, input.values, title(input), started};
    text.out = job_json(end, &label) + "\n";
    return text;
  }
  if (options_.tag) {
    const std::string tag = one_line(join(input.values));
    text.out = tag_lines(end.out, tag);
    text.err = tag_lines(end.err, tag);
  } else {
    text.out = end.out;
    text.err = end.err;
    if (!commands_ && end.ok() && !end.out.ends_with('\n')) text.out += '\n';
  }
  if (!text.err.empty() && !text.err.ends_with('\n') && !end.problem.empty()) text.err += '\n';
  say(end.problem);
  say(end.truncation());
  return text;
}

}  // namespace jobring::cli
