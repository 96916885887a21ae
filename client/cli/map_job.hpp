// One job of `jobring map`: from an input to a payload, and from an end to text.
#pragma once

#include <jobring/command.hpp>

#include "client/cli/json.hpp"
#include "client/cli/map_options.hpp"
#include "client/cli/map_template.hpp"
#include "client/cli/ordered_output.hpp"
#include "client/cli/outcome.hpp"

namespace jobring::cli {

class MapJobs {
 public:
  // Takes over the caller's directory, environment and umask if the jobs are commands and not only
  // shown.
  explicit MapJobs(const MapOptions& options);

  bool commands() const { return commands_; }
  // The bytes to submit. Not const: the environment is not copied for each job.
  std::string payload(const MapInput& input);
  // The job as a person would type it; for a handler, its name and payload.
  std::string title(const MapInput& input) const;
  // What its end leaves on our stdout and stderr, with --tag, --json and --quiet applied.
  // `started`: seconds since 1970.
  JobText text(const MapInput& input, const JobEnd& end, double started) const;

 private:
  std::vector<std::string> argv(const MapInput& input) const;

  const MapOptions& options_;
  bool commands_;
  MapTemplate template_;
  Command base_;
};

// Every line of `text` with `tag` and a tab in front.
std::string tag_lines(std::string_view text, const std::string& tag);

}  // namespace jobring::cli
