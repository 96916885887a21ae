// common/submission_ring.hpp: one producer, workers that claim before they pop, laps, deaths.
//
// Modelled: the ring at the level of single loads, stores and CASes. Positions grow for ever, cells
// are reused (position mod RING), so that a slow worker reads cells of a later lap. A worker may be
// killed at any step; then the supervisor requeues what the slots say was its.
// Abstract: wake-ups (a worker waits until there is something to see: doorbell.pml), how REQUEUED
// slots are found (retry.pml), and how the client learns of DONE (completions.pml).
//
// Checked: the head never passes a job that is still QUEUED; a channel never looks broken; a job
// is run by one worker at a time and ends once; all jobs end.
//
//run      -DJOBS=2 -DCRASHES=1 -DCANCELS=0
//run      -DJOBS=4 -DCRASHES=0 -DCANCELS=0
//check    -DJOBS=2 -DCRASHES=1 -DCANCELS=1
//check    -DJOBS=3 -DCRASHES=1 -DCANCELS=0
//live     -DJOBS=2 -DCRASHES=0 -DCANCELS=1
//more     -DJOBS=3 -DCRASHES=1 -DCANCELS=1
//more     -DJOBS=4 -DCRASHES=1 -DCANCELS=0
//morelive -DJOBS=2 -DCRASHES=1 -DCANCELS=0
#include "common.pml"

#ifndef JOBS
#define JOBS 4
#endif
#ifndef CANCELS
#define CANCELS 1
#endif
#define SLOTS 2
#define RING 2  // cells; the product too has as many as slots
#define WANT 2  // jobs that a worker claims in one visit

byte state[SLOTS], owner[SLOTS], generation[SLOTS];  // StateWord
byte cell[RING];                                     // SubmissionWord: generation * 2 + slot
byte head, tail;

// Ghosts: for the checks only.
byte put_at[JOBS];  // the word that was put at each position, 0 once the head is behind it
byte job_of[SLOTS];
bit ended[JOBS];
byte reaped;

#define any(what) (state[0] == what || state[1] == what)
#define first(what) (state[0] == what -> 0 : 1)
#define word_of(s) (generation[s] * 2 + (s))
#define is_live(word) (state[(word) % 2] == QUEUED && generation[(word) % 2] == (word) / 2)

// advance_to(): load, then CAS until the head is at least there. Tries that fail change nothing, so
// it is one step here.
inline advance_head(target) {
#ifdef MUTATE_HEAD_STORED_NOT_CASED
  seen = head;
  d_step {
    if
    :: seen < target -> head = target
    :: else
    fi;
    seen = 0
  }
#else
  d_step {
    do
    :: head < target ->
#ifndef MUTATE_POP_BEFORE_CLAIM
       // Invariant 2 of submission_ring.hpp: nothing that is QUEUED is ever behind the head.
       assert(!is_live(put_at[head]));
#endif
       put_at[head] = 0;
       head++
    :: else -> break
    od
  }
#endif
}

proctype client() {
  byte next, published, head_seen, cancels = CANCELS, s;
#ifdef MUTATE_HEAD_STORED_NOT_CASED
  byte seen;
#endif
  do
  :: reaped == JOBS -> break
  // SubmissionProducer::full(): only when it looks full is the head loaded.
  :: next - head_seen >= RING && head_seen != head -> head_seen = head
  // Channel::Impl::put(): the word's release store, then a cell, invisible until publish().
#ifdef MUTATE_PUT_WITHOUT_ROOM
  :: d_step { next < JOBS && any(FREE) ->
#else
  :: d_step { next < JOBS && any(FREE) && next - head_seen < RING ->
#endif
       s = first(FREE);
       job_of[s] = next;
       state[s] = QUEUED; generation[s]++;
       put_at[next] = word_of(s)
     }
#ifdef MUTATE_TAIL_BEFORE_CELL
     d_step { published = next + 1; tail = published }
#endif
     d_step { cell[next % RING] = put_at[next]; next++; s = 0 }
  :: d_step { next != published -> published = next; tail = published }  // publish()
  // skip_dead(), in a put() that finds no room: the head over cells whose jobs are gone.
  :: d_step { next < JOBS && any(FREE) && next - head_seen >= RING &&
              head != published && !is_live(cell[head % RING]) ->
       s = head + 1
     }
     advance_head(s);
     s = 0
  // cancel(): QUEUED (or REQUEUED) to DONE by CAS; the cell stays where it is.
  :: d_step { cancels > 0 && any(QUEUED) ->
       s = first(QUEUED);
       state[s] = DONE; generation[s]++; ended[job_of[s]] = 1;
       cancels--; s = 0
     }
  // reap() and release_held(): a DONE slot is the client's again.
  :: d_step { any(DONE) ->
       s = first(DONE);
       assert(ended[job_of[s]]);
       state[s] = FREE; generation[s]++; job_of[s] = 0; reaped++; s = 0
     }
  od
}

proctype worker(byte me) {
  byte h, t, pos, won, now, word;
  bit running;
  byte claim[WANT];  // words, CLAIMED
#ifdef MUTATE_HEAD_STORED_NOT_CASED
  byte seen;
#endif
end_start:
  {
end_idle:
    do
    :: d_step { won == 0 && any(REQUEUED) ->
         word = first(REQUEUED);
         state[word] = CLAIMED; owner[word] = me; generation[word]++;
         claim[0] = word_of(word); won = 1; word = 0
       }
    // SubmissionConsumer::visit()
    :: d_step { won == 0 && head != tail -> h = head }
       t = tail;
       if
       :: t - h > RING ->
          // Others may have moved on since we loaded the head.
#ifdef MUTATE_BROKEN_WITHOUT_SECOND_LOOK
          assert(false)
#else
          assert(head != h)
#endif
       :: else ->
          pos = h;
          do
          :: pos != t && won != WANT ->
#ifdef MUTATE_POP_BEFORE_CLAIM
             advance_head(pos + 1);
#endif
             word = cell[pos % RING];
             d_step {  // Slot::move: from QUEUED with this generation to CLAIMED(me)
               if
#ifdef MUTATE_CLAIM_WITHOUT_CAS
               :: true ->
#else
               :: is_live(word) ->
#endif
                  word = word % 2;
                  state[word] = CLAIMED; owner[word] = me; generation[word]++;
                  claim[won] = word_of(word); won++; pos++
               :: else ->
#ifdef MUTATE_NO_HELPING
                  t = pos  // what another has taken is not stepped over
#else
                  pos++
#endif
               fi;
               word = 0
             }
          :: else -> break
          od;
          advance_head(pos)
       fi;
       d_step { h = 0; t = 0; pos = 0 }
    // run_one(): each claim in its turn, CLAIMED to RUNNING to DONE.
    :: d_step { now < won && !running ->
         word = claim[now];
         assert(word_of(word % 2) == word && state[word % 2] == CLAIMED && owner[word % 2] == me);
         word = word % 2;
         assert(!ended[job_of[word]]);
         state[word] = RUNNING; generation[word]++;
         running = 1; word = 0
       }
    :: d_step { running ->
         word = claim[now] % 2;
         assert(state[word] == RUNNING && owner[word] == me);
         state[word] = DONE; owner[word] = 0; generation[word]++; ended[job_of[word]] = 1;
         word = 0; running = 0; claim[now] = 0; now++;
         if
         :: now == won -> won = 0; now = 0
         :: else
         fi
       }
    od
  } unless {
    d_step {
      killed[me];
      h = 0; t = 0; pos = 0; won = 0; now = 0; word = 0; running = 0; claim[0] = 0; claim[1] = 0;
#ifdef MUTATE_HEAD_STORED_NOT_CASED
      seen = 0;
#endif
      dead[me] = 1
    }
  };
end_down:
  !dead[me] && !down[me];
  goto end_start
}

// recovery.cpp: CLAIMED and RUNNING of the dead to REQUEUED; then it may start again. One step here,
// its own steps are those of retry.pml.
proctype supervisor() {
  byte w, s;
end:
  do
  :: d_step { some_dead ->
       do
       :: !dead[w] -> w++
       :: else -> break
       od;
       do
       :: s < SLOTS && (state[s] == CLAIMED || state[s] == RUNNING) && owner[s] == w ->
          state[s] = REQUEUED; owner[s] = 0; generation[s]++
       :: s < SLOTS && !((state[s] == CLAIMED || state[s] == RUNNING) && owner[s] == w) -> s++
       :: else -> break
       od;
       s = 0
     }
     launch(w)
  od
}

init {
  atomic {
    run client(); run supervisor(); run killer();
    FOR_ALL_WORKERS(RUN_WORKER)
  }
}

ltl all_end { <> (reaped == JOBS) }
