#include "daemon/crash_list.hpp"

#include <doctest/doctest.h>

using namespace jobring;

namespace {

CrashedJob job(const std::string& handler, bool quarantined) {
  CrashedJob j;
  j.handler = handler;
  j.quarantined = quarantined;
  return j;
}

}  // namespace

TEST_CASE("the list of crashed jobs is bounded and keeps the latest") {
  CrashList list;
  for (int i = 0; i < 100; ++i) list.add(job(std::to_string(i), false));
  REQUIRE(list.jobs().size() == CrashList::kKept);
  CHECK(list.jobs().front().handler == "68");
  CHECK(list.jobs().back().handler == "99");
  CHECK(list.quarantined() == 0);
}

TEST_CASE("a flood of ordinary crashes does not push out the quarantined jobs") {
  CrashList list;
  list.add(job("poison", true));
  for (int i = 0; i < 100; ++i) list.add(job(std::to_string(i), false));
  CHECK(list.jobs().size() == CrashList::kKept);
  CHECK(list.jobs().front().handler == "poison");
  CHECK(list.jobs().back().handler == "99");
  // A flood of quarantined ones does.
  for (int i = 0; i < 100; ++i) list.add(job("q" + std::to_string(i), true));
  CHECK(list.jobs().size() == CrashList::kKept);
  CHECK(list.jobs().front().handler == "q68");
  CHECK(list.quarantined() == 101);
}

TEST_CASE("the newest is never the one that goes") {
  CrashList list;
  for (std::size_t i = 0; i < CrashList::kKept; ++i) list.add(job("poison", true));
  list.add(job("last", false));
  CHECK(list.jobs().size() == CrashList::kKept);
  CHECK(list.jobs().back().handler == "last");
}
