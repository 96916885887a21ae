// Options in the head of a script.
#include "client/cli/durable/directives.hpp"

#include <doctest/doctest.h>

#include "tests/support/daemon.hpp"

using namespace jobring;
using namespace jobring::cli;
using Words = std::vector<std::string>;

TEST_CASE("the lines of a script's head are options") {
  const ScriptHead head = parse_script_head(
                              "#!/usr/bin/env python3\n"
                              "# a comment\n"
                              "\n"
                              "#JOBRING --name 'my job' --retries 3 # for the net\n"
                              "  #JOBRING\t--tag a\r\n"
                              "#JOBRING\n"
                              "#JOBRINGS --pool x\n"
                              "import os\n"
                              "#JOBRING --pool late\n")
                              .value();
  CHECK(head.interpreter == Words{"/usr/bin/env", "python3"});
  REQUIRE(head.directives.size() == 2);
  CHECK(head.directives[0].line == 4);
  CHECK(head.directives[0].words == Words{"--name", "my job", "--retries", "3"});
  CHECK(head.directives[1].line == 5);
  CHECK(head.directives[1].words == Words{"--tag", "a"});
}

TEST_CASE("an interpreter gets the rest of its line as one argument") {
  CHECK(parse_script_head("#! /bin/awk -f -v x\n")->interpreter == Words{"/bin/awk", "-f -v x"});
  CHECK(parse_script_head("#!/bin/sh")->interpreter == Words{"/bin/sh"});
  CHECK(parse_script_head("#!\n")->interpreter.empty());
  CHECK(parse_script_head("\n#!/bin/sh\n")->interpreter.empty());
}

TEST_CASE("a quote that is not closed is told with its line") {
  const auto head = parse_script_head("#!/bin/sh\n#JOBRING --name 'x\n");
  REQUIRE_FALSE(head);
  CHECK(head.error().line().find("line 2") != std::string::npos);
}

TEST_CASE("only regular files that begin as scripts do are scripts") {
  const test::TempDir dir;
  const std::string file = dir / "file";
  const auto is_script = [&](const std::string& text) {
    test::write_file(file, text);
    return read_script_head(file)->has_value();
  };
  CHECK(is_script("#!/bin/sh\ntrue\n"));
  CHECK(is_script("#JOBRING --hold\ntrue\n"));
  CHECK_FALSE(is_script("# a table\n1 2 3\n"));
  CHECK_FALSE(is_script("true\n#JOBRING --hold\n"));
  CHECK_FALSE(
      is_script("\x7f"
                "ELF"));
  CHECK_FALSE(is_script(""));
  CHECK_FALSE(read_script_head(dir.path())->has_value());
  CHECK_FALSE(read_script_head(dir / "none")->has_value());
}
