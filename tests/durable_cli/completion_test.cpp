// Completion in bash, by a real bash that is asked what it would offer.
#include "tests/durable_cli/shell.hpp"

using namespace jobring::test;

namespace {

// What a TAB behind these words offers, one a line; the last word is the one that is completed.
std::string offered(const Place& place, const std::string& words) {
  const Said said = place.run({"bash", "-c",
                               "source \"$1\" && COMP_WORDS=(\"$2\" " + words +
                                   ") && COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) && _jobring && "
                                   "printf '%s\\n' \"${COMPREPLY[@]}\"",
                               "bash", JOBRING_COMPLETION, program("jobring")});
  CAPTURE(words);
  CAPTURE(said.err);
  CHECK_EQ(said.status, 0);
  CHECK(said.err.empty());
  return said.out;
}

bool offers(const std::string& all, const std::string& word) {
  return ("\n" + all).find("\n" + word + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("bash is offered verbs and options and their values") {
  const Place place;
  const std::string verbs = offered(place, "''");
  for (const char* verb : {"run", "submit", "list", "drain", "objects", "ping", "--help"}) {
    CHECK_MESSAGE(offers(verbs, verb), verb);
  }
  CHECK_EQ(offered(place, "exp"), "explain\nexport\n");
  CHECK_EQ(offered(place, "list --s"), "--since\n--sort\n--socket\n--state\n");
  CHECK(offers(offered(place, "submit --limit cpu=9 --"), "--retries"));
  CHECK_EQ(offered(place, "list --color ''"), "auto\nalways\nnever\n");
  // Bash makes a word of each =.
  CHECK_EQ(offered(place, "list --color = a"), "auto\nalways\n");
  CHECK_EQ(offered(place, "list --color ="), "auto\nalways\nnever\n");
  CHECK_EQ(offered(place, "submit --unique-until e"), "ended\n");
  CHECK_EQ(offered(place, "group ''"), "new\nseal\nshow\n");
  CHECK_EQ(offered(place, "cron ''"), "list\nadd\nremove\nrun\n");
  CHECK_EQ(offered(place, "kill -s KI"), "KILL\n");
  CHECK_EQ(offered(place, "submit --limit mem"), "memory=\n");
  CHECK_EQ(offered(place, "submit --limit core=0,st"), "core=0,stack=\n");
  write_file(place.dir() / "jobs.jsonl", "");
  CHECK_EQ(offered(place, "submit --batch " + (place.dir() / "jobs.")),
           (place.dir() / "jobs.jsonl") + "\n");
  // Behind the command begins what is its own.
  CHECK(offers(offered(place, "submit --retries 3 -- tru"), "true"));
  CHECK_FALSE(offers(offered(place, "run cat --"), "--pool"));
}

TEST_CASE("every state that bash offers is one that selects") {
  const Keeping jobring;
  const std::string states = offered(jobring.place(), "list --state ''");
  CHECK_EQ(std::count(states.begin(), states.end(), '\n'), 8);
  for (std::size_t at = 0; at < states.size();) {
    const std::size_t end = states.find('\n', at);
    const std::string state = states.substr(at, end - at);
    CHECK_MESSAGE(jobring({"list", "--state", state}).status == 0, state);
    at = end + 1;
  }
  CHECK_EQ(offered(jobring.place(), "list --state dead,ca"), "dead,cancelled\n");
  const std::string limits = offered(jobring.place(), "submit --limit ''");
  CHECK_EQ(std::count(limits.begin(), limits.end(), '\n'), 7);
  for (std::size_t at = 0; at < limits.size();) {
    const std::size_t end = limits.find('\n', at);
    const std::string limit = limits.substr(at, end - at) + "unlimited";
    CHECK_MESSAGE(jobring({"submit", "--hold", "--limit", limit, "true"}).status == 0, limit);
    at = end + 1;
  }
}

TEST_CASE("bash is offered the pools jobs and cron entries of the daemon that runs") {
  const Keeping jobring(R"({"default": {"workers": 1}, "fast": {"workers": 1}})");
  const std::string id = jobring.submit({"--hold", "true"});
  CHECK_EQ(jobring({"cron", "add", "nightly", "@daily", "true"}).status, 0);
  CHECK_EQ(offered(jobring.place(), "pause ''"), "default\nfast\n");
  CHECK_EQ(offered(jobring.place(), "submit --pool f"), "fast\n");
  CHECK_EQ(offered(jobring.place(), "edit --in-pool = d"), "default\n");
  CHECK_EQ(offered(jobring.place(), "cancel ''"), "last\n" + id + "\n");
  CHECK_EQ(offered(jobring.place(), "submit --after last,"), "last,last\nlast," + id + "\n");
  CHECK_EQ(offered(jobring.place(), "cron remove ''"), "nightly\n");
  // Without a daemon there is nothing to offer, and no noise.
  const Place nowhere;
  CHECK_EQ(offered(nowhere, "pause ''"), "\n");
  CHECK_EQ(offered(nowhere, "cancel ''"), "last\n");
}
