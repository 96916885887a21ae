// A daemon that keeps jobs, and a user at its shell.
#pragma once

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/daemon.hpp"
#include "tests/support/place.hpp"

namespace jobring::test {

class Keeping {
 public:
  // `keeper`: further members of the config's "keeper", each with a leading comma.
  explicit Keeping(const std::string& pools = R"({"default": {"workers": 2}})",
                   const std::string& keeper = "")
      : daemon_(pools, R"(, "keeper": {"state_dir": ")" + state_.path() + "\"" + keeper + "}"),
        place_(daemon_) {}

  // What `jobring WORDS` said.
  Said operator()(Words words, const std::string& input = "") const {
    return place_.jobring(std::move(words), input);
  }
  // A line for a shell at home, where $0 is jobring.
  Said shell(const std::string& line) const { return place_.shell("cd \"$HOME\" && " + line); }
  // Submits, and returns the id.
  std::string submit(Words words, const std::string& input = "") const {
    words.insert(words.begin(), "submit");
    const Said said = place_.jobring(std::move(words), input);
    CAPTURE(said.err);
    REQUIRE_EQ(said.status, 0);
    REQUIRE(one_line(said.out));
    return said.out.substr(0, said.out.size() - 1);
  }
  nlohmann::json show(const std::string& id) const {
    const Said said = place_.jobring({"show", "--json", id});
    REQUIRE_EQ(said.status, 0);
    return nlohmann::json::parse(said.out);
  }
  std::string state(const std::string& id) const { return show(id)["state"]; }
  bool becomes(const std::string& id, const std::string& wanted) const {
    return eventually([&] { return state(id) == wanted; });
  }
  const Place& place() const { return place_; }
  const Daemon& daemon() const { return daemon_; }
  std::string file(const std::string& name) const { return place_.dir() / name; }

 private:
  TempDir state_;
  Daemon daemon_;
  Place place_;
};

}  // namespace jobring::test
