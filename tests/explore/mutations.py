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
    kept: str = ""  # why it stays, if nothing fails without it


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
         "if (!ring_bell(channel.client_event, channel.own_bell) && errno == EBADF)\n"
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
         "cursor_ = std::max(cursor_, lines_->head.load(std::memory_order_relaxed));", ""),
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
    Step("requeued: no ready bit for what is left", "worker/claimer.cpp",
         "doorbell.page().set_ready(priority, bit);", "", after="count = claim_requeued"),
    Step("requeued: ring nobody for what is left", "worker/claimer.cpp",
         "if (workers_ > 1) wake_one();", "", after="count = claim_requeued"),
    Step("claim: ring nobody for what is left", "worker/claimer.cpp",
         "if (visit.left != 0 && idle_others) wake_one();", "",
         kept="of use only: whom the submitter rang looks for what is left (begin()), but later"),
    Step("begin: ring nobody for what was left while we slept", "worker/claimer.cpp",
         "if (std::exchange(woke_, false) && workers_ > 1 && others_sleep() && leaves_work()) "
         "wake_one();", ""),
    Step("begin: ring nobody for the list", "worker/claimer.cpp",
         "if (others_sleep()) wake_one();", "", after="mine_.batch_count.store"),
    Step("leaves_work: do not look at lists", "worker/claimer.cpp",
         "if (may_have_left(v)) return true;", "", after="bool Claimer::leaves_work"),
    Step("leaves_work: do not look at the retries", "worker/claimer.cpp",
         "channel->view.header().retries.load(std::memory_order_seq_cst) != 0) {", "false) {",
         after="bool Claimer::leaves_work"),
    Step("W4: do not look at lists", "worker/claimer.cpp",
         "if (may_have_left(v)) return true;", "", after="bool Claimer::work_in_sight"),
    Step("W5: keep the sleeping bit", "worker/claimer.cpp",
         "page_.sleeping[index_ / 64].fetch_and(~(std::uint64_t{1} << (index_ % 64)),\n"
         "                                        std::memory_order_seq_cst);", "",
         after="void Claimer::get_up"),
    Step("W3: not a new sleep", "worker/claimer.cpp",
         "mine_.sleep_epoch.load(std::memory_order_relaxed) + 1",
         "mine_.sleep_epoch.load(std::memory_order_relaxed) + 0"),
    Step("steal: whatever state the job is in", "worker/claimer.cpp",
         "if (!word.is(SlotState::claimed) || word.owner() != v + 1) continue;", ""),
    Step("rescan: put the flag down by a store", "client/channel_impl.cpp",
         "view_.header().rescan.exchange(0, std::memory_order_acquire);",
         "view_.header().rescan.load(std::memory_order_acquire), "
         "view_.header().rescan.store(0, std::memory_order_relaxed);"),
    Step("rescan: do not take the words that are there first", "client/channel_impl.cpp",
         "if (consumer_.ready()) return;  // next time", "",
         kept="keeps completions in their order; a word that comes after its slot was scanned is "
              "dropped by its generation anyway"),
    Step("rescan: do not go on in the next reap", "client/channel_impl.cpp",
         "view_.header().rescan.exchange(1, std::memory_order_relaxed);", ""),
    Step("rescan: say by a store that there is more", "client/channel_impl.cpp",
         "view_.header().rescan.exchange(1, std::memory_order_relaxed);",
         "view_.header().rescan.store(1, std::memory_order_seq_cst);"),
    Step("put: do not skip what was cancelled", "client/channel_impl.cpp",
         "[&](SubmissionWord word) { return view_.slot(word.index()).word() == word.queued(); });",
         "[&](SubmissionWord) { return true; });"),
    Step("kill: do not raise the request", "client/channel_impl.cpp",
         "view_.slot(job.slot).kill_request.store(1, std::memory_order_seq_cst);", ""),
    Step("open: do not look whether the client is gone", "worker/job_run.cpp",
         "channel_.view.header().closing.load(std::memory_order_seq_cst) == 2", "false"),
    Step("requeue_claimed: no retry bit", "daemon/recovery.cpp",
         "set_retry_bit(channel, index);", "", after="std::uint32_t requeue_claimed"),
    Step("requeue_claimed: do not raise retries", "daemon/recovery.cpp",
         "if (returned != 0) channel.header().retries.store(1, std::memory_order_seq_cst);", ""),
    Step("end_running: do not raise rescan", "daemon/recovery.cpp",
         "channel.header().rescan.store(1, std::memory_order_seq_cst);", "",
         after="bool end_running"),
    Step("fail_waiting: do not raise rescan", "daemon/recovery.cpp",
         "channel.header().rescan.store(1, std::memory_order_seq_cst);", "",
         after="std::uint32_t fail_waiting"),
    Step("recovery: keep the sleeping bit of the dead one", "daemon/recovery.cpp",
         "page.sleeping[index / 64].fetch_and(~(std::uint64_t{1} << (index % 64)),\n"
         "                                      std::memory_order_seq_cst);", ""),
    Step("progress: the version stays even", "common/job_note.hpp",
         "version_.store(odd, std::memory_order_relaxed);", ""),
    Step("progress: do not look at the version again", "common/job_note.hpp",
         "if (version_.load(std::memory_order_relaxed) != before) continue;", ""),
]

# Orders that may be weakened without the explorer seeing it, and why they stay: by file, text of the
# line, and step.
KEPT = {
    ("worker/claimer.cpp",
     "page_.sleeping[index_ / 64].fetch_and(~(std::uint64_t{1} << (index_ % 64)),",
     "seq_cst -> acq_rel"):
        "begin() looks at the others' sleeping bits before it looks for what is left, seq_cst and at "
        "this same word: that orders it as well. With more than 64 workers it may look at another "
        "word only",
    ("common/submission_ring.hpp", "head_seen_ = lines_->head.load(std::memory_order_acquire);",
     "acquire -> relaxed"):
        "without it the cell could be overwritten before the worker that moved the head has read it: "
        "its load would return a store of the future, which the explorer does not model",
    ("common/submission_ring.hpp",
     "std::uint64_t head = lines_->head.load(std::memory_order_acquire);", "acquire -> relaxed"):
        "without it the tail could be loaded before the head: the explorer's seq_cst loads take place "
        "in the program's order, after all loads before them",
}
