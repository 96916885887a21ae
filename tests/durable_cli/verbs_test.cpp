// Lists, selections and the verbs that change jobs, through a real daemon.
#include <algorithm>
#include <set>
#include <sstream>

#include "tests/durable_cli/shell.hpp"

using namespace jobring::test;
using Json = nlohmann::json;

namespace {

long lines(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

}  // namespace

TEST_CASE("list shows the newest first and says when there are more") {
  const Keeping jobring;
  std::string batch;
  for (int i = 0; i < 60; ++i)
    batch += "{\"shell\":\"true\",\"name\":\"n" + std::to_string(i) + "\"}\n";
  REQUIRE_EQ(jobring({"submit", "--batch", "-", "--hold", "--no-env"}, batch).status, 0);
  const Said fifty = jobring({"list"});
  CHECK_EQ(fifty.status, 0);
  CHECK_EQ(lines(fifty.out), 51);
  CHECK(fifty.out.find("n59\n") < fifty.out.find("n58\n"));
  CHECK(fifty.err.find("more") != std::string::npos);
  const Said all = jobring({"list", "-n", "0", "-q"});
  CHECK_EQ(lines(all.out), 60);
  CHECK(all.err.empty());
  CHECK_EQ(Json::parse(jobring({"list", "--json", "-n", "5"}).out).size(), 5);
  CHECK_EQ(lines(jobring({"list", "-q", "-n", "60"}).out), 60);
  CHECK(jobring({"list", "-n", "60"}).err.empty());
  const Said sorted = jobring({"list", "-n", "2", "--sort", "name", "-o", "name"});
  CHECK_EQ(sorted.out, "NAME\nn0\nn1\n");
  CHECK_EQ(jobring({"list", "--sort", "nmae"}).status, 64);
}

TEST_CASE("jobs are selected by all that is said of them") {
  const Keeping jobring;
  const std::string a = jobring.submit({"--hold", "--tag", "x,y", "--name", "a", "true"});
  const std::string b = jobring.submit({"--hold", "--tag", "y", "--name", "b", "true"});
  const std::string c = jobring.submit({"true"});
  CHECK_EQ(jobring({"wait", c}).status, 0);
  const auto ids = [&](Words words) {
    words.insert(words.begin(), {"list", "-q", "-r"});
    const Said said = jobring(words);
    CHECK_EQ(said.status, 0);
    return said.out;
  };
  CHECK_EQ(ids({"--tag", "x"}), a + "\n");
  CHECK_EQ(ids({"--tag", "y"}), a + "\n" + b + "\n");
  CHECK_EQ(ids({"--tag", "y", "--name", "b"}), b + "\n");
  CHECK_EQ(ids({"--state", "succeeded"}), c + "\n");
  CHECK_EQ(ids({"--state", "held,succeeded"}), a + "\n" + b + "\n" + c + "\n");
  CHECK_EQ(ids({a + "-" + b}), a + "\n" + b + "\n");
  CHECK_EQ(ids({"last"}), c + "\n");
  CHECK_EQ(ids({"--pool", "none"}), "");
  CHECK_EQ(ids({"--older-than", "1h"}), "");
  CHECK_EQ(ids({"--since", "1h", "--state", "succeeded"}), c + "\n");
  CHECK_EQ(jobring({"list", "--state", "redy"}).status, 64);
}

TEST_CASE("verbs move jobs from state to state and refuse what makes no sense") {
  const Keeping jobring;
  const std::string id = jobring.submit({"--delay", "1h", "true"});
  CHECK_EQ(jobring.state(id), "delayed");
  CHECK_EQ(jobring({"hold", id}).status, 0);
  CHECK_EQ(jobring.state(id), "held");
  CHECK_EQ(jobring({"edit", "--priority", "-5", id}).status, 0);
  CHECK_EQ(jobring.show(id)["priority"], -5);
  CHECK_EQ(jobring({"release", id}).status, 0);
  CHECK_EQ(jobring.state(id), "delayed");
  CHECK_EQ(jobring({"bury", id}).status, 0);
  CHECK_EQ(jobring.state(id), "dead");
  CHECK_EQ(jobring({"wait", "-q", id}).status, 1);
  CHECK_EQ(jobring({"kick", id}).status, 0);
  CHECK_EQ(jobring({"wait", id}).status, 0);
  const Said late = jobring({"cancel", id});
  CHECK_EQ(late.status, 1);
  CHECK(one_line(late.err));
  CHECK(late.err.find("succeeded") != std::string::npos);
  CHECK_EQ(jobring({"retry", id}).status, 0);
  CHECK(eventually([&] { return jobring.show(id)["attempts"] == 2; }));
  CHECK_EQ(jobring({"wait", id}).status, 0);
  CHECK_EQ(jobring({"clear", id}).status, 0);
  CHECK_EQ(jobring({"show", id}).status, 65);
  CHECK_EQ(jobring({"cancel", id}).status, 65);
  CHECK_EQ(jobring({"cancel"}).status, 64);
  CHECK_EQ(jobring({"cancel", "--all", "1"}).status, 64);
  CHECK_EQ(jobring({"edit", id}).status, 64);
}

TEST_CASE("many jobs are not changed without a yes") {
  const Keeping jobring;
  for (int i = 0; i < 3; ++i) jobring.submit({"--hold", "--tag", "t", "true"});
  const Said refused = jobring({"cancel", "--tag", "t"});
  CHECK_EQ(refused.status, 64);
  CHECK(refused.err.find("3 jobs (3 held)") != std::string::npos);
  CHECK(refused.err.find("--yes") != std::string::npos);
  const Said dry = jobring({"cancel", "--tag", "t", "--dry-run"});
  CHECK_EQ(dry.status, 0);
  CHECK_EQ(dry.out, "would cancel 3 jobs (3 held)\n");
  CHECK_EQ(lines(jobring({"list", "-q", "--state", "held"}).out), 3);
  // Release is not destructive.
  CHECK_EQ(jobring({"hold", "--tag", "t"}).status, 0);
  CHECK_EQ(Json::parse(jobring({"cancel", "--tag", "t", "--yes", "--json"}).out)["changed"], 3);
  CHECK_EQ(lines(jobring({"list", "-q", "--state", "cancelled"}).out), 3);
  jobring.submit({"--hold", "true"});
  const Said cleared = jobring({"clear", "--all", "--yes"});
  CHECK_EQ(cleared.status, 0);
  CHECK_EQ(cleared.err, "jobring clear: 4 jobs cleared\n");
  CHECK_EQ(jobring({"list", "-q"}).out, "");
  CHECK_EQ(jobring({"clear", "--all", "--yes"}).status, 0);  // nothing fits: no error
}

TEST_CASE("a question on a terminal is answered by yes or by anything else") {
  const Keeping jobring;
  for (int i = 0; i < 2; ++i) jobring.submit({"--hold", "true"});
  const auto answer = [&](const std::string& word) {
    return jobring.shell("echo " + word + " | script -qefc \"$0 clear --all\" /dev/null");
  };
  answer("n");
  CHECK_EQ(lines(jobring({"list", "-q"}).out), 2);
  const Said yes = answer("y");
  CHECK(yes.out.find("clear 2 jobs (2 held)? [y/N]") != std::string::npos);
  CHECK_EQ(jobring({"list", "-q"}).out, "");
}

TEST_CASE("a running job is cancelled and killed") {
  const Keeping jobring;
  const std::string pid = jobring.file("pid");
  const std::string id = jobring.submit({"-c", sleeper(pid)});
  const pid_t command = pid_in(pid);
  CHECK_EQ(jobring({"cancel", id}).status, 0);
  CHECK_EQ(jobring({"wait", "-q", id}).status, 130);
  CHECK(eventually([&] { return !alive(command); }));
  const std::string other = jobring.submit({"--retries", "5", "-c", sleeper(jobring.file("pid2"))});
  pid_in(jobring.file("pid2"));
  CHECK_EQ(jobring({"kill", "-s", "9", other}).status, 0);
  CHECK_EQ(jobring({"wait", "-q", other}).status, 137);
  CHECK_EQ(jobring.show(other)["attempts"], 1);
  CHECK_EQ(jobring({"kill", other}).status, 1);
}

TEST_CASE("a pool is paused and resumed and drained") {
  const Keeping jobring;
  CHECK_EQ(jobring({"pause", "default"}).status, 0);
  const std::string id = jobring.submit({"true"});
  CHECK(jobring({"explain", id}).out.find("paused") != std::string::npos);
  CHECK_EQ(jobring({"wait", "--timeout", "50ms", "-q", id}).status, 124);
  CHECK(jobring({"status"}).out.find("paused") != std::string::npos);
  CHECK_EQ(jobring({"resume", "default"}).status, 0);
  CHECK_EQ(jobring({"wait", id}).status, 0);
  const std::string runs = jobring.submit({"-c", sleeper(jobring.file("pid"))});
  pid_in(jobring.file("pid"));
  const Said still = jobring({"drain", "--wait", "50ms", "default"});
  CHECK_EQ(still.status, 124);
  CHECK(still.err.find("1 job still runs") != std::string::npos);
  CHECK_EQ(jobring({"kill", runs}).status, 0);
  CHECK_EQ(jobring({"drain", "default"}).status, 0);
}

TEST_CASE("wait tells of several whether all succeeded") {
  const Keeping jobring;
  const std::string good = jobring.submit({"true"}), bad = jobring.submit({"-c", "exit 4"});
  CHECK_EQ(jobring({"wait", good, good}).status, 0);
  const Said mixed = jobring({"wait", good, bad});
  CHECK_EQ(mixed.status, 1);
  CHECK(mixed.err.find("job " + bad + ": exit 4") != std::string::npos);
  CHECK_EQ(jobring({"wait", "-q", bad}).status, 4);
  CHECK_EQ(jobring({"wait", "999999"}).status, 65);
  CHECK_EQ(jobring({"wait"}).status, 64);
}

TEST_CASE("a group is over when it is sealed and its jobs have ended") {
  const Keeping jobring;
  const std::string group = jobring.shell("$0 group new").out;
  const std::string id = group.substr(0, group.size() - 1);
  jobring.submit({"--group", id, "true"});
  jobring.submit({"--group", id, "false"});
  CHECK_EQ(jobring({"wait", "--timeout", "50ms", "-q", id}).status, 124);
  CHECK_EQ(jobring({"group", "seal", id}).status, 0);
  CHECK_EQ(jobring({"wait", "-q", id}).status, 1);
  const Json shown = Json::parse(jobring({"group", "show", "--json", id}).out);
  CHECK_EQ(shown["size"], 2);
  CHECK_EQ(shown["bad"], 1);
  CHECK_EQ(jobring({"submit", "--group", id, "true"}).status, 65);
  CHECK_EQ(jobring({"group", "sael", id}).status, 64);
}

TEST_CASE("events tell what happened and what happens") {
  const Keeping jobring;
  const std::string id = jobring.submit({"--name", "seen", "true"});
  CHECK_EQ(jobring({"wait", id}).status, 0);
  const Said past = jobring({"events", "--json", "--name", "seen", "--state", "succeeded"});
  CHECK_EQ(past.status, 0);
  REQUIRE(one_line(past.out));
  const Json event = Json::parse(past.out);
  CHECK_EQ(std::to_string(event["id"].get<long>()), id);
  CHECK(event["sequence"].get<std::uint64_t>() > 0);
  const std::string out = jobring.file("events");
  const pid_t follower = spawn({program("jobring"), "events", "-f", "-c", "1", "--state", "dead",
                                "--socket", jobring.daemon().socket()},
                               out);
  // It may come too late for the first.
  CHECK(eventually([&] {
    jobring({"submit", "--wait", "false"});
    return !alive(follower);
  }));
  CHECK(read_file(out).find("\tdead\t") != std::string::npos);
  CHECK_EQ(wait_exit(follower), 0);
}

TEST_CASE("all jobs are listed if that is what is asked for") {
  const Keeping jobring;
  jobring.submit({"--array", "1-60", "--hold", "true"});
  const auto lines = [&](const std::vector<std::string>& words) {
    const Said said = jobring(words);
    CHECK_EQ(said.status, 0);
    return std::count(said.out.begin(), said.out.end(), '\n');
  };
  CHECK_EQ(lines({"list", "-q"}), 50);
  CHECK_EQ(lines({"list", "-q", "--all"}), 60);
  CHECK_EQ(lines({"list", "-q", "--all", "--sort", "id"}), 60);
  CHECK_EQ(lines({"list", "-q", "--all", "-n", "10"}), 10);
  CHECK_EQ(lines({"export", "--all"}), 60);
  CHECK_EQ(lines({"events", "--all"}), 60);
  CHECK_EQ(jobring({"list", "--all", "3"}).status, 64);
}

TEST_CASE("events are chosen as jobs are") {
  const Keeping jobring;
  const std::string red = jobring.submit({"--tag", "red", "--hold", "true"});
  const std::string array = jobring.submit({"--array", "1-3", "--hold", "true"});
  const std::string last = jobring.submit({"--tag", "blue", "--hold", "true"});
  using Ids = std::set<std::string>;
  const auto of = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"events", "--json"});
    const Said said = jobring(words);
    CHECK_EQ(said.status, 0);
    Ids ids;
    std::istringstream lines(said.out);
    for (std::string line; std::getline(lines, line);)
      ids.insert(std::to_string(Json::parse(line)["id"].get<long>()));
    return ids;
  };
  const auto plus = [&](int n) { return std::to_string(std::stol(array) + n); };
  CHECK(of({}) == Ids{red, plus(1), plus(2), plus(3), last});
  CHECK(of({red}) == Ids{red});
  CHECK(of({"last"}) == Ids{last});
  CHECK(of({plus(2) + "-" + last}) == Ids{plus(2), plus(3), last});
  CHECK(of({array}) == Ids{plus(1), plus(2), plus(3)});
  CHECK(of({"--group", array, "--state", "held"}) == Ids{plus(1), plus(2), plus(3)});
  CHECK(of({"--tag", "red"}) == Ids{red});
  CHECK(of({"--tag", "blue", "--state", "held"}) == Ids{last});
  CHECK(of({"--tag", "blue", "--state", "dead"}).empty());
  CHECK(of({"--tag", "green"}).empty());
  CHECK(of({"--user", std::to_string(geteuid()), red}) == Ids{red});
  CHECK(of({"--pool", "none"}).empty());
  CHECK_EQ(jobring({"events", "--older-than", "1d"}).status, 64);
  CHECK_EQ(jobring({"events", "word"}).status, 64);
  CHECK_EQ(jobring({"events", "--group", "999"}).status, 65);
}

TEST_CASE("jobs are exported as lines that people can read and come back as they were") {
  const Keeping from;
  const std::string done = from.submit({"--name", "done", "--", "sh", "-c", "exit 3"});
  CHECK_EQ(from({"wait", "-q", done}).status, 3);
  from.submit({"--hold", "--tag", "t", "--handler", "echo", "-"}, std::string("\0\xff", 2));
  const Said lines_of = from({"export"});
  CHECK_EQ(lines_of.status, 0);
  CHECK_EQ(lines(lines_of.out), 2);
  CHECK_EQ(Json::parse(lines_of.out.substr(0, lines_of.out.find('\n')))["name"], "done");
  const Keeping to;
  const Said imported = to({"import", "--json"}, lines_of.out);
  CHECK_EQ(imported.out, "{\"imported\":2,\"passed_over\":0}\n");
  CHECK_EQ(to({"wait", "-q", done}).status, 3);
  CHECK_EQ(to({"release", "--tag", "t"}).status, 0);
  CHECK_EQ(to({"wait", "last"}).status, 0);
  CHECK_EQ(to({"result", "last"}).out, std::string("\0\xff", 2));
  CHECK_EQ(to({"import", "--json"}, lines_of.out).out, "{\"imported\":0,\"passed_over\":2}\n");
  const Said wrong = to({"import"}, "{}\n");
  CHECK_EQ(wrong.status, 65);
  CHECK(wrong.err.find("stdin: line 1") != std::string::npos);
  // The same lines make new jobs.
  CHECK_EQ(lines(to({"submit", "--batch", "-"}, lines_of.out).out), 2);
}

TEST_CASE("cron entries are added shown run and removed") {
  const Keeping jobring;
  const Said added = jobring(
      {"cron", "add", "nightly", "30 2 * * *", "--retries", "2", "--", "echo", "by", "cron"});
  CHECK_EQ(added.status, 0);
  CHECK(added.out.find("02:30:00") != std::string::npos);
  CHECK_NE(jobring({"cron", "add", "nightly", "@daily", "true"}).status, 0);
  CHECK_EQ(
      jobring({"cron", "add", "--replace-entry", "nightly", "@daily", "echo", "by", "cron"}).status,
      0);
  const Json entries = Json::parse(jobring({"cron", "list", "--json"}).out);
  REQUIRE_EQ(entries.size(), 1);
  CHECK_EQ(entries[0]["schedule"], "@daily");
  CHECK_EQ(entries[0]["job"]["argv"], Json({"echo", "by", "cron"}));
  CHECK(jobring({"cron"}).out.find("nightly") != std::string::npos);
  const Said ran = jobring({"cron", "run", "nightly"});
  REQUIRE(one_line(ran.out));
  const std::string id = ran.out.substr(0, ran.out.size() - 1);
  CHECK_EQ(jobring({"wait", id}).status, 0);
  CHECK_EQ(jobring({"result", id}).out, "by cron\n");
  CHECK_EQ(jobring({"cron", "remove", "nightly"}).status, 0);
  CHECK_EQ(jobring({"cron", "remove", "nightly"}).status, 65);
  CHECK_EQ(jobring({"cron", "add", "bad", "61 * * * *", "true"}).status, 65);
  CHECK_EQ(jobring({"cron", "add", "bad"}).status, 64);
}

TEST_CASE("status counts durable jobs only where somebody keeps them") {
  const Keeping jobring;
  CHECK(jobring({"status"}).out.find("durable") == std::string::npos);
  CHECK(jobring({"status", "--json"}).out.find("@keeper") == std::string::npos);  // not started
  jobring.submit({"--hold", "true"});
  const Json status = Json::parse(jobring({"status", "--json"}).out);
  CHECK_EQ(status["durable"]["pools"][0]["held"], 1);
  CHECK(jobring({"status"}).out.find("durable jobs\n") != std::string::npos);
}

TEST_CASE("jobs go on after the daemon was killed and started again") {
  const TempDir state;
  const std::string more = R"(, "keeper": {"state_dir": ")" + state.path() + "\"}";
  std::string id;
  {
    const Daemon daemon(R"({"default": {"workers": 1}})", more);
    const Place place(daemon);
    id = place.jobring({"submit", "--hold", "echo", "still here"}).out;
    REQUIRE(one_line(id));
    id.pop_back();
  }
  const Daemon daemon(R"({"default": {"workers": 1}})", more);
  const Place place(daemon);
  CHECK_EQ(place.jobring({"release", id}).status, 0);
  CHECK_EQ(place.jobring({"wait", id}).status, 0);
  CHECK_EQ(place.jobring({"result", id}).out, "still here\n");
}
