// Verbs that look at jobs take the same words and options as those that change them.
#include "tests/durable_cli/shell.hpp"

using namespace jobring::test;
using Json = nlohmann::json;

namespace {

std::vector<Json> objects(const std::string& lines) {
  std::vector<Json> all;
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = lines.find('\n', at);
    REQUIRE(end != std::string::npos);
    all.push_back(Json::parse(lines.substr(at, end - at)));
    at = end + 1;
  }
  return all;
}

std::string line_of(const std::string& id, const std::string& what) {
  return "==> job " + id + ": " + what + " <==\n";
}

std::string id_of(const Said& said) {
  REQUIRE_EQ(said.status, 0);
  REQUIRE(one_line(said.out));
  return said.out.substr(0, said.out.size() - 1);
}

}  // namespace

TEST_CASE("the output of several jobs stands in parts that are named") {
  const Keeping jobring;
  const std::string a = jobring.submit({"--name", "a", "--tag", "t", "-c", "echo one; echo 1 >&2"});
  const std::string b = jobring.submit({"--name", "b", "--tag", "t", "-c", "printf two"});
  const std::string c = jobring.submit({"--name", "c", "--tag", "t", "true"});
  const std::string d = jobring.submit({"--name", "d", "-c", "printf 'x\ny\n'"});
  CHECK_EQ(jobring({"wait", a, b, c, d}).status, 0);
  const std::string parts =
      line_of(a, "a") + "one\n\n" + line_of(b, "b") + "two\n\n" + line_of(c, "c");
  const Said logs = jobring({"logs", "--tag", "t"});
  CHECK_EQ(logs.status, 0);
  CHECK_EQ(logs.out, parts);
  CHECK_EQ(logs.err, line_of(a, "a") + "1\n");
  CHECK_EQ(jobring({"result", a + "-" + c}).out, parts);
  // One line is enough where both go to the same place.
  CHECK_EQ(jobring.shell("$0 logs " + a + " " + b + " 2>&1").out,
           line_of(a, "a") + "one\n1\n\n" + line_of(b, "b") + "two");
  // In the order that they are named in; one alone is not named.
  CHECK_EQ(jobring({"logs", "--stdout", d, a}).out,
           line_of(d, "d") + "x\ny\n\n" + line_of(a, "a") + "one\n");
  CHECK_EQ(jobring({"logs", "--name", "b"}).out, "two");
  CHECK_EQ(jobring({"logs", "--tail", "1", d}).out, "y\n");
  const auto json = objects(jobring({"logs", "--json", "--tail", "1", a, d}).out);
  REQUIRE_EQ(json.size(), 2);
  CHECK_EQ(json[0]["stdout"], "one\n");
  CHECK_EQ(json[0]["stderr"], "1\n");
  CHECK_EQ(json[0]["stdout_cut"], false);
  CHECK_EQ(std::to_string(json[1]["id"].get<long>()), d);
  CHECK_EQ(json[1]["stdout"], "y\n");
  CHECK_EQ(jobring({"logs", "--json", "-f", a}).status, 64);
}

TEST_CASE("of several results one that is missing does not hide the others") {
  const Keeping jobring;
  const std::string good = jobring.submit({"--name", "good", "--handler", "echo", "yes"});
  const std::string bad = jobring.submit({"--name", "bad", "-c", "echo no; exit 3"});
  const std::string held = jobring.submit({"--hold", "true"});
  CHECK_EQ(jobring({"wait", "-q", good, bad}).status, 1);
  const Said both = jobring({"result", good, bad});
  CHECK_EQ(both.status, 1);
  CHECK_EQ(both.out, line_of(good, "good") + "yes\n\n" + line_of(bad, "bad") + "no\n");
  CHECK(both.err.find("job " + bad + ": exit 3") != std::string::npos);
  const Said more = jobring({"result", held, "999999", good});
  CHECK_EQ(more.status, 75);
  CHECK_EQ(std::count(more.err.begin(), more.err.end(), '\n'), 2);
  CHECK(more.out.find("yes") != std::string::npos);
  CHECK_EQ(jobring({"result", "999999"}).status, 65);
  CHECK_EQ(jobring({"result", "900000-999999"}).status, 65);
  CHECK_EQ(jobring({"result", "--tag", "none"}).status, 0);
  CHECK_EQ(jobring({"result"}).status, 64);
  const auto json = objects(jobring({"result", "--json", "--state", "succeeded,dead"}).out);
  REQUIRE_EQ(json.size(), 2);
  CHECK_EQ(json[0]["result"], "yes");
  CHECK_EQ(json[0]["status"], 0);
  CHECK_EQ(json[1]["stdout"], "no\n");
  CHECK_EQ(json[1]["status"], 3);
  CHECK_EQ(json[1]["name"], "bad");
}

TEST_CASE("jobs are shown and explained by what they are and as many as lists show") {
  const Keeping jobring;
  std::string batch;
  for (int i = 0; i < 60; ++i) batch += "{\"shell\":\"true\",\"name\":\"n\"}\n";
  REQUIRE_EQ(jobring({"submit", "--batch", "-", "--hold", "--no-env"}, batch).status, 0);
  const std::string dead = jobring.submit({"sh", "-c", "echo said; exit 3"});
  CHECK_EQ(jobring({"wait", "-q", dead}).status, 3);
  const auto newest = objects(jobring({"list", "-q", "--state", "held", "-n", "50"}).out);
  const Said fifty = jobring({"show", "--json", "--state", "held"});
  CHECK_EQ(fifty.status, 0);
  const auto shown = objects(fifty.out);
  REQUIRE_EQ(shown.size(), 50);
  CHECK_EQ(shown.front()["id"], newest.back());  // the oldest of them first
  CHECK_EQ(shown.back()["id"], newest.front());
  CHECK(fifty.err.find("more than these 50") != std::string::npos);
  CHECK_EQ(objects(jobring({"show", "--json", "-n", "0", "--name", "n"}).out).size(), 60);
  CHECK(jobring({"show", "-n", "60", "--name", "n"}).err.empty());
  const auto reasons = objects(jobring({"explain", "--json", "--state", "held", "-n", "2"}).out);
  REQUIRE_EQ(reasons.size(), 2);
  CHECK(reasons[0]["reasons"][0].get<std::string>().find("held") != std::string::npos);
  const Said why = jobring({"explain", "--state", "dead,held", "-n", "2"});
  CHECK(why.out.find("job " + dead + ": it has ended: dead, failed with exit 3, after attempt 1") !=
        std::string::npos);
  CHECK_EQ(std::count(why.out.begin(), why.out.end(), '\n'), 2);
  CHECK_EQ(jobring({"explain", dead}).out.rfind("it has ended", 0), 0);
  CHECK_EQ(jobring({"show"}).status, 64);
}

TEST_CASE("wait takes those that fit when it begins") {
  const Keeping jobring;
  const std::string good = jobring.submit({"--tag", "w", "--name", "good", "true"});
  const std::string bad = jobring.submit({"--tag", "w", "--name", "bad", "-c", "exit 5"});
  jobring.submit({"--hold", "--name", "later", "true"});
  CHECK_EQ(jobring({"wait", "-q", "--tag", "w"}).status, 1);
  CHECK_EQ(jobring({"wait", "-q", "--tag", "w", "--name", "good"}).status, 0);
  CHECK_EQ(jobring({"wait", "-q", good + "-" + bad, "--name", "bad"}).status, 5);
  CHECK_EQ(jobring({"wait", "--name", "later", "--state", "ready,running"}).status, 0);
  CHECK_EQ(jobring({"wait", "--timeout", "20ms", "-q", "--name", "later"}).status, 124);
  CHECK_EQ(jobring({"wait", "900000-999999"}).status, 65);
}

TEST_CASE("a group or an array selects what is in it for every verb and nothing else") {
  const Keeping jobring;
  const std::string group = id_of(jobring.shell("$0 group new"));
  const std::string in1 = jobring.submit({"--hold", "--group", group, "--name", "x", "echo", "1"});
  const std::string other = jobring.submit({"--hold", "echo", "other"});
  const std::string in2 = jobring.submit({"--hold", "--group", group, "--name", "y", "echo", "2"});
  const std::string array = jobring.submit({"--hold", "--array", "1-3", "--name", "z", "true"});
  const auto listed = [&](Words words) {
    words.insert(words.begin(), {"list", "-q", "-r"});
    return jobring(words).out;
  };
  CHECK_EQ(listed({"--group", group}), in1 + "\n" + in2 + "\n");
  CHECK_EQ(listed({group}), in1 + "\n" + in2 + "\n");
  CHECK_EQ(listed({"--group", group, "--name", "y"}), in2 + "\n");
  CHECK_EQ(listed({"--group", group, in1 + "-" + other}), in1 + "\n");
  CHECK_EQ(listed({"--group", array}), listed({array}));
  const long last = std::stol(array) + 3;
  CHECK_EQ(listed({"--group", array, std::to_string(last) + "-" + std::to_string(last + 9)}),
           std::to_string(last) + "\n");
  // Nothing that fits is not everything.
  CHECK_EQ(listed({"--group", group, "--name", "z"}), "");
  CHECK_EQ(listed({"--group", group, other}), "");
  CHECK_EQ(jobring({"clear", "--yes", "--group", group, other}).status, 65);
  CHECK_EQ(jobring({"clear", "--yes", "--group", group, "--pool", "none"}).status, 0);
  CHECK_EQ(listed({"-n", "0"}).size(),
           listed({group}).size() + listed({array}).size() + other.size() + 1);
  CHECK_EQ(jobring({"list", "--group", "999999"}).status, 65);
  CHECK_EQ(jobring({"list", "--group", other}).status, 65);
  CHECK_EQ(jobring({"list", "--group", "x"}).status, 64);
  CHECK_EQ(jobring({"release", "--group", group}).status, 0);
  CHECK_EQ(jobring({"wait", "--group", group}).status, 0);
  CHECK_EQ(jobring.state(other), "held");
  CHECK_EQ(jobring({"result", "--group", group}).out,
           line_of(in1, "x") + "1\n\n" + line_of(in2, "y") + "2\n");
  CHECK_EQ(jobring({"logs", group}).out, line_of(in1, "x") + "1\n\n" + line_of(in2, "y") + "2\n");
  CHECK_EQ(jobring({"cancel", "--yes", "--group", array}).status, 0);
  CHECK_EQ(jobring.state(other), "held");
  CHECK_EQ(jobring.state(std::to_string(last)), "cancelled");
}

TEST_CASE("several jobs are followed at a time") {
  const Keeping jobring(R"({"default": {"workers": 4}})");
  const std::string gate = jobring.file("gate");
  const auto writer = [&](const std::string& name) {
    return jobring.submit({"--name", name, "--tag", "f", "-c",
                           "echo first of " + name + "; while [ ! -e " + gate +
                               " ]; do sleep 0.01; done; echo last of " + name});
  };
  const std::string a = writer("a"), b = writer("b");
  const std::string out = jobring.file("followed");
  const pid_t follower = spawn(
      {program("jobring"), "logs", "-f", "--tag", "f", "--socket", jobring.daemon().socket()}, out);
  const auto has = [&](const std::string& text) {
    return read_file(out).find(text) != std::string::npos;
  };
  CHECK(eventually([&] { return has("first of a\n") && has("first of b\n"); }));
  write_file(gate, "");
  CHECK_EQ(wait_exit(follower), 0);
  // Each line stands below its job's.
  std::string name;
  std::size_t at = 0;
  int lines = 0;
  const std::string all = read_file(out);
  while (at < all.size()) {
    const std::size_t end = all.find('\n', at);
    const std::string line = all.substr(at, end - at);
    at = end + 1;
    if (line.empty()) continue;
    if (line.starts_with("==>")) {
      name = line.substr(line.find(": ") + 2, 1);
      CHECK_EQ(line + "\n", line_of(name == "a" ? a : b, name));
      continue;
    }
    CHECK_EQ(line.back(), name[0]);
    ++lines;
  }
  CHECK_EQ(lines, 4);
}
