// The steps of a keeper at which tests let it die: what it asks of its store, its pools and its
// clients, and of the disk.
#pragma once

namespace jobring::test {

enum class Step : unsigned {
  begin,      // a turn, before it
  take,       // before jobs are taken in it
  finish,     // before endings are recorded in it
  commit,     // before it
  committed,  // right after it: nobody has been told anything
  flush,      // before it
  release,    // before a slot whose job has ended is freed
  released,   // and after
  open,       // before a channel is opened
  opened,     // and after: nothing is in it
  put,        // before a job is put into a channel
  handed,     // and after: no worker sees it yet
  publish,    // before workers see it
  ring,       // before a bell is rung, of a worker or of a client
  published,  // after both
  answer,     // before a request is answered
  answered,   // and after: its client may sleep on
  reaped,     // completions were read, and no turn has begun
  withdraw,   // before a job is taken back from a channel
  adopt,      // before what a dead keeper has left in a channel is looked at
  write,      // of the store's files
  written,
  sync,
  synced,
  count_
};
inline constexpr unsigned kSteps = unsigned(Step::count_);

constexpr const char* to_string(Step step) {
  constexpr const char* names[] = {"begin",  "take",     "finish",   "commit",   "committed",
                                   "flush",  "release",  "released", "open",     "opened",
                                   "put",    "handed",   "publish",  "ring",     "published",
                                   "answer", "answered", "reaped",   "withdraw", "adopt",
                                   "write",  "written",  "sync",     "synced",   "any"};
  static_assert(sizeof names / sizeof *names == kSteps + 1);
  return names[unsigned(step)];
}

}  // namespace jobring::test
