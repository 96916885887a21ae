// What clients and the keeper say to each other: it comes out as it went in, and bytes that make
// no sense are refused.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include "common/keeper/messages.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::keeper;

namespace {

JobSpec full_spec() {
  JobSpec s;
  s.handler = "exec";
  s.payload = "payload with \0 in it";
  s.pool = "slow";
  s.name = "nightly";
  s.tags = {"a", "bb"};
  s.priority = -7;
  s.durability = Durability::batched;
  s.held = true;
  s.delay_ms = 5;
  s.run_at_ms = 1'700'000'000'000;
  s.deadline_ms = 1'800'000'000'000;
  s.timeout_ms = 90'000;
  s.retry = {3, 10, 1'000, 50, {1, -2, 75}};
  s.dependencies = {{42, After::any, false}, {0, After::success, true}};
  s.unique = {"key", UniqueUntil::time, 60'000, true};
  s.concurrency_key = "disk";
  s.concurrency_max = 2;
  s.keep_ms = 0;
  s.output_max = 1 << 20;
  s.array = Array{1, 100, 3, 10};
  return s;
}

void check_same(const JobSpec& a, const JobSpec& b) {
  CHECK(a.handler == b.handler);
  CHECK(a.payload == b.payload);
  CHECK(a.pool == b.pool);
  CHECK(a.name == b.name);
  CHECK(a.tags == b.tags);
  CHECK(a.priority == b.priority);
  CHECK(a.durability == b.durability);
  CHECK(a.held == b.held);
  CHECK(a.delay_ms == b.delay_ms);
  CHECK(a.run_at_ms == b.run_at_ms);
  CHECK(a.deadline_ms == b.deadline_ms);
  CHECK(a.timeout_ms == b.timeout_ms);
  CHECK(a.retry == b.retry);
  CHECK(a.dependencies == b.dependencies);
  CHECK(a.unique == b.unique);
  CHECK(a.concurrency_key == b.concurrency_key);
  CHECK(a.concurrency_max == b.concurrency_max);
  CHECK(a.keep_ms == b.keep_ms);
  CHECK(a.output_max == b.output_max);
  CHECK(a.array == b.array);
}

Request full_request(Op op) {
  Request r;
  r.op = op;
  r.flags = kComplete | kFollow;
  r.id = 12345;
  r.number = 7;
  r.offset = -9;
  r.size = 1 << 20;
  r.deadline_ns = kForever;
  r.signal = 15;
  r.verb = Verb::edit;
  r.which.ids = {{1, 2}, {5, kJobIdMax}};
  r.which.pool = "slow";
  r.which.states = 1u << int(JobState::dead) | 1u << int(JobState::held);
  r.which.tag = "a";
  r.which.name = "nightly";
  r.which.uid = 0;
  r.which.ended_before_ms = 17;
  r.edit = {-1, "fast", 500};
  r.text = "some text";
  r.cron = {"name", "*/5 * * * *", "Europe/Berlin", CatchUp::all, 1, 2, 3};
  r.jobs = {full_spec(), full_spec()};
  return r;
}

JobView full_view() {
  JobView v;
  v.id = 99;
  v.state = JobState::dead;
  v.attempts = 3;
  v.due_ms = -1;
  v.due_is_real = true;
  v.unmet = 2;
  v.stop_wanted = true;
  v.result_big = true;
  v.payload_big = true;
  v.spec = full_spec();
  v.last = Attempt{3, 4711, 10, 25, Outcome::crashed, 1, 11, 100, 200, 300, "tail"};
  v.result = "result";
  return v;
}

}  // namespace

TEST_CASE("a request comes out as it went in") {
  for (int op = 1; op <= kOpLast; ++op) {
    CAPTURE(op);
    const Request in = full_request(Op(op));
    const std::string bytes = encode(in);
    const auto out = decode_request(bytes);
    REQUIRE(out);
    CHECK(out->op == in.op);
    CHECK(out->flags == in.flags);
    CHECK(out->id == in.id);
    CHECK(out->number == in.number);
    CHECK(out->offset == in.offset);
    CHECK(out->size == in.size);
    CHECK(out->deadline_ns == in.deadline_ns);
    CHECK(out->signal == in.signal);
    CHECK(out->text == in.text);
    if (in.op == Op::apply) {
      CHECK(out->verb == in.verb);
      CHECK(out->edit.priority == in.edit.priority);
      CHECK(out->edit.pool == in.edit.pool);
      CHECK(out->edit.delay_ms == in.edit.delay_ms);
      CHECK(out->which.ids == in.which.ids);
      CHECK(out->which.pool == in.which.pool);
      CHECK(out->which.states == in.which.states);
      CHECK(out->which.tag == in.which.tag);
      CHECK(out->which.name == in.which.name);
      CHECK(out->which.uid == in.which.uid);
      CHECK(out->which.ended_before_ms == in.which.ended_before_ms);
    }
    if (in.op == Op::wait_any) CHECK(out->which.ids == in.which.ids);
    if (in.op == Op::cron_put) CHECK(out->cron == in.cron);
    if (in.op == Op::submit) {
      REQUIRE(out->jobs.size() == 2);
      check_same(out->jobs[1], in.jobs[1]);
    }
  }
}

TEST_CASE("answers come out as they went in") {
  const std::string bytes = encode(Reply{Status::full, kEnd, 17, -5, "no room"});
  const auto reply = decode_reply(bytes);
  REQUIRE(reply);
  CHECK(reply->status == Status::full);
  CHECK(reply->flags == kEnd);
  CHECK(reply->id == 17);
  CHECK(reply->number == -5);
  CHECK(reply->payload == "no room");

  JobRecord record;
  record.job = full_view();
  record.attempts = {*full_view().last, *full_view().last};
  record.waits_for = {1, 2, 3};
  record.progress = Progress{99, 5, 10, "halfway"};
  const std::string packed = encode_record(record);
  JobRecord out;
  REQUIRE(decode_record(packed, out));
  CHECK(out.job.id == 99);
  CHECK(out.job.state == JobState::dead);
  CHECK(out.job.attempts == 3);
  CHECK(out.job.due_ms == -1);
  CHECK(out.job.due_is_real);
  CHECK(out.job.unmet == 2);
  CHECK(out.job.stop_wanted);
  CHECK(out.job.result_big);
  CHECK(out.job.payload_big);
  check_same(out.job.spec, record.job.spec);
  REQUIRE(out.job.last);
  CHECK(out.job.last->tail == "tail");
  CHECK(out.job.result == "result");
  REQUIRE(out.attempts.size() == 2);
  CHECK(out.attempts[1].max_rss_kib == 300);
  CHECK(out.waits_for == record.waits_for);
  REQUIRE(out.progress);
  CHECK(out.progress->total == 10);
  CHECK(out.progress->text == "halfway");

  const std::vector<JobView> views{full_view(), full_view()};
  const std::string list = encode_views(views);
  std::vector<JobView> listed;
  REQUIRE(decode_views(list, listed));
  CHECK(listed.size() == 2);

  const std::vector<JobId> ids{3, 1, kJobIdMax};
  std::vector<JobId> told_ids;
  REQUIRE(decode_ids(encode_ids(ids), told_ids));
  CHECK(told_ids == ids);

  const std::vector<Event> events{{7, 8, 9, JobState::held, 1, 1000, "pool", "name", true}};
  const std::string told = encode_events(events);
  std::vector<Event> heard;
  REQUIRE(decode_events(told, heard));
  REQUIRE(heard.size() == 1);
  CHECK(heard[0].removed);
  CHECK(heard[0].state == JobState::held);
  CHECK(heard[0].name == "name");
}

TEST_CASE("the answers of a batch are short and come out one by one") {
  std::vector<Submitted> in;
  for (JobId id = 1; id <= 100'000; ++id) in.push_back({Submitted::Status::stored, id, 1, 0});
  in[500] = {Submitted::Status::duplicate, 3, 1, 0};
  in[501] = {Submitted::Status::stored, 502, 1, 77};
  in.push_back({Submitted::Status::stored, 200'000, 100, 0});
  const std::string bytes = encode_submitted(in);
  CHECK(bytes.size() < 100);
  std::vector<Submitted> out;
  REQUIRE(decode_submitted(bytes, out));
  REQUIRE(out.size() == in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    const bool same = out[i].status == in[i].status && out[i].id == in[i].id &&
                      out[i].count == in[i].count && out[i].replaced == in[i].replaced;
    if (!same) FAIL("answer ", i, " differs");
  }
}

TEST_CASE("bytes that make no sense are refused and never followed") {
  const std::uint64_t seed = test::seed_of_test();
  std::mt19937_64 random(seed);
  CAPTURE(seed);
  const std::string request = encode(full_request(Op::submit));
  for (std::size_t cut = 0; cut < request.size(); ++cut) {
    // A payload is what is left: only the last job's can be short and still make sense, but then
    // its record's length does not fit.
    CHECK_FALSE(decode_request(std::string_view(request).substr(0, cut)));
  }
  JobRecord record;
  record.job = full_view();
  record.attempts = {*full_view().last};
  record.waits_for = {1};
  const std::string packed = encode_record(record);
  for (int i = 0; i < 20'000; ++i) {
    std::string broken = i % 2 == 0 ? request : packed;
    for (int changes = 1 + int(random() % 4); changes > 0; --changes)
      broken[random() % broken.size()] = char(random());
    (void)decode_request(broken);
    JobRecord out;
    (void)decode_record(broken, out);
    std::vector<JobId> ids;
    if (decode_ids(broken, ids)) CHECK(ids.size() <= broken.size());
    std::vector<Submitted> answers;
    if (decode_submitted(broken, answers)) CHECK(answers.size() <= 1u << 24);
  }
}

TEST_CASE("a request that would take much more memory than it has bytes is refused") {
  JobSpec small;
  small.handler = "h";
  small.pool = "p";
  Request r;
  r.op = Op::submit;
  r.jobs.assign(kJobsMax, small);
  const std::string most = encode(r);
  CHECK(decode_request(most));
  CHECK(op_of(most) == Op::submit);
  r.jobs.push_back(small);
  const auto refused = decode_request(encode(r));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().line().find("100000 jobs") != std::string::npos);
  Request ranges;
  ranges.op = Op::apply;
  ranges.which.ids.assign(kRangesMax + 1, {1, 1});
  CHECK_FALSE(decode_request(encode(ranges)));
  CHECK_FALSE(op_of(""));
  CHECK_FALSE(op_of("\x01\x7f"));
}

TEST_CASE("a specification that no store should see is told in a line") {
  JobSpec fine;
  fine.handler = "echo";
  fine.pool = "default";
  CHECK(check_spec(fine).empty());
  const auto bad = [&](auto change) {
    JobSpec s = fine;
    change(s);
    return !check_spec(s).empty();
  };
  const std::string long_text(kNameMax + 1, 'x');
  CHECK(bad([](JobSpec& s) { s.handler = ""; }));
  CHECK(bad([&](JobSpec& s) { s.handler = long_text; }));
  CHECK(bad([](JobSpec& s) { s.pool = ""; }));
  CHECK(bad([](JobSpec& s) { s.pool = "@keeper"; }));
  CHECK(bad([&](JobSpec& s) { s.name = long_text; }));
  CHECK(bad([&](JobSpec& s) { s.tags = {long_text}; }));
  CHECK(bad([](JobSpec& s) { s.tags = {""}; }));
  CHECK(bad([](JobSpec& s) { s.tags.assign(kTagsMax + 1, "t"); }));
  CHECK(bad([](JobSpec& s) { s.timeout_ms = 1ull << 32; }));
  CHECK(bad([](JobSpec& s) { s.delay_ms = ~0ull; }));
  CHECK(bad([](JobSpec& s) { s.run_at_ms = -1; }));
  CHECK(bad([](JobSpec& s) { s.retry.jitter_percent = 101; }));
  CHECK(bad([](JobSpec& s) { s.concurrency_key = "k"; }));
  CHECK(bad([](JobSpec& s) { s.unique = {"k", UniqueUntil::time, 0, false}; }));
  CHECK(bad([](JobSpec& s) { s.array = Array{1, 2, 0, 0}; }));
  CHECK(bad([](JobSpec& s) { s.array = Array{2, 1, 1, 0}; }));
}
