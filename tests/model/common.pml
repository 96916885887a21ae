// What the models share: the states of a slot (common/state_word.hpp), and how a worker dies.
//
// A worker's body stands in `{ ... } unless { killed[me] ... }`: before every one of its steps SPIN
// looks at the escape first, so that each step is a place where it may have been killed. `killer`
// sets the flag at any time, as often as the model's bound says, and may stop earlier. A worker
// that has noticed is `dead`: what the supervisor learns from its pidfd. Started again, it knows
// nothing of what it was.
#define FREE 0
#define QUEUED 1
#define REQUEUED 2
#define CLAIMED 3
#define RUNNING 4
#define DONE 5

#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef CRASHES
#define CRASHES 1
#endif

bit killed[WORKERS], dead[WORKERS], down[WORKERS];

proctype killer() {
  byte crashes = CRASHES;
  do
  :: crashes > 0 && !killed[0] -> d_step { killed[0] = 1; crashes-- }
#if WORKERS > 1 && CRASHES > 1  // they are alike: one death is worker 0's
  :: crashes > 0 && !killed[1] -> d_step { killed[1] = 1; crashes-- }
#endif
#if WORKERS > 2 && CRASHES > 1
  :: crashes > 0 && !killed[2] -> d_step { killed[2] = 1; crashes-- }
#endif
  :: break
  od
}

#if WORKERS == 1
#define FOR_ALL_WORKERS(start) start(0)
#elif WORKERS == 2
#define FOR_ALL_WORKERS(start) start(0); start(1)
#else
#define FOR_ALL_WORKERS(start) start(0); start(1); start(2)
#endif
#if WORKERS == 1
#define some_dead (dead[0])
#elif WORKERS == 2
#define some_dead (dead[0] || dead[1])
#else
#define some_dead (dead[0] || dead[1] || dead[2])
#endif

// The end of recovery: the worker is started again, or, where others live, it stays down.
inline launch(w) {
  if
  :: d_step { dead[w] = 0; killed[w] = 0; w = 0 }
#if CRASHES < WORKERS
  :: d_step { dead[w] = 0; down[w] = 1; w = 0 }
#endif
  fi
}
#define RUN_WORKER(w) run worker(w)
