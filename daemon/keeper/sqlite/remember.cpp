// What is remembered with a turn: in a row of its own, or, so that the smallest of turns writes one
// page and not two, in the pack of the job that the turn has submitted.
//
// Which of both is newer: each turn that writes the row says in it how many ids there were, and a
// pack is newer than that if its first id was given out since. Only the newest pack of all is
// asked. So what is in a pack is there until another one is made, or its jobs have gone: nothing
// but what is remembered until the next turn may be in one.
#include "daemon/keeper/sqlite/engine.hpp"

namespace jobring::keeper {

void SqliteStore::remember(std::string_view record, Until until) {
  if (!working()) return;
  if (until == Until::next_turn && packs_.remember(record)) return;
  put_record_.bind(1, std::int64_t(next_job_)).bind(2, record).run();
}

Result<std::string> SqliteStore::remembered() {
  std::string record;
  JobId ids = 0;
  if (get_record_.step()) {
    ids = JobId(get_record_.number(0));
    record = get_record_.bytes(1);
    get_record_.reset();
  }
  if (const auto newest = packs_.newest();
      newest && newest->first >= ids && !newest->record.empty())
    record = newest->record;
  return reading(std::move(record));
}

}  // namespace jobring::keeper
