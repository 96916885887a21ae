#include "daemon/registry/journal.hpp"

#include <cstdint>
#include <random>

#include "tests/registry/registry.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;
using registry::Journal;

namespace {

std::vector<std::string> read_all(Segment& segment) {
  std::vector<std::string> bodies;
  auto journal = Journal::open(segment.bytes(), [&](std::string_view body) {
    bodies.emplace_back(body);
    return true;
  });
  REQUIRE_MESSAGE(journal.ok(), journal.error().line());
  return bodies;
}
Journal open(Segment& segment) {
  auto journal = Journal::open(segment.bytes(), [](std::string_view) { return true; });
  REQUIRE(journal.ok());
  return *journal;
}
std::string refusal(Segment& segment) {
  auto journal = Journal::open(segment.bytes(), [](std::string_view) { return true; });
  return journal.ok() ? "" : journal.error().line();
}
std::uint64_t& word(Segment& segment, std::size_t offset) {
  return *reinterpret_cast<std::uint64_t*>(segment.bytes().data() + offset);
}

}  // namespace

TEST_CASE("committed records come back in order, of any length") {
  Segment segment(8192);
  std::vector<std::string> written;
  {
    Journal journal = open(segment);
    for (std::size_t size : {0, 1, 7, 8, 9, 100}) {
      written.push_back(std::string(size, char('a' + size % 26)));
      journal.append(written.back());
    }
  }
  CHECK(read_all(segment) == written);
  open(segment).append("later");
  written.push_back("later");
  CHECK(read_all(segment) == written);
}

TEST_CASE("a snapshot takes the place of all records, but only with its commit") {
  Segment segment(8192);
  Journal journal = open(segment);
  for (int round = 0; round < 5; ++round) {
    journal.append("one");
    journal.begin_snapshot();
    CHECK(journal.add("state"));
    CHECK(read_all(segment).back() == "one");
    journal.commit_snapshot();
    CHECK(read_all(segment) == std::vector<std::string>{"state"});
    journal.append("two");
    CHECK(read_all(segment) == std::vector<std::string>{"state", "two"});
  }
}

TEST_CASE("what does not fit is known before it is written") {
  Segment segment(Journal::kSegmentMin);
  Journal journal = open(segment);
  int records = 0;
  while (journal.fits(100)) {
    journal.append(std::string(100, 'x'));
    ++records;
  }
  CHECK(records == int(journal.half_size() / Journal::record_size(100)));
  journal.begin_snapshot();
  CHECK_FALSE(journal.add(std::string(4000, 'x')));
  CHECK(read_all(segment).size() == std::size_t(records));
}

TEST_CASE("a segment of another version or size, or of something else, is refused with one line") {
  const std::string tail = "; it is left as it is";
  Segment segment(4096);
  open(segment).append("record");
  word(segment, 8) = 99;
  CHECK(refusal(segment) ==
        "registry segment: its version is 99, this registry reads version 1" + tail);
  word(segment, 8) = 1;
  word(segment, 16) = 8192;
  CHECK(refusal(segment) ==
        "registry segment: it says that it has 8192 bytes, but it has 4096" + tail);
  word(segment, 16) = 4096;
  CHECK(refusal(segment).empty());
  word(segment, 0) ^= 1;
  CHECK(refusal(segment) ==
        "registry segment: it does not begin with the registry's magic number" + tail);
  word(segment, 0) = 0;
  CHECK(refusal(segment) == "registry segment: it has records but no magic number" + tail);
  Segment small(2048);
  CHECK(refusal(small) == "registry segment: it is smaller than 4096 bytes" + tail);
}

TEST_CASE("every single bit that flips in what is committed is seen") {
  Segment segment(4096);
  Journal journal = open(segment);
  for (int i = 0; i < 5; ++i) journal.append("record " + std::to_string(i));
  const std::size_t end = 128 + journal.used();
  for (std::size_t bit = 0; bit < end * 8; ++bit) {
    // Bytes between the header's fields carry nothing.
    const std::size_t byte = bit / 8;
    if ((byte >= 24 && byte < 64) || (byte >= 72 && byte < 128)) continue;
    segment.bytes()[byte] ^= std::byte(1 << bit % 8);
    CHECK_MESSAGE(!refusal(segment).empty(), "bit ", bit);
    segment.bytes()[byte] ^= std::byte(1 << bit % 8);
  }
  CHECK(refusal(segment).empty());
}

TEST_CASE("random damage to a segment is refused, or does not touch what is committed") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  Registry r({}, 16 * 1024);
  for (int i = 0; i < 20; ++i) {
    const std::string key = "key " + std::to_string(i % 7);
    r.ask(1, keyed(on(Op::dict_set, "d"), key, "value"), std::uint64_t(i + 1));
    r.ask(2, valued(on(Op::queue_put, "q"), key), std::uint64_t(i + 1), 3);
    r.ask(2, valued(on(Op::list_append, "l"), key));
  }
  r.ask(3, flagged(on(Op::queue_get, "q"), kLease));
  const std::string before = r.engine->dump();
  const std::vector<std::byte> whole(r.segment().begin(), r.segment().end());
  int refused = 0, intact = 0;
  for (int round = 0; round < 20'000; ++round) {
    const std::size_t count = 1 + random() % 4;
    for (std::size_t i = 0; i < count; ++i) {
      r.segment()[random() % (random() % 2 == 0 ? 256 : whole.size())] = std::byte(random());
    }
    auto opened = Engine::open(r.segment(), {}, r.now, 1);
    if (opened.ok()) {
      ++intact;
      // Zeroes in place of the magic number and the first record are a fresh segment.
      CHECK((*opened)->dump() == before);
    } else {
      ++refused;
      CHECK(opened.error().line().starts_with("registry segment: "));
    }
    std::copy(whole.begin(), whole.end(), r.segment().begin());
  }
  CHECK(refused > 1000);
  CHECK(intact > 1000);
}

TEST_CASE("records that pass their checksum and make no sense are refused, never followed") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  Registry r({}, 64 * 1024);
  for (int i = 0; i < 12; ++i) {
    const std::string key = "key " + std::to_string(i % 5);
    r.ask(1, keyed(on(Op::dict_set, "d"), key, "value"), std::uint64_t(i + 1));
    r.ask(1, keyed(on(Op::dict_remove, "d"), key));
    r.ask(2, valued(on(Op::queue_put, "q"), key), std::uint64_t(i + 1), 3);
    r.ask(2, flagged(on(Op::queue_get, "q"), i % 2 == 0 ? unsigned(kLease) : 0u));
    r.ask(2, with(on(Op::queue_task_done, "q"), 1));
    r.ask(2, valued(on(Op::list_append, "l"), key));
    r.ask(2, valued(on(Op::list_insert, "l"), key));
    r.ask(2, on(Op::list_pop, "l"));
    r.ask(2, with(on(Op::counter_add, "c"), 4));
    r.ask(4, flagged(on(Op::event_set, "e"), kEphemeral));
    r.ask(4, flagged(on(Op::semaphore_release, "s"), kEphemeral));
    if (i % 4 == 3) r.end(4);
    if (i % 6 == 5) r.end(2);
  }
  std::vector<std::string> bodies;
  const auto whole = Journal::open(r.segment(), [&](std::string_view body) {
    bodies.emplace_back(body);
    return true;
  });
  REQUIRE(whole.ok());
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    Segment segment(64 * 1024);
    {
      Journal journal = open(segment);
      const std::size_t victim = random() % bodies.size();
      for (std::size_t i = 0; i < bodies.size(); ++i) {
        std::string body = bodies[i];
        if (i == victim) {
          for (std::size_t k = 0; k <= random() % 3; ++k)
            body[random() % body.size()] = char(random());
          if (random() % 4 == 0) body.resize(random() % body.size());
        }
        if (random() % 200 == 0) continue;  // lost
        journal.append(body);
      }
    }
    auto opened = Engine::open(segment.bytes(), {}, r.now, 1);
    if (opened.ok()) {
      // Then it is a registry that works.
      (*opened)->session_ended(2, r.now);
      (*opened)->tick(kNoDeadline - 1);
      (*opened)->commit();
    } else {
      ++refused;
    }
  }
  CHECK(refused > 1000);
}
