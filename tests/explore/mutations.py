"""What mutate.py breaks besides memory orders, and the orders that the explorer cannot prove.

Steps: pieces of the product's source and what they are replaced by; each is a helping step, a second
look or a check that the comments call necessary.
"""

from dataclasses import dataclass


@dataclass
class Step:
    name: str
    file: str
    old: str
    new: str
    after: str = ""  # `old` is looked for behind this


STEPS = [
    Step("claim: do not ask who won the slot", "worker/claimer.cpp",
         "if (!view.slot(word.index()).move(queued, claimed)) return false;",
         "view.slot(word.index()).move(queued, claimed);"),
    Step("W2: do not look at the ring after clearing the ready bit", "worker/claimer.cpp",
         "if (channel->submissions[priority].backlog() == 0 &&", "if (",
         after="bool Claimer::settle_ready"),
    Step("W2: do not look at the retries after clearing the ready bit", "worker/claimer.cpp",
         "channel->view.header().retries.load(std::memory_order_seq_cst) == 0) {", "true) {",
         after="bool Claimer::settle_ready"),
    Step("W4: do not look again before sleeping", "worker/worker.cpp",
         "while (!claimer_.work_in_sight()) {", "while (true) {"),
    Step("run a job although it was stolen", "worker/worker.cpp",
         "return;  // stolen", "{}"),
    Step("complete: do not ring the client", "worker/completion.hpp",
         "if (!ring_bell(channel.client_event, channel.trusted) && errno == EBADF)\n"
         "      leave_without_descriptors();", ";"),
    Step("requeued: do not say that there may be more", "worker/claimer.cpp",
         "view.header().retries.store(1, std::memory_order_seq_cst);  // there may be more", ";"),
    Step("recovery: no retry bit", "daemon/recovery.cpp",
         "if (slot.word().is(SlotState::requeued)) set_retry_bit(channel, index);", ""),
    Step("recovery: do not raise retries", "daemon/recovery.cpp",
         "channel.header().retries.store(1, std::memory_order_seq_cst);", "",
         after="recover_channel("),
    Step("recovery: do not raise rescan", "daemon/recovery.cpp",
         "channel.header().rescan.store(1, std::memory_order_seq_cst);", "",
         after="recover_channel("),
    Step("recovery: do not set the ready bits", "daemon/recovery.cpp",
         "doorbell.set_ready(priority, ready_bit);", "(void)doorbell, (void)ready_bit;"),
    Step("recovery: leave what the dead one claimed", "daemon/recovery.cpp",
         "if (slot.move(word, word.to(SlotState::requeued))) ++recovered.requeued;", ""),
    Step("visit: do not help the head over taken slots", "common/submission_ring.hpp",
         "advance_to(lines_->head, position);", "if (seen.claimed) advance_to(lines_->head, position);"),
    Step("producer: overwrite cells that are not free", "common/submission_ring.hpp",
         "return next_ - head_seen_ > mask_;", "return false;"),
    Step("completion: do not step over a cell that another filled", "common/completion_queue.hpp",
         "++cursor_;  // filled", "// filled"),
    Step("completion: keep a view older than a lap", "common/completion_queue.hpp",
         "cursor_ = std::max(cursor_, tail);", ""),
    Step("completion: take what is not filled yet", "common/completion_queue.hpp",
         "if (next.lap() != lap()) return false;", ""),
    Step("S3: ring nobody", "client/channel_impl.cpp",
         "if (sleeper >= 0) ring(worker_events_[std::size_t(sleeper)].get());", "(void)sleeper;"),
    Step("S2: set no ready bit", "client/channel_impl.cpp",
         "doorbell_->set_ready(priority, info_.ready_bit);", ""),
    Step("announce: do not look again before sleeping", "client/channel_impl.cpp",
         "return !has_completions(wanted);", "return true;"),
    Step("reap: take a completion word at its word", "client/channel_impl.cpp",
         "local.outstanding && !local.unrun && done.announces(view_.slot(done.index()).word())",
         "local.outstanding || true"),
    Step("cancel: do not ask who won the slot", "client/channel_impl.cpp",
         "if (!slot.move(word, word.to(SlotState::done))) return false;",
         "slot.move(word, word.to(SlotState::done));"),
    Step("open: do not look whether the job is to be stopped", "worker/job_run.cpp",
         "slot_.kill_request.load(std::memory_order_seq_cst) != 0 ||", ""),
]

# Orders that may be weakened without the explorer seeing it, and why they stay: by file, text of the
# line, and step.
LOAD_BUFFERING = ("without it a cell could be read from the future, which the explorer does not "
                  "model (docs/reliability.md)")
KEPT = {
    ("common/submission_ring.hpp",
     "while (seen < target && !counter.compare_exchange_weak(seen, target, "
     "std::memory_order_release,", "release -> relaxed"): LOAD_BUFFERING,
    ("common/submission_ring.hpp", "head_seen_ = lines_->head.load(std::memory_order_acquire);",
     "acquire -> relaxed"): LOAD_BUFFERING,
    ("worker/claimer.cpp",
     "channel->view.header().retries.load(std::memory_order_seq_cst) != 0) {",
     "seq_cst -> acquire"):
        "of leaves_work(): a hint whether another worker may be of use; it costs nothing",
    ("common/slot.hpp",
     "return state.compare_exchange_strong(expected, to.raw(), order, std::memory_order_acquire);",
     "acquire -> relaxed"):
        "nobody uses what a failed move saw, but who does would need it, and it costs nothing",
}
