// common/completion_queue.hpp, Worker::complete and Channel::Impl::reap, rescan, announce: how a
// result finds its client.
//
// Modelled: workers that make a slot DONE, publish its word at the first empty cell from a tail that
// is only a hint, move the tail once per batch, and ring the client when the position that it waits
// for is reached; laps; a client that waits for one or several completions, reaps words, rescans its
// slots, uses them again; workers killed at any step; recovery that raises `rescan` and rings.
// Abstract: how a worker gets a job (it takes a QUEUED slot in one step).
//
// Checked: a job ends exactly once at its client, and every job does; the queue never looks broken
// and never overflows (CAP is what invariant 3 asks for: slots + workers).
//
//run      -DSLOTS=2 -DCAP=4 -DJOBS=2 -DCRASHES=1
//run      -DWORKERS=1 -DSLOTS=1 -DCAP=2 -DJOBS=4 -DCRASHES=3
//live     -DWORKERS=1 -DSLOTS=2 -DCAP=4 -DJOBS=2 -DCRASHES=1
//more     -DSLOTS=2 -DCAP=4 -DJOBS=3 -DCRASHES=1
//morelive -DSLOTS=2 -DCAP=4 -DJOBS=2 -DCRASHES=1
#include "common.pml"

#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef CAP
#define CAP 4
#endif
#ifndef JOBS
#define JOBS 3
#endif
#define LAST (SLOTS - 1)

byte state[SLOTS], owner[SLOTS], generation[SLOTS];
byte cell_lap[CAP], cell_word[CAP];  // CompletionWord; word: generation * 2 + slot
byte tail, head;
byte waiting;  // WaitingWord: the position waited for, 0: none
bit rescan;
bit rung;  // the client's eventfd

byte ended;  // ghost: jobs that ended at the client

#define lap_of(position) ((position) / CAP + 1)
#define any(what) (state[0] == what || state[LAST] == what)
#define first(what) (state[0] == what -> 0 : LAST)

inline move_tail() {
  d_step {
    if
    :: tail < cursor -> tail = cursor
    :: else
    fi;
    unmoved = 0
  }
}

proctype worker(byte me) {
  byte cursor, s, word, seen;
  bit unmoved, reached;
end_start:
  {
    skip;
end_idle:
    do
    // The end of a batch. Work may come first: then it is still the same batch.
    :: unmoved -> move_tail()
    :: d_step { any(QUEUED) -> s = first(QUEUED); state[s] = RUNNING; owner[s] = me; generation[s]++ }
       // Worker::complete()
#ifndef MUTATE_PUBLISH_BEFORE_DONE
       d_step { state[s] = DONE; owner[s] = 0; generation[s]++; word = generation[s] * 2 + s; s = 0 }
#else
       d_step { word = (generation[s] + 1) * 2 + s }
#endif
       // CompletionProducer::publish()
       seen = tail;
       d_step {
         if
         :: seen > cursor -> cursor = seen
         :: else
         fi;
         seen = 0
       }
       do
       :: d_step { cell_lap[cursor % CAP] == lap_of(cursor) - 1 ->  // empty: CAS
#ifdef MUTATE_TAIL_IS_TRUSTED
            cursor = tail;
#endif
            cell_lap[cursor % CAP] = lap_of(cursor); cell_word[cursor % CAP] = word;
            cursor++; word = 0; unmoved = 1
          }
          break
#ifndef MUTATE_NO_STEP_OVER_FILLED
       :: d_step { cell_lap[cursor % CAP] == lap_of(cursor) -> cursor++ }
#endif
       :: d_step { cell_lap[cursor % CAP] != lap_of(cursor) &&
                   cell_lap[cursor % CAP] != lap_of(cursor) - 1 ->
            seen = tail;
#ifndef MUTATE_HEAD_IS_NO_FLOOR
            seen = (head > seen -> head : seen);
#endif
            assert(seen > cursor);  // else the channel is reported as broken
            cursor = seen; seen = 0
          }
       od;
#ifdef MUTATE_PUBLISH_BEFORE_DONE
       skip;
       d_step { state[s] = DONE; owner[s] = 0; generation[s]++; s = 0 }
#endif
       reached = (waiting != 0 && cursor >= waiting);
       if
       :: !reached
       :: reached ->
          reached = 0;
#ifndef MUTATE_CLIENT_NOT_RUNG
          if
          :: d_step { waiting != 0 -> waiting = 0 }  // exchange: whoever turns it to 0 rings
             rung = 1
          :: waiting == 0
          fi
#endif
       fi
    od
  } unless {
    d_step {
      killed[me];
      cursor = 0; s = 0; word = 0; seen = 0; unmoved = 0; reached = 0;
      dead[me] = 1
    }
  };
end_down:
  !dead[me] && !down[me];
  goto end_start
}

proctype supervisor() {
  byte w;
end:
  do
  :: d_step { some_dead ->
       do
       :: !dead[w] -> w++
       :: else -> break
       od;
       // RUNNING of the dead waits again: retry.pml has the steps.
       if
       :: state[0] == RUNNING && owner[0] == w -> state[0] = QUEUED; owner[0] = 0; generation[0]++
       :: else
       fi;
       if
       :: state[LAST] == RUNNING && owner[LAST] == w ->
          state[LAST] = QUEUED; owner[LAST] = 0; generation[LAST]++
       :: else
       fi
     }
#ifndef MUTATE_NO_RESCAN
     rescan = 1;
#endif
#ifndef MUTATE_NOBODY_RUNG
     rung = 1;
#endif
     launch(w)
  od
}

// Channel::Impl::complete(): the slot is held, DONE, until the next reap.
inline complete(s) {
  outstanding = outstanding & ~(1 << s);
  held = held | (1 << s);
  ended++;
  assert(state[s] == DONE)
}

#define number(set) (((set) & 1) + ((set) >> 1))

proctype client() {
  byte submitted, position, word, wanted, s;
  byte outstanding, held;  // a bit per slot
  bit took, up;
  do
  :: d_step { ended == JOBS -> held = 0 }
     break
  // put(), publish()
  :: d_step { submitted < JOBS && any(FREE) ->
       s = first(FREE);
       state[s] = QUEUED; generation[s]++; outstanding = outstanding | (1 << s);
       submitted++; s = 0
     }
  :: ended < JOBS && (outstanding != 0 || held != 0) ->
     // reap(): release_held(), the words, publish_head(), rescan()
     d_step {
       if
       :: held & 1 -> state[0] = FREE; generation[0]++
       :: else
       fi;
       if
       :: held & 2 -> state[LAST] = FREE; generation[LAST]++
       :: else
       fi;
       held = 0
     }
     do
     :: d_step { cell_lap[position % CAP] == lap_of(position) ->
          word = cell_word[position % CAP]; position++; took = 1;
          // Its job may have been found by a rescan: then the generation is another by now.
          if
#ifdef MUTATE_WORDS_ARE_TRUSTED
          :: true ->
#else
          :: (outstanding & (1 << (word % 2))) && state[word % 2] == DONE &&
             generation[word % 2] == word / 2 ->
#endif
             s = word % 2;
             complete(s);
             s = 0
          :: else
          fi;
          word = 0
        }
     :: cell_lap[position % CAP] != lap_of(position) -> break
     od;
     if
     :: d_step { took -> took = 0; head = position }
     :: !took
     fi;
     if
     :: !rescan
     :: rescan ->
        if
        :: cell_lap[position % CAP] == lap_of(position)  // next time
        :: cell_lap[position % CAP] != lap_of(position) ->
#ifndef MUTATE_RESCAN_CLEARED_AFTER_LOOK
           rescan = 0;
#endif
           if
           :: d_step { (outstanding & 1) && state[0] == DONE -> complete(0) }
           :: d_step { !((outstanding & 1) && state[0] == DONE) -> skip }
           fi;
           if
           :: d_step { (outstanding & 2) && state[LAST] == DONE -> complete(LAST) }
           :: d_step { !((outstanding & 2) && state[LAST] == DONE) -> skip }
           fi;
#ifdef MUTATE_RESCAN_CLEARED_AFTER_LOOK
           rescan = 0
#endif
        fi
     fi;
     if
     :: held != 0 || outstanding == 0  // there was something: no need to wait
     :: held == 0 && outstanding != 0 ->
        // announce(): for one, or for all that is under way
        if
        :: wanted = 1
        :: wanted = number(outstanding)
        fi;
#ifdef MUTATE_LOOK_BEFORE_ANNOUNCE
        up = (cell_lap[(position + wanted - 1) % CAP] == lap_of(position + wanted - 1) || rescan);
        waiting = position + wanted;
#else
        waiting = position + wanted;
        up = (cell_lap[(position + wanted - 1) % CAP] == lap_of(position + wanted - 1));
        up = (up || rescan);
#endif
        if
        :: d_step { up -> up = 0; wanted = 0 }
        :: !up ->
           d_step { rung -> rung = 0; wanted = 0 }  // asleep; no valid end
        fi;
        waiting = 0  // awake()
     fi
  od
}

init {
  atomic {
    run client(); run supervisor(); run killer();
    FOR_ALL_WORKERS(RUN_WORKER)
  }
}

ltl all_end { <> (ended == JOBS) }
