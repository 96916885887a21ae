// common/doorbell.hpp, Worker::sleep, settle_ready, leaves_work and Channel::Impl::publish: how work
// finds a worker that sleeps.
//
// Modelled: two clients with a channel each, workers that look, settle, lie down and are rung, every
// waker's memory of whom it has woken from this sleep, the chain by which a woken worker wakes the
// next, recovery's rearming, and a client that dies. All ready bits are one word, as all sleeping
// bits are. `ended[k]` has worker w's bit while waker k remembers w's present sleep_epoch.
// Abstract: a channel's ring is a count, a claim takes one (submission_ring.pml).
//
// Checked: all jobs of living clients end. With LONG_JOBS, where a job ends only when nothing else
// in the whole system moves: then nobody sleeps while a job waits.
//
//run      -DCRASHES=0 -DJOBS_0=2 -DJOBS_1=0 -DLONG_JOBS
//run      -DCRASHES=1 -DJOBS_0=1 -DJOBS_1=0 -DLONG_JOBS
//run      -DCRASHES=0 -DJOBS_0=1 -DJOBS_1=1 -DLONG_JOBS
//live     -DCRASHES=0 -DJOBS_0=1 -DJOBS_1=0
//more     -DCRASHES=1 -DJOBS_0=1 -DJOBS_1=1 -DLONG_JOBS
//more     -DCRASHES=0 -DJOBS_0=2 -DJOBS_1=1 -DLONG_JOBS
//more     -DCRASHES=0 -DJOBS_0=1 -DJOBS_1=1 -DLONG_JOBS -DCLIENT_DIES
//morelive -DCRASHES=1 -DJOBS_0=1 -DJOBS_1=0
#include "common.pml"

#ifndef JOBS_0
#define JOBS_0 2
#endif
#ifndef JOBS_1
#define JOBS_1 1
#endif
#define CLIENT_0 WORKERS  // wakers: the workers, then the clients
#define CLIENT_1 (WORKERS + 1)

byte queued[2];           // jobs in the ring of each channel
byte ready;               // BasicDoorbellPage::ready: a bit per channel
byte sleeping;            // BasicPoolPage::sleeping: a bit per worker
bit rung[WORKERS];        // eventfds, edge-triggered
byte ended[WORKERS + 2];  // WakeMemory of each waker
byte claimed[WORKERS];    // the channel of a claimed job + 1: what the slots say
bit client_gone;

byte done[2];  // ghost

#define work_waits (queued[0] != 0 || queued[1] != 0)
#define all_done (done[0] == JOBS_0 && (client_gone || done[1] == JOBS_1))

inline ring(w) { rung[w] = 1 }

// WakeMemory::pick, then the ring. `mask` and `whom` are this waker's scratch.
inline wake_one(waker, self) {
  mask = sleeping & ~self;
  d_step {
    mask = mask & ~ended[waker];
    if
    :: mask & 1 -> whom = 1
    :: !(mask & 1) && mask & 2 -> whom = 2
#if WORKERS > 2
    :: !(mask & 3) && mask & 4 -> whom = 4
#endif
    :: else
    fi;
    ended[waker] = ended[waker] | whom;
    mask = 0
  }
  d_step {
    if
    :: whom == 1 -> ring(0)
    :: whom == 2 -> ring(1)
#if WORKERS > 2
    :: whom == 4 -> ring(2)
#endif
    :: else
    fi;
    whom = 0
  }
}

proctype worker(byte me) {
  byte c, bits, mask, whom;
  bit woke;
  bool idle_others;
end_start:
  {
    skip;
look:
    bits = ready;
    do
    :: bits == 0 -> goto lie_down
    :: bits != 0 ->
       d_step {
         c = (bits & 1 -> 0 : 1);
         bits = bits & ~(1 << c)
       }
visit:
       if
       :: queued[c] == 0
       :: queued[c] != 0 ->
          idle_others = (sleeping != 0);
          d_step {
            if
            :: queued[c] != 0 -> queued[c]--; claimed[me] = c + 1; bits = 0
            :: else
            fi
          }
          if
          :: d_step { claimed[me] != 0 && !(idle_others && queued[c] != 0) -> idle_others = 0; c = 0 }
             goto run_batch
          :: d_step { claimed[me] != 0 && idle_others && queued[c] != 0 -> idle_others = 0; c = 0 }
             wake_one(me, (1 << me));
             goto run_batch
          :: d_step { claimed[me] == 0 -> idle_others = 0 }
          fi
       fi;
       c = 0
    od;
lie_down:
    bits = ready;
    do
    :: d_step { bits == 0 ->
         // sleep_epoch + 1: nobody remembers this sleep
#ifndef MUTATE_EPOCH_KEPT
         ended[0] = ended[0] & ~(1 << me);
         ended[1] = ended[1] & ~(1 << me);
         ended[2] = ended[2] & ~(1 << me);
         ended[3] = ended[3] & ~(1 << me);
#if WORKERS > 2
         ended[4] = ended[4] & ~(1 << me);
#endif
#endif
         skip
       }
       break
    :: bits != 0 ->
       // settle_ready(): W1, then W2
       d_step {
         c = (bits & 1 -> 0 : 1);
         bits = bits & ~(1 << c)
       }
#ifdef MUTATE_READY_CLEARED_AFTER_LOOK
       if
       :: queued[c] != 0 -> bits = 0; goto visit
       :: queued[c] == 0
       fi;
       ready = ready & ~(1 << c);
#else
       ready = ready & ~(1 << c);
#ifndef MUTATE_SETTLE_WITHOUT_LOOK
       if
       :: queued[c] != 0 -> bits = 0; ready = ready | (1 << c); goto visit
       :: queued[c] == 0
       fi;
#endif
#endif
       c = 0
    od;
#ifdef MUTATE_LIE_DOWN_AFTER_LOOK
    if
    :: ready != 0 -> goto look
    :: ready == 0
    fi;
#endif
    sleeping = sleeping | (1 << me);  // W3
    if
#if !defined(MUTATE_SLEEP_WITHOUT_LOOK) && !defined(MUTATE_LIE_DOWN_AFTER_LOOK)
    :: ready != 0  // W4
    :: ready == 0 ->
#else
    :: true ->
#endif
end_asleep:
       d_step { rung[me] -> rung[me] = 0 }  // W5
    fi;
    d_step { sleeping = sleeping & ~(1 << me); woke = 1 }
    goto look;

run_batch:
#ifndef MUTATE_NO_CHAIN
    if
    :: !woke
    :: woke ->
       woke = 0;
       if
       :: sleeping == 0
       :: sleeping != 0 ->
          // leaves_work(): in whatever channel
#ifdef MUTATE_CHAIN_LOOKS_AT_OWN_CHANNEL
          bits = ready & claimed[me];
#else
          bits = ready;
#endif
          do
          :: bits == 0 -> break
          :: d_step { (bits & 1) && queued[0] == 0 -> bits = bits & ~1 }
          :: d_step { !(bits & 1) && (bits & 2) && queued[1] == 0 -> bits = 0 }
          :: d_step { ((bits & 1) && queued[0] != 0) ||
                      (!(bits & 1) && (bits & 2) && queued[1] != 0) -> bits = 0 }
             wake_one(me, (1 << me));
             break
          od
       fi
    fi;
#endif
#ifdef LONG_JOBS
    timeout -> assert(!work_waits || sleeping == 0);
#else
    skip;
#endif
    d_step { done[claimed[me] - 1]++; claimed[me] = 0 }
    goto look
  } unless {
    d_step {
      killed[me];
      c = 0; bits = 0; mask = 0; whom = 0; woke = 0; idle_others = 0;
      ended[me] = 0;
      dead[me] = 1
    }
  };
end_down:
  !dead[me] && !down[me];
  goto end_start
}

inline publish(channel, waker) {
#ifdef MUTATE_LOOK_FOR_SLEEPERS_FIRST
  wake_one(waker, 0);
#endif
  queued[channel]++;  // S1
#ifndef MUTATE_READY_NOT_SET
  if                  // S2
  :: ready & (1 << channel)
  :: !(ready & (1 << channel)) -> ready = ready | (1 << channel)
  fi;
#endif
#ifndef MUTATE_LOOK_FOR_SLEEPERS_FIRST
  wake_one(waker, 0)  // S3
#endif
}

proctype client_0() {
  byte n, mask, whom;
  do
  :: n == JOBS_0 -> break
  :: n < JOBS_0 -> n++; publish(0, CLIENT_0)
  od;
  all_done  // nobody is left behind
}

proctype client_1() {
  byte n, mask, whom;
  {
    do
    :: n == JOBS_1 -> break
    :: n < JOBS_1 -> n++; publish(1, CLIENT_1)
    od;
#ifdef CLIENT_DIES
    false  // until it is killed
#endif
  } unless { client_gone }
  n = 0; mask = 0; whom = 0
}

proctype supervisor() {
  byte w;
end:
  do
  :: d_step { some_dead ->
       do
       :: !dead[w] -> w++
       :: else -> break
       od
     }
     // recover_channel(): the job waits again (in steps of its own: retry.pml)
     d_step {
       if
       :: claimed[w] != 0 && !(client_gone && claimed[w] == 2) -> queued[claimed[w] - 1]++
       :: else
       fi;
       claimed[w] = 0
     }
     sleeping = sleeping & ~(1 << w);  // the mutations of these are in retry.pml
     ready = (client_gone -> ready | 1 : 3);
     ring(0);
     ring(1);
#if WORKERS > 2
     ring(2);
#endif
     launch(w)
#ifdef CLIENT_DIES
  :: client_gone == 0 ->
     client_gone = 1;
     ready = ready & ~2;  // Pool::close_channel()
     queued[1] = 0        // cancel_waiting()
#endif
  od
}

init {
  atomic {
    run client_0(); run client_1(); run supervisor(); run killer();
    FOR_ALL_WORKERS(RUN_WORKER)
  }
}

ltl all_end { <> all_done }
