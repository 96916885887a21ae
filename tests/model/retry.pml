// daemon/recovery.cpp, Pool::settle and Worker::claim_requeued: what becomes of a dead worker's jobs.
//
// Modelled: two slots of one channel, whose jobs were published together; workers that claim them as
// a batch and may be killed at any step; the supervisor's recovery, step by step, which may itself
// be killed and run again from its start; the retry bits and the `retries` flag, the ready bit, who
// sleeps and who is rung; a client that cancels. A look at a slot's word and the CAS from that word
// are one step: generations grow, so the CAS succeeds just when nothing changed in between.
// Abstract: the ring (submission_ring.pml), which sleeper is rung (doorbell.pml), completion words
// (completions.pml), stealing (batches.pml).
//
// Checked: one runner per job; each job ends once; a crash is counted once; all jobs end; with
// LONG_JOBS, where a job ends only when nothing else moves: nobody sleeps while a job waits.
//
//run      -DCRASHES=1 -DRECOVERY_CRASHES=1 -DLONG_JOBS
//run      -DCRASHES=2 -DRECOVERY_CRASHES=0 -DLONG_JOBS
//live     -DCRASHES=1 -DRECOVERY_CRASHES=0
//more     -DCRASHES=2 -DRECOVERY_CRASHES=1
//more     -DWORKERS=3 -DCRASHES=1 -DRECOVERY_CRASHES=1 -DLONG_JOBS
//morelive -DCRASHES=1 -DRECOVERY_CRASHES=1
#include "common.pml"

#ifndef RECOVERY_CRASHES
#define RECOVERY_CRASHES 1
#endif
#define CRASH_RETRIES 1
#define SLOTS 2

byte state[SLOTS] = QUEUED, owner[SLOTS];
byte attempts[SLOTS];  // crashed attempts
byte run_no[SLOTS];    // stands for the generation of the RUNNING word
byte counted[SLOTS];   // the RUNNING word whose crash `attempts` counted last
bit retry[SLOTS];      // the retry bitmap
bit retries;           // ChannelHeader::retries
bit ready = 1;         // the channel's ready bit
byte sleeping;         // a bit per worker
bit rung[WORKERS];     // the workers' eventfds
bit sup_killed;

byte crashed[SLOTS];  // ghost: crashes of a worker that ran it

#define all_done (state[0] == DONE && state[1] == DONE)
#define queued (state[0] == QUEUED || state[1] == QUEUED)
#define waits(s) (state[s] == QUEUED || state[s] == REQUEUED)
#define is_mine(s) (owner[s] == me)

// doorbell.hpp S3: ring one of those who sleep. `pick` is this process's scratch.
inline ring_one() {
  pick = sleeping;
  d_step {
    if
    :: pick & 1 -> rung[0] = 1
#if WORKERS > 1
    :: !(pick & 1) && pick & 2 -> rung[1] = 1
#endif
#if WORKERS > 2
    :: !(pick & 3) && pick & 4 -> rung[2] = 1
#endif
    :: else
    fi;
    pick = 0
  }
}

inline claim_if(slot, what) {
  d_step {
    if
    :: state[slot] == what -> state[slot] = CLAIMED; owner[slot] = me; claims = claims | (1 << slot)
    :: else
    fi
  }
}

proctype worker(byte me) {
  byte s, claims, bits, pick;
  bit job;
end_start:
  {
    skip;
look:
    // Worker::look()
    if
    :: !ready -> goto sleep
    :: ready
    fi;
visit:
    if
    :: !retries
    :: retries ->
       // claim_requeued()
#ifndef MUTATE_RETRIES_CLEARED_AFTER_LOOK
       retries = 0;
#endif
       bits = retry[0] + 2 * retry[1];
       do
       :: bits == 0 -> break
       :: d_step { bits != 0 -> s = (bits & 1 -> 0 : 1); bits = bits & ~(1 << s) }
#ifdef MUTATE_RETRY_BIT_CLEARED_AFTER_CLAIM
          claim_if(s, REQUEUED);
          retry[s] = 0;
#else
          retry[s] = 0;
          claim_if(s, REQUEUED);
#endif
          if
          :: d_step { claims == 0 -> s = 0 }
          :: d_step { claims != 0 -> s = 0; bits = 0 }
             retries = 1;  // there may be more
#ifndef MUTATE_REST_NOT_ANNOUNCED
             // Another may have settled while the flag was down, and sleep now.
             if
             :: !ready -> ready = 1
             :: ready
             fi;
             ring_one();
#endif
             goto run_batch
          fi
       od;
#ifdef MUTATE_RETRIES_CLEARED_AFTER_LOOK
       retries = 0
#endif
    fi;
    if
    :: !queued
    :: queued ->
       claim_if(0, QUEUED);
       claim_if(1, QUEUED);
       if
       :: claims != 0 -> goto run_batch
       :: claims == 0
       fi
    fi;
sleep:
    if
    :: !ready
    :: ready ->  // settle_ready(): W1, W2
#ifdef MUTATE_READY_CLEARED_AFTER_LOOK
       if
       :: queued -> goto visit
       :: !queued
       fi;
       if
       :: retries -> goto visit
       :: !retries
       fi;
       ready = 0
#else
       ready = 0;
       if
       :: queued ->
          ready = 1;
#ifdef MUTATE_SETTLED_WORK_NOT_VISITED
          goto look;
#endif
          goto visit
       :: !queued
       fi;
#ifndef MUTATE_SETTLE_WITHOUT_RETRIES
       if
       :: retries ->
          ready = 1;
#ifdef MUTATE_SETTLED_WORK_NOT_VISITED
          goto look;
#endif
          goto visit
       :: !retries
       fi
#endif
#endif
    fi;
    sleeping = sleeping | (1 << me);  // W3
    if
#ifndef MUTATE_SLEEP_WITHOUT_LOOK
    :: ready  // W4
#endif
    :: !ready ->
end_asleep:
       d_step { rung[me] -> rung[me] = 0 }  // W5
    fi;
    sleeping = sleeping & ~(1 << me);
    goto look;

run_batch:
    do
    :: claims == 0 -> goto look
    :: d_step { claims != 0 ->
         // run_one(): CLAIMED to RUNNING to DONE.
         s = (claims & 1 -> 0 : 1);
         claims = claims & ~(1 << s);
         assert(state[s] == CLAIMED && is_mine(s));
         state[s] = RUNNING; run_no[s]++;
         job = 1
       }
#ifdef LONG_JOBS
       timeout -> assert(!(waits(0) || waits(1)) || sleeping == 0);
#endif
       d_step {
         assert(state[s] == RUNNING && is_mine(s));
         state[s] = DONE; owner[s] = 0;
         s = 0; job = 0
       }
    od
  } unless {
    d_step {
      killed[me];
      if
      :: job -> crashed[s]++
      :: else
      fi;
      s = 0; claims = 0; bits = 0; pick = 0; job = 0;
      dead[me] = 1
    }
  };
#ifdef MUTATE_OWNER_REUSED_EARLY
  killed[me] = 0;
#else
end_down:
  !dead[me] && !down[me];
#endif
  goto end_start
}

proctype supervisor() {
  byte w, s;
  bit hurt;
end_start:
  {
end_idle:
    do
    :: d_step { some_dead ->
         do
         :: !dead[w] -> w++
         :: else -> break
         od
       }
       // recover_channel()
       do
       :: s < SLOTS ->
          if
          :: d_step { state[s] == CLAIMED && owner[s] == w -> state[s] = REQUEUED; owner[s] = 0; hurt = 1 }
          :: state[s] == RUNNING && owner[s] == w ->
#ifdef MUTATE_CRASH_COUNTED_AGAIN
             attempts[s]++;
#else
             d_step {  // one store of count and generation
               if
               :: counted[s] != run_no[s] -> attempts[s]++; counted[s] = run_no[s]
               :: else
               fi
             }
#endif
             d_step {
               assert(attempts[s] == crashed[s]);
               owner[s] = 0;
               if
               :: attempts[s] <= CRASH_RETRIES -> state[s] = REQUEUED; hurt = 1
               :: else -> state[s] = DONE
               fi
             }
          :: else
          fi;
          if
#ifdef MUTATE_BITS_OF_OWN_ONLY
          :: hurt ->
#else
          :: state[s] == REQUEUED ->
#endif
#ifndef MUTATE_NO_RETRY_BIT
             retry[s] = 1
#else
             skip
#endif
          :: else
          fi;
          d_step { s++; hurt = 0 }
       :: else -> s = 0; break
       od;
#ifndef MUTATE_NO_RETRIES_FLAG
       retries = 1;
#endif
       // Pool::settle(): clear_worker(), rearm_all(), launch()
#ifndef MUTATE_SLEEPING_BIT_KEPT
       sleeping = sleeping & ~(1 << w);
#endif
#ifndef MUTATE_NO_REARM
       if
       :: !ready -> ready = 1
       :: else
       fi;
#endif
#ifndef MUTATE_NOBODY_RUNG
       rung[0] = 1;
#if WORKERS > 1
       rung[1] = 1;
#endif
#if WORKERS > 2
       rung[2] = 1;
#endif
#endif
       launch(w)
    od
  } unless {
    // Killed in the middle, and run again: it knows only who is dead.
    d_step { sup_killed -> sup_killed = 0; w = 0; s = 0; hurt = 0 }
  };
  goto end_start
}

proctype supervisor_killer() {
  byte deaths = RECOVERY_CRASHES;
  do
  :: d_step { deaths > 0 && some_dead -> sup_killed = 1; deaths-- }
  :: break
  od
}

// Channel::Impl::cancel()
proctype client() {
  if
  :: d_step { waits(0) -> state[0] = DONE }
  :: skip
  fi;
  all_done
}

init {
  atomic {
    run client(); run supervisor(); run killer(); run supervisor_killer();
    FOR_ALL_WORKERS(RUN_WORKER)
  }
}

ltl all_end { <> all_done }
