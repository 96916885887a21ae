// The durable state as text, for tests and for people who must look into a damaged registry. Equal
// states have equal texts: everything is sorted.
#include <map>
#include <sstream>

#include "daemon/registry/engine.hpp"

namespace jobring::registry {
namespace {

void dump_contents(std::ostream& out, Object& object) {
  if (auto* event = std::get_if<EventData>(&object.contents)) {
    out << "  set " << event->set << '\n';
  } else if (auto* semaphore = std::get_if<SemaphoreData>(&object.contents)) {
    out << "  permits " << semaphore->permits << '\n';
  } else if (auto* counter = std::get_if<CounterData>(&object.contents)) {
    out << "  value " << counter->value << '\n';
  } else if (auto* list = std::get_if<ListData>(&object.contents)) {
    for (const std::string& item : list->items) out << "  item " << item << '\n';
  } else if (auto* dict = std::get_if<DictData>(&object.contents)) {
    out << "  version " << dict->version << '\n';
    for (const DictEntry& entry : dict->order) {
      out << "  entry " << entry.key << " = " << entry.value << " version " << entry.version
          << " inserted " << entry.inserted << " expires " << entry.expires_ns << '\n';
    }
    for (const DictEntry& entry : dict->by_change) out << "  changed " << entry.key << '\n';
  } else if (auto* queue = std::get_if<QueueData>(&object.contents)) {
    out << "  next " << queue->next << " unfinished " << queue->unfinished << '\n';
    for (const auto& [place, item] : queue->items) {
      out << "  item " << place.first << ' ' << place.second << ' ' << item.redelivered << ' '
          << item.value << '\n';
    }
    for (const auto& [token, lease] : queue->leases)
      out << "  lease " << lease.session << ' ' << lease.place.second << ' ' << lease.value << '\n';
    for (const auto& [session, count] : queue->taken)
      out << "  taken " << session << ' ' << count << '\n';
  }
}

}  // namespace

std::string Engine::dump() const {
  std::ostringstream out;
  out << "bytes " << core_.store.bytes() << '\n';
  for (const auto& [id, object] : core_.store.objects()) {
    const Definition& d = object->def;
    out << to_string(d.type) << ' ' << id << ' ' << d.name << " size " << d.size << " order "
        << int(d.order) << " ephemeral " << d.ephemeral << " uid " << d.uid << " gid " << d.gid
        << " mode " << d.mode << " lock " << d.lock << " bytes " << object->bytes << '\n';
    for (const std::uint64_t user : object->users) out << "  user " << user << '\n';
    dump_contents(out, *object);
  }
  std::map<std::uint64_t, const Session*> sessions;
  for (const auto& [id, session] : core_.store.sessions())
    if (session.durable) sessions.emplace(id, &session);
  for (const auto& [id, session] : sessions) {
    out << "session " << id << " uid " << session->uid << '\n';
    const std::map<std::uint32_t, Answer> answers(session->answers.begin(), session->answers.end());
    for (const auto& [slot, answer] : answers) {
      out << "  slot " << slot << " generation " << answer.generation << ' '
          << to_string(answer.reply.status) << " flags " << answer.reply.flags << " number "
          << answer.reply.number << ' ' << answer.reply.payload << '\n';
    }
  }
  return out.str();
}

}  // namespace jobring::registry
