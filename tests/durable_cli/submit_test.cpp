// jobring submit and what is seen of its jobs, through a real daemon.
#include "tests/durable_cli/shell.hpp"

using namespace jobring::test;
using Json = nlohmann::json;

TEST_CASE("submit prints the id and nothing else and the job runs where and as we are") {
  const Keeping jobring;
  const std::string id = jobring.submit({"-c", "pwd; echo $COLOUR; umask; cat; exit 3"});
  CHECK(id.find_first_not_of("0123456789") == std::string::npos);
  CHECK_EQ(jobring({"wait", id}).status, 3);
  const Json job = jobring.show(id);
  CHECK_EQ(job["state"], "dead");
  CHECK_EQ(job["status"], 3);
  CHECK_EQ(job["last"]["exit_code"], 3);
  CHECK_EQ(job["attempts"], 1);
  const Said in =
      jobring.shell("umask 027; cd / && COLOUR=blue $0 submit -c 'pwd; echo $COLOUR; umask; cat'");
  CHECK_EQ(in.status, 0);
  CHECK_EQ(jobring({"wait", "last"}).status, 0);
  CHECK_EQ(jobring({"logs", "last"}).out, "/\nblue\n0027\n");
}

TEST_CASE("words are a command of their own and are not a shell's") {
  const Keeping jobring;
  const std::string id = jobring.submit({"printf", "%s|", "a b", "--pool", "$HOME"});
  CHECK_EQ(jobring({"wait", id}).status, 0);
  CHECK_EQ(jobring({"result", id}).out, "a b|--pool|$HOME|");
  CHECK_EQ(jobring({"submit", "--pool"}).status, 64);
  CHECK_EQ(jobring({"submit"}).status, 64);
  CHECK_EQ(jobring({"submit", "--wait", "--", "no-such-command"}).status, 127);
}

TEST_CASE("submit waits and exits as the job does") {
  const Keeping jobring;
  const Said waited = jobring({"submit", "--wait", "-c", "exit 7"});
  CHECK_EQ(waited.status, 7);
  CHECK(one_line(waited.out));
  CHECK_EQ(jobring({"submit", "--wait", "-c", "kill -KILL $$"}).status, 137);
  CHECK_EQ(jobring({"submit", "--wait", "--timeout", "50ms", "sleep", "1000"}).status, 124);
  const Said json = jobring({"submit", "--wait", "--json", "true"});
  CHECK_EQ(json.status, 0);
  CHECK(json.out.find("\"status\":\"stored\"") != std::string::npos);
  CHECK(json.out.find("\"state\":\"succeeded\"") != std::string::npos);
}

TEST_CASE("submit waits for a job that is forgotten when it succeeds") {
  const Keeping jobring;
  for (int i = 0; i < 20; ++i) {
    CHECK_EQ(jobring({"submit", "--keep", "0", "--wait", "true"}).status, 0);
  }
  CHECK_EQ(jobring({"submit", "--keep", "0", "--wait", "-c", "exit 3"}).status, 3);
  CHECK_EQ(jobring({"list", "-q", "--state", "succeeded"}).out, "");
  CHECK_EQ(jobring({"submit", "--keep", "0", "--follow", "true"}).status, 64);
}

TEST_CASE("submit follows the output of all attempts on both streams") {
  const Keeping jobring;
  const Said followed = jobring({"submit", "--follow", "--retries", "1", "--backoff", "10ms", "-c",
                                 "echo out $JOBRING_ATTEMPT; echo err >&2; exit 5"});
  CHECK_EQ(followed.status, 5);
  CHECK_EQ(followed.out, "out 1\nout 2\n");
  CHECK(followed.err.find("err\n") != std::string::npos);
  CHECK(followed.err.find("err\n") != followed.err.rfind("err\n"));
}

TEST_CASE("output is seen while the command runs") {
  const Keeping jobring;
  const std::string gate = jobring.file("gate");
  const std::string id = jobring.submit(
      {"-c", "echo first; while [ ! -e " + gate + " ]; do sleep 0.01; done; echo last"});
  CHECK(eventually([&] { return jobring({"logs", id}).out == "first\n"; }));
  const std::string out = jobring.file("followed");
  const pid_t follower =
      spawn({program("jobring"), "logs", "-f", id, "--socket", jobring.daemon().socket()}, out);
  CHECK(eventually([&] { return read_file(out) == "first\n"; }));
  write_file(gate, "");
  CHECK_EQ(wait_exit(follower), 0);
  CHECK_EQ(read_file(out), "first\nlast\n");
  CHECK_EQ(jobring({"logs", "--tail", "1", id}).out, "last\n");
}

TEST_CASE("the last lines of a long output are found") {
  const Keeping jobring;
  const std::string id = jobring.submit({"seq", "1", "100000"});
  CHECK_EQ(jobring({"wait", id}).status, 0);
  CHECK_EQ(jobring({"logs", id}).out, numbers(1, 100000));
  CHECK_EQ(jobring({"logs", "--tail", "3", id}).out, numbers(99998, 100000));
  CHECK_EQ(jobring({"logs", "--tail", "50000", id}).out, numbers(50001, 100000));
  CHECK_EQ(jobring({"logs", "--tail", "0", id}).out, "");
  CHECK_EQ(jobring({"logs", "--tail", "200000", id}).out, numbers(1, 100000));
  CHECK_EQ(jobring({"result", id}).out, numbers(1, 100000));
}

TEST_CASE("interrupting a follower leaves the job alone and tells the way back") {
  const Keeping jobring;
  const std::string out = jobring.file("out");
  const pid_t follower = spawn({program("jobring"), "submit", "--socket", jobring.daemon().socket(),
                                "--follow", "-c", "echo here; exec sleep 1000"},
                               out);
  REQUIRE(eventually([&] { return read_file(out).find("here") != std::string::npos; }));
  kill(follower, SIGINT);
  CHECK_EQ(wait_exit(follower), 130);
  CHECK(read_file(out).find("jobring logs -f") != std::string::npos);
  CHECK_EQ(jobring.show("last")["state"], "running");
  CHECK_EQ(jobring({"kill", "-s", "KILL", "last"}).status, 0);
  CHECK_EQ(jobring({"wait", "last"}).status, 137);
}

TEST_CASE("a script brings its own options and the command line wins") {
  const Keeping jobring;
  const std::string script = jobring.file("nightly.sh");
  write_file(
      script,
      "#!/bin/sh\n#JOBRING --name 'my script' --priority 7\n#JOBRING --tag a,b\necho $0 $1\n");
  const std::string id = jobring.submit({"--priority", "9", "--tag", "c", script, "word"});
  CHECK_EQ(jobring({"wait", id}).status, 0);  // without the right to be executed
  const Json job = jobring.show(id);
  CHECK_EQ(job["name"], "my script");
  CHECK_EQ(job["priority"], 9);
  CHECK_EQ(job["tags"], Json({"a", "b", "c"}));
  CHECK_EQ(jobring({"result", id}).out, script + " word\n");
  // Behind two dashes it is a command as any other.
  const std::string plain = jobring.submit({"--hold", "--", script});
  CHECK_EQ(jobring.show(plain)["priority"], 0);
  write_file(script, "#!/bin/sh\n#JOBRING --retires 3\n");
  const Said wrong = jobring({"submit", script});
  CHECK_EQ(wrong.status, 64);
  CHECK(one_line(wrong.err));
  CHECK(wrong.err.find("nightly.sh: line 2") != std::string::npos);
  CHECK(wrong.err.find("--retries") != std::string::npos);
}

TEST_CASE("stdin goes along as text or is opened when the job runs") {
  const Keeping jobring;
  const std::string text("a\0b\n", 4);
  const std::string id = jobring.submit({"--stdin", "-", "cat"}, text);
  write_file(jobring.file("in"), "from a file\n");
  const std::string file = jobring.submit({"--stdin", jobring.file("in"), "cat"});
  CHECK_EQ(jobring({"wait", id, file}).status, 0);
  CHECK_EQ(jobring({"result", id}).out, text);
  CHECK_EQ(jobring({"result", file}).out, "from a file\n");
}

TEST_CASE("the environment is ours unless it is not wanted") {
  const Keeping jobring;
  const auto run = [&](const std::string& options) {
    const Said said =
        jobring.shell("A=1 B=2 $0 submit " + options +
                      " -c 'echo $A-$B-$C' > id; $0 wait $(cat id); $0 result $(cat id)");
    return said.out;
  };
  CHECK_EQ(run(""), "1-2-\n");
  CHECK_EQ(run("--env B=3 --env C=4"), "1-3-4\n");
  CHECK_EQ(run("--no-env"), "--\n");
  CHECK_EQ(run("--no-env --env A --env C=4"), "1--4\n");
}

TEST_CASE("a handler gets its payload and its result is printed") {
  const Keeping jobring;
  const std::string id = jobring.submit({"--handler", "echo", "hello"});
  CHECK_EQ(jobring({"wait", id}).status, 0);
  CHECK_EQ(jobring({"result", id}).out, "hello");
  const std::string binary = jobring.submit({"--handler", "echo", "-"}, std::string("\0\xff", 2));
  CHECK_EQ(jobring({"result", "--wait", binary}).out, std::string("\0\xff", 2));
  CHECK_EQ(jobring({"submit", "--wait", "--handler", "none", "x"}).status, 65);
}

TEST_CASE("jobs run after others and a failure cancels what needs success") {
  const Keeping jobring;
  const std::string first = jobring.submit({"--hold", "false"});
  const std::string needs = jobring.submit({"--after", first, "true"});
  const std::string any = jobring.submit({"--after-any", "last," + first, "echo", "went on"});
  CHECK_EQ(jobring.show(needs)["unmet"], 1);
  const Said why = jobring({"explain", needs});
  CHECK_EQ(why.status, 0);
  CHECK(why.out.find(first) != std::string::npos);
  CHECK_EQ(jobring({"release", first}).status, 0);
  CHECK_EQ(jobring({"wait", "-q", needs}).status, 130);
  CHECK_EQ(jobring({"wait", any}).status, 0);
  CHECK_EQ(jobring({"result", any}).out, "went on\n");
  CHECK_EQ(jobring({"submit", "--after", "999999", "true"}).status, 65);
}

TEST_CASE("an array is one id for all its members") {
  const Keeping jobring;
  const std::string id = jobring.submit({"--array", "1-9:2%2", "-c", "echo $JOBRING_INDEX"});
  CHECK_EQ(jobring({"wait", id}).status, 0);
  const Said all = jobring({"list", "-q", "-r", id});
  CHECK_EQ(std::count(all.out.begin(), all.out.end(), '\n'), 5);
  const Said out = jobring.shell("for i in $($0 list -q -r " + id + "); do $0 result $i; done");
  CHECK_EQ(out.out, "1\n3\n5\n7\n9\n");
  CHECK_EQ(jobring({"show", id}).status, 0);
  const std::string bad = jobring.submit({"--array", "0-3", "-c", "exit $JOBRING_INDEX"});
  CHECK_EQ(jobring({"wait", "-q", bad}).status, 1);
}

TEST_CASE("a unique key refuses the second and may be replaced") {
  const Keeping jobring;
  const std::string first = jobring.submit({"--hold", "--unique", "k", "true"});
  const Said second = jobring({"submit", "--unique", "k", "true"});
  CHECK_EQ(second.status, 75);
  CHECK(one_line(second.err));
  CHECK(second.err.find("job " + first) != std::string::npos);
  CHECK(second.out.empty());
  const std::string third = jobring.submit({"--unique", "k", "--replace", "true"});
  CHECK_EQ(jobring({"wait", "-q", first}).status, 130);
  CHECK_EQ(jobring({"wait", third}).status, 0);
}

TEST_CASE("a batch is many jobs in one submission with an id a line") {
  const Keeping jobring;
  const Said ids = jobring({"submit", "--batch", "-", "--wait", "--no-env"},
                           "{\"argv\":[\"true\"]}\n\n{\"shell\":\"echo $X\",\"env\":{\"X\":\"5\"},"
                           "\"after\":[{\"line\":1}]}\n{\"handler\":\"echo\",\"payload\":\"p\"}\n");
  CHECK_EQ(ids.status, 0);
  CHECK_EQ(std::count(ids.out.begin(), ids.out.end(), '\n'), 3);
  const std::string second = ids.out.substr(ids.out.find('\n') + 1);
  CHECK_EQ(jobring({"result", second.substr(0, second.find('\n'))}).out, "5\n");
  const Said wrong = jobring({"submit", "--batch", "-"}, "{\"argv\":[\"true\"]}\n{\"argv\":[]}\n");
  CHECK_EQ(wrong.status, 65);
  CHECK(wrong.out.empty());
  CHECK(wrong.err.find("stdin: line 2") != std::string::npos);
  const Said one = jobring({"submit", "--batch", "-"},
                           "{\"argv\":[\"true\"],\"held\":true,\"unique\":\"u\"}\n"
                           "{\"argv\":[\"true\"],\"unique\":\"u\"}\n{\"argv\":[\"true\"]}\n");
  CHECK_EQ(one.status, 75);
  CHECK_EQ(std::count(one.out.begin(), one.out.end(), '\n'), 3);
  CHECK(one.out.find("\n\n") != std::string::npos);
  CHECK(one_line(one.err));
}

TEST_CASE("a batch of tens of thousands goes in whole") {
  const Keeping jobring;
  std::string lines;
  for (int i = 0; i < 20000; ++i) {
    lines += "{\"handler\":\"echo\",\"payload\":\"" + std::to_string(i) + "\"}\n";
  }
  const Said ids = jobring({"submit", "--batch", "-", "--durability", "batched"}, lines);
  CHECK_EQ(ids.status, 0);
  CHECK_EQ(std::count(ids.out.begin(), ids.out.end(), '\n'), 20000);
  const std::string last = ids.out.substr(ids.out.rfind('\n', ids.out.size() - 2) + 1);
  CHECK_EQ(jobring({"result", "--wait", last.substr(0, last.size() - 1)}).out, "19999");
}

TEST_CASE("a daemon that keeps no jobs and no daemon at all are told in one line") {
  const Keeping off(R"({"default": {"workers": 1}})", R"(, "enabled": false)");
  const Said refused = off({"submit", "true"});
  CHECK_EQ(refused.status, 65);
  CHECK(one_line(refused.err));
  CHECK(refused.err.find("keeper") != std::string::npos);
  const Place place;
  const Said none = place.jobring({"submit", "true"});
  CHECK_EQ(none.status, 69);
  CHECK(one_line(none.err));
  CHECK(none.err.find("jobring start") != std::string::npos);
}

TEST_CASE("options that make no sense are one line and nothing is submitted") {
  const Place place;
  const std::vector<Words> wrong = {
      {"--at", "soon"},       {"--array", "9-1"},           {"--key", "gpu"},
      {"--priority", "high"}, {"--backoff", "5m..1s"},      {"--retries", "-1"},
      {"--jitter", "101"},    {"--retry-exits", "256"},     {"--durability", "strong"},
      {"--keep", "7"},        {"--deadline", "2026-02-30"}, {"--retires", "3"}};
  for (Words words : wrong) {
    CAPTURE(words[0]);
    words.insert(words.begin(), "submit");
    words.insert(words.end(), {"--", "true"});
    const Said said = place.jobring(words);
    CHECK_EQ(said.status, 64);
    CHECK(said.out.empty());
    CHECK(one_line(said.err));
  }
}
