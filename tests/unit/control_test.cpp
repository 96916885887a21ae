#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstring>
#include <random>

#include "common/ask_message.hpp"
#include "common/control.hpp"
#include "common/messages.hpp"
#include "common/segment.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using jobring::test::seed_of_test;

namespace {

struct Pair {
  Pair() {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    a.reset(fds[0]);
    b.reset(fds[1]);
  }
  UniqueFd a, b;
};

}  // namespace

TEST_CASE("a control message arrives whole, with its descriptors") {
  Pair pair;
  UniqueFd file(memfd_create("x", MFD_CLOEXEC));
  REQUIRE(send_control(pair.a.get(), "hello", std::array{file.get(), file.get()}).ok());
  auto received = receive_control(pair.b.get());
  REQUIRE(received.ok());
  REQUIRE(received->has_value());
  CHECK((*received)->text == "hello");
  CHECK((*received)->fds.size() == 2);
  CHECK((fcntl((*received)->fds[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK_FALSE(receive_control(pair.b.get()).value().has_value());
}

TEST_CASE(
    "a peer that is gone, one that does not read, and one that sends too much are told apart") {
  Pair gone;
  gone.b.reset();
  CHECK(send_control(gone.a.get(), "x").error().code == Errc::no_daemon);
  CHECK(receive_control(gone.a.get()).error().code == Errc::no_daemon);
  Pair deaf;
  Result<void> sent;
  for (int i = 0; i < 100'000 && sent.ok(); ++i)
    sent = send_control(deaf.a.get(), std::string(1000, 'x'));
  REQUIRE_FALSE(sent.ok());
  CHECK(sent.error().code == Errc::full);
  Pair loud;
  const std::string much(kControlMessageMax + 1, 'x');
  REQUIRE(send(loud.a.get(), much.data(), much.size(), 0) > 0);
  CHECK(receive_control(loud.b.get()).error().code == Errc::protocol);
}

TEST_CASE("messages come back as they went") {
  const ClientRequest request = KillRequest{"fast", 7, 9, (std::uint64_t{1} << 48) - 1, 9};
  auto decoded = decode_client_request(encode(request));
  REQUIRE(decoded.ok());
  const auto& kill = std::get<KillRequest>(*decoded);
  CHECK(kill.pool == "fast");
  CHECK(kill.generation == (std::uint64_t{1} << 48) - 1);
  CHECK(kill.signal == 9);
  auto welcome = decode_worker_order(
      encode(WorkerOrder(Welcome{3, 8, 50'000, 32, 0, 0, 5000, true, {"/a.so", "/b.so"}})));
  REQUIRE(welcome.ok());
  CHECK(std::get<Welcome>(*welcome).modules.size() == 2);
}

TEST_CASE("what is asked of the keeper and its answers are any bytes of its version") {
  const std::string bytes("\0{\xff\1", 4), whole(kAskMost, 'x');
  CHECK(decode_ask(encode_ask(bytes)) == bytes);
  CHECK(decode_ask(encode_ask("")) == "");
  CHECK(decode_ask(encode_ask(whole)) == whole);
  CHECK_FALSE(decode_ask(encode_ask(whole) + "x"));
  CHECK_FALSE(decode_ask(encode_ask("").substr(0, 7)));
  CHECK_FALSE(decode_ask("{\"op\":\"ping\"}"));
  std::string newer = encode_ask(bytes);
  ++newer[4];
  CHECK_FALSE(decode_ask(newer));
}

TEST_CASE("a message may have parts of several fields and their types are checked too") {
  KeeperStart start;
  start.state_dir = "/state";
  start.jobs_max = ~std::uint64_t{0};
  start.pools = {{"a", 4, 64, 100, 200, 7}, {"b\xff", 1, 2, 3, 4, 0}};
  start.users = {0, ~std::uint32_t{0}};
  const auto decoded = decode_worker_order(encode(WorkerOrder(start)));
  REQUIRE(decoded.ok());
  const auto& back = std::get<KeeperStart>(*decoded);
  CHECK(back.state_dir == "/state");
  CHECK(back.jobs_max == ~std::uint64_t{0});
  REQUIRE(back.pools.size() == 2);
  CHECK(back.pools[0] == start.pools[0]);
  CHECK(back.users == start.users);
  const KeptChannels kept{{{"a", 1000, 1001}, {"b", 0, 0}}, true};
  const auto names = decode_worker_order(encode(WorkerOrder(kept)));
  REQUIRE(names.ok());
  CHECK(std::get<KeptChannels>(*names).channels == kept.channels);
  CHECK(std::get<KeptChannels>(*names).last);
  for (const char* text :
       {R"({"op":"kept","channels":[7]})", R"({"op":"kept","channels":{"pool":"a"}})",
        R"({"op":"kept","channels":[{"uid":-1}]})",
        R"({"op":"kept","channels":[{"uid":4294967296}]})",
        R"({"op":"kept","channels":[{"pool":1}]})", R"({"op":"keeper","pools":[null]})"}) {
    CAPTURE(text);
    CHECK_FALSE(decode_worker_order(text).ok());
  }
}

TEST_CASE("a message that makes no sense is an error, whatever is wrong with it") {
  for (const char* text :
       {"", "{", "[]", "null", "{}", "{\"op\":1}", "{\"op\":\"fly\"}",
        "{\"op\":\"open\",\"slots\":-1}", "{\"op\":\"open\",\"slots\":4294967296}",
        "{\"op\":\"open\",\"slots\":1.5}", "{\"op\":\"open\",\"pool\":7}",
        "{\"op\":\"kill\",\"generation\":\"x\"}", "\xff\xfe"}) {
    CAPTURE(text);
    CHECK_FALSE(decode_client_request(text).ok());
  }
}

TEST_CASE("random bytes never decode to anything but an error or a message") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const std::string base = encode(ClientRequest(OpenRequest{1, "default", 64, true, "client"}));
  for (int i = 0; i < 20'000; ++i) {
    std::string text = base;
    for (unsigned n = random() % 4 + 1; n > 0; --n) text[random() % text.size()] = char(random());
    (void)decode_client_request(text);
    (void)decode_worker_report(text);
  }
}

TEST_CASE("a segment cannot be shrunk, and its read-only descriptor cannot be mapped for writing") {
  auto segment = create_segment("test", 8192);
  REQUIRE(segment.ok());
  CHECK(ftruncate(segment->get(), 4096) != 0);
  CHECK(sealed_size(segment->get()).value() == 8192);
  auto reader = reopen_read_only(segment->get());
  REQUIRE(reader.ok());
  CHECK_FALSE(Mapping::map(reader->get(), 8192, Mapping::Access::read_write).ok());
  auto writable = Mapping::map(segment->get(), 8192, Mapping::Access::read_write);
  auto readable = Mapping::map(reader->get(), 8192, Mapping::Access::read_only);
  REQUIRE(writable.ok());
  REQUIRE(readable.ok());
  std::strcpy(writable->as<char>(), "seen");
  CHECK(std::string(readable->as<char>()) == "seen");
  UniqueFd unsealed(memfd_create("x", MFD_CLOEXEC));
  CHECK_FALSE(sealed_size(unsealed.get()).ok());
}

TEST_CASE("an error is one line that says where, what and what to do") {
  const Error error{Errc::unknown_pool, "there is no pool \"x\"\nreally", "/run/socket",
                    "pools here: default"};
  CHECK(error.line() == "/run/socket: there is no pool \"x\" really; pools here: default");
  CHECK(from_reply(to_reply(error)).code == Errc::unknown_pool);
}
