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

// Durable jobs: in durable/.
int submit_verb(Arguments arguments);
int list_verb(Arguments arguments);
int show_verb(Arguments arguments);
int logs_verb(Arguments arguments);
int wait_verb(Arguments arguments);
int result_verb(Arguments arguments);
int explain_verb(Arguments arguments);
int cancel_verb(Arguments arguments);
int kill_verb(Arguments arguments);
int retry_verb(Arguments arguments);
int hold_verb(Arguments arguments);
int release_verb(Arguments arguments);
int edit_verb(Arguments arguments);
int bury_verb(Arguments arguments);
int kick_verb(Arguments arguments);
int clear_verb(Arguments arguments);
int clean_verb(Arguments arguments);
int pause_verb(Arguments arguments);
int resume_verb(Arguments arguments);
int drain_verb(Arguments arguments);
int cron_verb(Arguments arguments);
int group_verb(Arguments arguments);
int events_verb(Arguments arguments);
int export_verb(Arguments arguments);
int import_verb(Arguments arguments);

}  // namespace jobring::cli
