// Worker::claim, run_batch, steal, leaves_work and sleep: a worker claims several jobs at once, lists
// them in the pool page, and others take over what it cannot get to.
//
// Modelled: one channel whose jobs are published together (LATE: two of them later); workers that claim a batch of any size up
// to what is there (one at a time while anybody sleeps), list it, ring a sleeper, run it in order;
// others that steal one of the list by CAS from CLAIMED(victim), remember lists that they found empty
// by the time of the list, and look at all lists before they sleep; the chain by which a woken worker
// wakes the next; workers killed at any step, and recovery step by step.
// Abstract: the ring (submission_ring.pml), the retry bits (retry.pml: a worker finds REQUEUED slots
// while the ready bit is set), how old a list must be to be stolen from (here it always is: waiting
// for that is not sleeping).
//
// Checked: a job has one owner and ends once; all jobs end. With LONG_JOBS, where a job ends only
// when nothing else in the whole system moves: then nobody sleeps while a job waits, be it queued or
// claimed by a worker that is busy with another.
//
//run      -DWORKERS=2 -DJOBS=4 -DLATE -DPUBLISHED -DCRASHES=0 -DLONG_JOBS
//run      -DWORKERS=3 -DJOBS=3 -DBATCHERS=1 -DPUBLISHED -DCRASHES=0 -DLONG_JOBS
//run      -DWORKERS=2 -DJOBS=2 -DCRASHES=1 -DLONG_JOBS
//live     -DWORKERS=2 -DJOBS=2 -DCRASHES=0
//more     -DWORKERS=2 -DJOBS=3 -DCRASHES=1 -DLONG_JOBS
//more     -DWORKERS=2 -DJOBS=3 -DCRASHES=2 -DLONG_JOBS
//more     -DWORKERS=3 -DJOBS=3 -DCRASHES=1 -DLONG_JOBS
//more     -DWORKERS=3 -DJOBS=3 -DCRASHES=0 -DLONG_JOBS
//morelive -DWORKERS=2 -DJOBS=3 -DCRASHES=1
#include "common.pml"

#ifndef JOBS
#define JOBS 3
#endif
#ifndef BATCHERS
#define BATCHERS WORKERS  // workers that claim more than one job at a time
#endif
#define CLIENT WORKERS  // wakers: the workers, then the client

byte state[JOBS] = QUEUED, owner[JOBS];
#ifdef PUBLISHED
bit ready = 1;
#else
bit ready;               // the channel's ready bit
#endif
byte sleeping;           // BasicPoolPage::sleeping: a bit per worker
bit rung[WORKERS];       // eventfds
byte ended[WORKERS + 1]; // WakeMemory of each waker: a bit per worker whose present sleep it has ended
// BasicWorkerEntry
byte batch[WORKERS];        // slots, a bit each
byte batch_ns[WORKERS];     // the number of the batch
byte batch_count[WORKERS];
byte emptied[WORKERS * WORKERS];  // Worker::emptied_ns_ of each worker

byte done;  // ghost

#define is(s, what) (state[s] == what)
#if JOBS == 2
#define any(what) (is(0, what) || is(1, what))
#define first(what) (is(0, what) -> 0 : 1)
#define lowest(set) ((set) & 1 -> 0 : 1)
#define number(set) (((set) & 1) + ((set) >> 1 & 1))
#elif JOBS == 3
#define any(what) (is(0, what) || is(1, what) || is(2, what))
#define first(what) (is(0, what) -> 0 : (is(1, what) -> 1 : 2))
#define lowest(set) ((set) & 1 -> 0 : ((set) & 2 -> 1 : 2))
#define number(set) (((set) & 1) + ((set) >> 1 & 1) + ((set) >> 2 & 1))
#else
#define any(what) (is(0, what) || is(1, what) || is(2, what) || is(3, what))
#define first(what) (is(0, what) -> 0 : (is(1, what) -> 1 : (is(2, what) -> 2 : 3)))
#define lowest(set) ((set) & 1 -> 0 : ((set) & 2 -> 1 : ((set) & 4 -> 2 : 3)))
#define number(set) (((set) & 1) + ((set) >> 1 & 1) + ((set) >> 2 & 1) + ((set) >> 3 & 1))
#endif
#define waiting (any(QUEUED) || any(REQUEUED) || any(CLAIMED))

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
#if CRASHES > 0
  }
  d_step {
#else
    ;
#endif
    if
    :: whom == 1 -> rung[0] = 1
    :: whom == 2 -> rung[1] = 1
#if WORKERS > 2
    :: whom == 4 -> rung[2] = 1
#endif
    :: else
    fi;
    whom = 0
  }
}

// may_have_left()
#ifdef MUTATE_EMPTIED_FOR_GOOD
#define may_have_left(v) (v != me && batch_count[v] != 0 && emptied[me * WORKERS + v] == 0)
#else
#define may_have_left(v) (v != me && batch_count[v] != 0 && emptied[me * WORKERS + v] != batch_ns[v])
#endif

proctype worker(byte me) {
  byte s, v, claims, found, since, mask, whom;
  bit woke, idle, wait, listed, job;
end_start:
  {
    skip;  // (without deaths no `unless`: it would keep SPIN from leaving out what changes nothing)
look:
    if
    :: !ready -> goto steal
    :: ready
    fi;
visit:
    if
    :: any(REQUEUED) ->
       d_step {  // claim_requeued(): one
         if
         :: any(REQUEUED) ->
            s = first(REQUEUED);
            state[s] = CLAIMED; owner[s] = me; claims = 1 << s; s = 0
         :: else
         fi
       }
       if
       :: claims == 0
       :: claims != 0 ->
          if
          :: !ready -> ready = 1
          :: ready
          fi;
          wake_one(me, (1 << me));
          goto run_batch
       fi
    :: !any(REQUEUED)
    fi;
    if
    :: !any(QUEUED) -> goto steal
    :: any(QUEUED) -> idle = (sleeping != 0)  // claim(): others_sleep()
    fi;
    do
    :: d_step { any(QUEUED) && !((idle || me >= BATCHERS) && claims != 0) ->
         s = first(QUEUED);
         state[s] = CLAIMED; owner[s] = me; claims = claims | (1 << s); s = 0
       }
    :: claims != 0 || !any(QUEUED) -> break  // of any size
    od;
    if
    :: claims == 0 -> idle = 0; goto steal
    :: claims != 0 && idle && any(QUEUED) -> idle = 0; wake_one(me, (1 << me))
    :: claims != 0 && !(idle && any(QUEUED)) -> idle = 0
    fi;
    goto run_batch;

steal:
    wait = 0;
    v = 0;
    do
    :: v == BATCHERS -> break
    :: d_step { v < BATCHERS && !may_have_left(v) -> v++ }
    :: v < BATCHERS && batch_count[v] != 0 && v != me ->
       d_step {
         if
         :: may_have_left(v) -> since = batch_ns[v]; wait = 1
         :: else -> since = 0
         fi
       }
       if
       :: since == 0 -> v++
       :: since != 0 ->
          found = batch[v];
          do
          :: found == 0 ->
             // However long its owner's job takes, it will not say that its list is empty.
             emptied[me * WORKERS + v] = since;
             d_step { since = 0; v++ }
             break
          :: d_step { found != 0 -> s = lowest(found); found = found & ~(1 << s) }
#ifdef MUTATE_STEAL_WITHOUT_CAS
             if
             :: is(s, CLAIMED) && owner[s] == v -> claims = 1 << s
             :: else
             fi;
             d_step {
               if
               :: claims != 0 -> state[s] = CLAIMED; owner[s] = me
               :: else
               fi;
               s = 0
             }
#else
             d_step {
               if
               :: is(s, CLAIMED) && owner[s] == v -> owner[s] = me; claims = 1 << s
               :: else
               fi;
               s = 0
             }
#endif
             if
             :: d_step { claims != 0 -> found = 0; since = 0; v = 0; wait = 0 }
                goto run_batch
             :: claims == 0
             fi
          od
       fi
    od;
    v = 0;
    if
    :: d_step { wait -> wait = 0 }
       goto look
    :: !wait
    fi;
    // sleep(): settle_ready(), W1, W2
    if
    :: !ready
    :: ready ->
       ready = 0;
       if
       :: any(QUEUED) || any(REQUEUED) -> ready = 1; goto visit
       :: !(any(QUEUED) || any(REQUEUED))
       fi
    fi;
#ifdef MUTATE_LISTS_BEFORE_LYING_DOWN
    if
    :: may_have_left(0) -> goto look
#if BATCHERS > 1
    :: may_have_left(1) -> goto look
#endif
#if BATCHERS > 2
    :: may_have_left(2) -> goto look
#endif
    :: else
    fi;
#endif
    d_step {  // sleep_epoch + 1: nobody remembers this sleep
      ended[0] = ended[0] & ~(1 << me);
      ended[1] = ended[1] & ~(1 << me);
      ended[2] = ended[2] & ~(1 << me);
#if WORKERS > 2
      ended[3] = ended[3] & ~(1 << me);
#endif
      skip
    }
    sleeping = sleeping | (1 << me);  // W3
    // W4: work_in_sight()
    if
    :: ready -> goto up
    :: !ready
    fi;
#if !defined(MUTATE_SLEEP_WITHOUT_LISTS) && !defined(MUTATE_LISTS_BEFORE_LYING_DOWN)
    if
    :: may_have_left(0) -> goto up
    :: !may_have_left(0)
    fi;
#if BATCHERS > 1
    if
    :: may_have_left(1) -> goto up
    :: !may_have_left(1)
    fi;
#endif
#if BATCHERS > 2
    if
    :: may_have_left(2) -> goto up
    :: !may_have_left(2)
    fi;
#endif
#endif
end_asleep:
    d_step { rung[me] -> rung[me] = 0 }  // W5
up:
    sleeping = sleeping & ~(1 << me);
    woke = 1;
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
          // leaves_work(): in the ring, or in another's list
          if
          :: ready && (any(QUEUED) || any(REQUEUED)) -> wake_one(me, (1 << me))
          :: !(ready && (any(QUEUED) || any(REQUEUED))) ->
#ifndef MUTATE_CHAIN_WITHOUT_LISTS
             // one look after the other
             if
             :: may_have_left(0) -> whom = 1
             :: !may_have_left(0)
             fi;
#if BATCHERS > 1
             if
             :: whom == 0 && may_have_left(1) -> whom = 1
             :: !(whom == 0 && may_have_left(1))
             fi;
#endif
#if BATCHERS > 2
             if
             :: whom == 0 && may_have_left(2) -> whom = 1
             :: !(whom == 0 && may_have_left(2))
             fi;
#endif
             if
             :: whom == 0
             :: whom != 0 -> whom = 0; wake_one(me, (1 << me))
             fi
#else
             skip
#endif
          fi
       fi
    fi;
#endif
    if
    :: number(claims) == 1
    :: number(claims) > 1 ->
#ifdef MUTATE_SLEEPERS_BEFORE_LIST
       if
       :: sleeping != 0 -> wake_one(me, (1 << me))
       :: sleeping == 0
       fi;
#endif
       batch[me] = claims;
#ifndef MUTATE_TIME_KEPT
       batch_ns[me]++;
#else
       batch_ns[me] = 1;
#endif
       d_step { batch_count[me] = number(claims) - 1; listed = 1 }
#if !defined(MUTATE_NOBODY_RUNG_FOR_LIST) && !defined(MUTATE_SLEEPERS_BEFORE_LIST)
       if
       :: sleeping != 0 -> wake_one(me, (1 << me))
       :: sleeping == 0
       fi
#endif
    fi;
    do
    :: claims == 0 -> listed = 0; goto look
    :: d_step { claims != 0 -> s = lowest(claims); claims = claims & ~(1 << s) }
       if
       :: listed && batch_count[me] != number(claims) -> batch_count[me] = number(claims)
       :: !(listed && batch_count[me] != number(claims))
       fi;
       d_step {  // run_one(): CLAIMED to RUNNING, unless it was stolen
         if
#ifdef MUTATE_RUN_STOLEN
         :: true ->
#else
         :: is(s, CLAIMED) && owner[s] == me ->
#endif
            assert(!is(s, RUNNING) && !is(s, DONE));
            state[s] = RUNNING; owner[s] = me; job = 1
         :: else
         fi
       }
       if
       :: d_step { !job -> s = 0 }
       :: job ->
#ifdef LONG_JOBS
          timeout -> assert(!waiting || sleeping == 0);
#endif
          d_step {
            assert(is(s, RUNNING) && owner[s] == me);
            state[s] = DONE; owner[s] = 0; done++;
            s = 0; job = 0
          }
       fi
    od
  }
#if CRASHES > 0
  unless {
    d_step {
      killed[me];
      s = 0; v = 0; claims = 0; found = 0; since = 0; mask = 0; whom = 0;
      woke = 0; idle = 0; wait = 0; listed = 0; job = 0;
      ended[me] = 0;
      emptied[me * WORKERS] = 0;
      emptied[me * WORKERS + 1] = 0;
#if WORKERS > 2
      emptied[me * WORKERS + 2] = 0;
#endif
      dead[me] = 1
    }
  };
end_down:
  !dead[me] && !down[me];
  goto end_start
#endif
}

#if CRASHES > 0
proctype supervisor() {
  byte w, s;
  bit mine;
end:
  do
  :: d_step { some_dead ->
       do
       :: !dead[w] -> w++
       :: else -> break
       od
     }
     // recover_channel(): against thieves, a look and then a CAS from what was seen.
     do
     :: s == JOBS -> s = 0; break
     :: s < JOBS ->
#ifdef MUTATE_RECOVERY_WITHOUT_CAS
        mine = ((is(s, CLAIMED) || is(s, RUNNING)) && owner[s] == w);
        d_step {
          if
          :: mine -> state[s] = REQUEUED; owner[s] = 0
          :: else
          fi;
          mine = 0; s++
        }
#else
        d_step {
          if
          :: (is(s, CLAIMED) || is(s, RUNNING)) && owner[s] == w -> state[s] = REQUEUED; owner[s] = 0
          :: else
          fi;
          s++
        }
#endif
     od;
     // Pool::settle(): clear_worker(), rearm_all(), launch()
     batch_count[w] = 0;
     sleeping = sleeping & ~(1 << w);
#ifndef MUTATE_NO_REARM
     if
     :: !ready -> ready = 1
     :: ready
     fi;
#endif
#ifndef MUTATE_NOBODY_RUNG
     rung[0] = 1;
     rung[1] = 1;
#if WORKERS > 2
     rung[2] = 1;
#endif
#endif
     launch(w)
  od
}
#endif

proctype client() {
  byte mask, whom;
#ifndef PUBLISHED  // before any worker looked
  ready = 1;            // publish(): S2
  wake_one(CLIENT, 0);  // S3
#endif
#ifdef LATE
  d_step { done == 2 -> state[2] = QUEUED; state[3] = QUEUED }  // S1: two more, when the first two have ended
  if
  :: ready
  :: !ready -> ready = 1
  fi;
  wake_one(CLIENT, 0);
#endif
  done == JOBS
}

init {
  atomic {
#ifdef LATE
    state[2] = FREE; state[3] = FREE;
#endif
    run client();
#if CRASHES > 0
    run supervisor(); run killer();
#endif
    FOR_ALL_WORKERS(RUN_WORKER)
  }
}

ltl all_end { <> (done == JOBS) }
