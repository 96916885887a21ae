// examples/scrape, over a site of the test's own.
#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/async/support.hpp"
#include "tests/http/scripted_server.hpp"

using namespace jobring;
using namespace jobring::test;

TEST_CASE("the example scrape counts every word of every page once") {
  // 1 + 300 pages: the first links to all, each has a word of its own and a common one.
  ScriptedServer server([](const ScriptedServer::Request& request) -> ScriptedServer::Answer {
    const std::size_t from = request.head.find(' ') + 1;
    const std::string target = request.head.substr(from, request.head.find(' ', from) - from);
    if (target != "/") return {ScriptedServer::ok("<p>common common</p>")};
    std::string links;
    for (int i = 0; i < 300; ++i) links += "<a href=\"/" + std::to_string(i) + "\">link</a>";
    return {ScriptedServer::ok(links)};
  });
  Daemon daemon(async_pool());
  setenv("JOBRING_SOCKET", daemon.socket().c_str(), 1);
  const Ran ran = run_program({program("scrape"), server.url("")});
  unsetenv("JOBRING_SOCKET");
  INFO(ran.output);
  CHECK(ran.status == 0);
  CHECK(ran.output.find("301 pages, 0 failed, 2 different words\n") != std::string::npos);
  CHECK(ran.output.find("common 600\n") != std::string::npos);
  CHECK(ran.output.find("link 300\n") != std::string::npos);
}
