// A keeper in miniature: hands out jobs that are on record, and records their endings. The order of
// steps is that of docs/keeper.md; the record is a file of lines, whole lines only.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>
#include <string>

#include "client/kept_channel.hpp"
#include "tests/keeper_channels/stand_in.hpp"

namespace jobring::test {
namespace {

constexpr std::size_t kWindow = 16;

class Record {
 public:
  explicit Record(const std::string& path)
      : fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
    std::ifstream lines(path);
    for (std::string word; lines >> word;) {
      unsigned id = 0;
      lines >> id;
      if (word == "take") running.insert(id);
      if (word == "end" || word == "failed") running.erase(id);
      if (word == "take") next = std::max(next, id + 1);
    }
  }
  // One line that a SIGKILL cannot tear.
  void say(const std::string& line) {
    if (write(fd_.get(), line.data(), line.size()) != ssize_t(line.size()))
      throw std::runtime_error("record");
  }
  std::set<unsigned> running;
  unsigned next = 1;

 private:
  UniqueFd fd_;
};

}  // namespace

void feed(const KeeperStart& start, UniqueFd session) {
  const std::string enough = start.state_dir + "/enough";
  const std::string notes = std::getenv("JOBRING_TEST_NOTES");
  Record record(start.state_dir + "/record");
  auto core = std::make_shared<detail::ClientCore>(std::move(session), 0, "jobringd", "keeper");
  auto kept = open_kept(core, "default", getuid(), getgid());
  if (!kept) throw std::runtime_error(kept.error().line());
  const HandlerId handler = kept->channel.handler("note");

  std::map<std::uint32_t, unsigned> in_slot;
  std::set<unsigned> to_begin = record.running;
  for (const AdoptedJob& job : kept->adopted) {
    const auto id = unsigned(std::stoul(job.tag));
    in_slot[job.job.slot] = id;
    to_begin.erase(id);  // in a slot; the others nobody has begun
  }
  for (;;) {
    // Endings first: on record before their slots are free.
    std::string lines;
    for (const Completion& done : kept->channel.reap()) {
      const unsigned id = in_slot.at(done.slot);
      in_slot.erase(done.slot);
      if (record.running.erase(id) != 0)
        lines += (done.outcome == Outcome::ok ? "end " : "failed ") + std::to_string(id) + "\n";
    }
    while (record.running.size() < kWindow && access(enough.c_str(), F_OK) != 0) {
      to_begin.insert(record.next);
      record.running.insert(record.next);
      lines += "take " + std::to_string(record.next++) + "\n";
    }
    if (!lines.empty()) record.say(lines);
    for (const unsigned id : to_begin) {
      JobOptions options;
      options.tag = std::to_string(id) + ".1";
      JobRef ref;
      const std::string payload = notes + "\n" + std::to_string(id);
      if (!kept->channel.prepare(handler, payload, 0, options, &ref))
        throw std::runtime_error("full");
      in_slot[ref.slot] = id;
    }
    to_begin.clear();
    kept->channel.submit();
    if (record.running.empty()) break;
    kept->channel.wait();
  }
  record.say("all " + std::to_string(record.next - 1) + "\n");
}

}  // namespace jobring::test
