#include <doctest/doctest.h>

#include "client/cli/map_template.hpp"
#include "client/cli/map_words.hpp"
#include "client/cli/shell_quote.hpp"

using namespace jobring::cli;
using Words = std::vector<std::string>;

namespace {

Words expand(const Words& words, const Words& values, std::uint64_t seq = 1) {
  return MapTemplate(words).expand({seq, values});
}

}  // namespace

TEST_CASE("a place takes the part of the input that it names") {
  const Words input = {"/music/live.at/song.tar.gz"};
  CHECK(expand({"{}"}, input) == input);
  CHECK(expand({"{.}"}, input) == Words{"/music/live.at/song.tar"});
  CHECK(expand({"{/}"}, input) == Words{"song.tar.gz"});
  CHECK(expand({"{//}"}, input) == Words{"/music/live.at"});
  CHECK(expand({"{/.}"}, input) == Words{"song.tar"});
  CHECK(expand({"{#}"}, input, 17) == Words{"17"});
}

TEST_CASE("names without extension, directory or anything stay sensible") {
  CHECK(expand({"{.}"}, {"plain"}) == Words{"plain"});
  CHECK(expand({"{.}"}, {"dir.d/plain"}) == Words{"dir.d/plain"});
  CHECK(expand({"{.}"}, {".bashrc"}) == Words{".bashrc"});
  CHECK(expand({"{.}"}, {"home/.bashrc"}) == Words{"home/.bashrc"});
  CHECK(expand({"{.}"}, {"end."}) == Words{"end"});
  CHECK(expand({"{//}"}, {"plain"}) == Words{"."});
  CHECK(expand({"{//}"}, {"/root"}) == Words{"/"});
  CHECK(expand({"{/}"}, {""}) == Words{""});
}

TEST_CASE("places stand inside words, several times, and unknown braces stay text") {
  CHECK(expand({"cp", "{}", "{.}.bak{#}"}, {"a.txt"}, 3) == Words{"cp", "a.txt", "a.bak3"});
  CHECK(expand({"{}", "{x}", "{0}", "{", "}", "{{}}"}, {"v"}) ==
        Words{"v", "{x}", "{0}", "{", "}", "{v}"});
}

TEST_CASE("a command without places gets the input as its last word") {
  CHECK(expand({"echo", "-n"}, {"a b"}) == Words{"echo", "-n", "a b"});
  CHECK(expand({"echo", "{#}"}, {"x"}, 2) == Words{"echo", "2"});
}

TEST_CASE("an input is one word, whatever bytes it has") {
  CHECK(expand({"echo", "{}"}, {"a'b \"$(rm)\n*"}) == Words{"echo", "a'b \"$(rm)\n*"});
  CHECK(expand({"echo", "{}"}, {""}) == Words{"echo", ""});
}

TEST_CASE("places with numbers take one source, {} takes all") {
  const Words values = {"d/a.x", "b"};
  CHECK(expand({"{2}-{1/.}"}, values) == Words{"b-a"});
  CHECK(expand({"run", "{}"}, values) == Words{"run", "d/a.x", "b"});
  CHECK(expand({"run", "in={.}"}, values) == Words{"run", "in=d/a b"});
  CHECK(expand({"run", "{3}"}, values) == Words{"run", ""});
}

TEST_CASE("for a shell only the inputs are quoted") {
  const MapTemplate line({"gzip -c {} > {.}.gz && echo $HOME"});
  CHECK(line.expand_text({1, {"it's.txt"}}, true) ==
        "gzip -c 'it'\\''s.txt' > 'it'\\''s'.gz && echo $HOME");
  CHECK(MapTemplate({"wc"}).expand_text({1, {"a", "b c"}}, true) == "wc a 'b c'");
}

TEST_CASE("shell_quote leaves harmless words alone and is one word otherwise") {
  CHECK(shell_quote("a/b-c_d.e=f:1") == "a/b-c_d.e=f:1");
  CHECK(shell_quote("") == "''");
  CHECK(shell_quote("~") == "'~'");
  CHECK(shell_join({"echo", "a b", "$x"}) == "echo 'a b' '$x'");
  CHECK(one_line("a\tb\nc\x01") == "a\\tb\\nc\\x01");
}

TEST_CASE("the words of map are a command and its sources") {
  const MapWords words =
      split_map_words({"gzip", "-9", ":::", "a", "b", ":::+", "1", "::::", "f", "g", ":::"});
  CHECK(words.command == Words{"gzip", "-9"});
  REQUIRE(words.sources.size() == 5);
  CHECK(words.sources[0].words == Words{"a", "b"});
  CHECK_FALSE(words.sources[0].linked);
  CHECK(words.sources[1].linked);
  CHECK(words.sources[2].file == "f");
  CHECK(words.sources[3].is_file);
  CHECK_FALSE(words.sources[3].linked);
  CHECK(words.sources[4].words.empty());
}

TEST_CASE("a first source cannot be linked, and a command may be missing") {
  const MapWords words = split_map_words({":::+", "x"});
  CHECK(words.command.empty());
  REQUIRE(words.sources.size() == 1);
  CHECK_FALSE(words.sources[0].linked);
}
