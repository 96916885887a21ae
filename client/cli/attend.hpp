// Submits the one job of `jobring run` and `jobring call`, waits for it, and passes on the signals
// that ask us to stop.
#pragma once

#include <jobring/channel.hpp>

namespace jobring::cli {

struct Attended {
  Completion completion;  // valid until the channel's next reap()
  int signal = 0;         // the first signal that asked us to stop; 0: none did
};

// `job` is prepared in the channel. A first signal withdraws the job if it has not started, else
// goes to it; a second one kills it. With `show_progress`, what the job reports goes to stderr: on
// a terminal in one line that changes.
Attended attend(Channel& channel, JobRef job, bool show_progress = false);

}  // namespace jobring::cli
