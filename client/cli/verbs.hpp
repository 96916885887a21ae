// The verbs of `jobring`, one file each. A verb gets what follows its name and returns the exit
// status; it may throw jobring::Exception, which main() turns into one line and the exception's
// status.
#pragma once

#include "client/cli/options.hpp"

namespace jobring::cli {

int run_verb(Arguments arguments);
int map_verb(Arguments arguments);
int call_verb(Arguments arguments);
int status_verb(Arguments arguments);
int ping_verb(Arguments arguments);
int bench_verb(Arguments arguments);
int start_verb(Arguments arguments);
int stop_verb(Arguments arguments);
int lock_verb(Arguments arguments);
int queue_verb(Arguments arguments);
int event_verb(Arguments arguments);
int dict_verb(Arguments arguments);
int objects_verb(Arguments arguments);

}  // namespace jobring::cli
