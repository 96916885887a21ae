#include "common/keeper/job_codec.hpp"

namespace jobring::keeper {
namespace {

enum SpecBit : std::uint64_t {
  kElsewhere = 1 << 0,
  kOwner = 1 << 1,
  kName = 1 << 2,
  kTags = 1 << 3,
  kDurability = 1 << 4,
  kHeld = 1 << 5,
  kDelay = 1 << 6,
  kRunAt = 1 << 7,
  kDeadline = 1 << 8,
  kTimeout = 1 << 9,
  kRetry = 1 << 10,
  kDependencies = 1 << 11,
  kGroup = 1 << 12,
  kUnique = 1 << 13,
  kConcurrency = 1 << 14,
  kKeep = 1 << 15,
  kOutputMax = 1 << 16,
  kIndex = 1 << 17,
  kSpecBits = 1 << 18,  // the first that is not used
};

enum AttemptBit : std::uint64_t {
  kWorker = 1 << 0,
  kExit = 1 << 1,
  kSignal = 1 << 2,
  kUsage = 1 << 3,
  kTail = 1 << 4,
  kAttemptBits = 1 << 5,
};

constexpr int kDependencyBits = 2;  // of a dependency's number: its kind, in_batch

}  // namespace

const char* to_string(JobState state) {
  constexpr const char* names[kJobStates] = {"delayed", "ready", "running",   "succeeded",
                                             "failed",  "dead",  "cancelled", "held"};
  return std::size_t(state) < kJobStates ? names[std::size_t(state)] : "unknown";
}

bool payload_is_elsewhere(std::string_view bytes) {
  return (Unpacker(bytes).number() & kElsewhere) != 0;
}

void encode_spec(std::string& to, const JobSpec& s, const SpecParts& parts) {
  std::uint64_t bits = 0;
  const auto set = [&](bool there, SpecBit bit) { bits |= there ? std::uint64_t(bit) : 0u; };
  set(parts.payload_elsewhere, kElsewhere);
  set(s.uid != 0 || s.gid != 0, kOwner);
  set(!s.name.empty(), kName);
  set(!s.tags.empty(), kTags);
  set(s.durability != Durability::synced, kDurability);
  set(s.held, kHeld);
  set(s.delay_ms != 0, kDelay);
  set(s.run_at_ms != 0, kRunAt);
  set(s.deadline_ms != 0, kDeadline);
  set(s.timeout_ms != 0, kTimeout);
  set(s.retry.max != 0, kRetry);
  set(!parts.dependencies.empty(), kDependencies);
  set(s.group != 0, kGroup);
  set(!s.unique.key.empty(), kUnique);
  set(!s.concurrency_key.empty(), kConcurrency);
  set(s.keep_ms != kKeepDefault, kKeep);
  set(s.output_max != 0, kOutputMax);
  set(s.index.has_value(), kIndex);

  Packer p(to);
  p.number(bits);
  p.signed_number(parts.submitted_ms);
  p.text(s.handler);
  if (bits & kOwner) p.number(s.uid), p.number(s.gid);
  if (bits & kName) p.text(s.name);
  if (bits & kTags) {
    p.number(s.tags.size());
    for (const std::string_view tag : s.tags) p.text(tag);
  }
  if (bits & kDurability) p.number(std::uint64_t(s.durability));
  if (bits & kDelay) p.number(s.delay_ms);
  if (bits & kRunAt) p.signed_number(s.run_at_ms);
  if (bits & kDeadline) p.signed_number(s.deadline_ms);
  if (bits & kTimeout) p.number(s.timeout_ms);
  if (bits & kRetry) {
    p.number(s.retry.max);
    p.number(s.retry.base_ms);
    p.number(s.retry.cap_ms);
    p.number(s.retry.jitter_percent);
    p.number(s.retry.exits.size());
    for (const std::int32_t code : s.retry.exits) p.signed_number(code);
  }
  if (bits & kDependencies) {
    p.number(parts.dependencies.size());
    for (const Dependency& d : parts.dependencies)
      p.number(d.on << kDependencyBits | (d.in_batch ? 2u : 0u) | std::uint64_t(d.after));
  }
  if (bits & kGroup) p.number(s.group);
  if (bits & kUnique) {
    p.text(s.unique.key);
    p.number(std::uint64_t(s.unique.until) << 1 | (s.unique.replace ? 1u : 0u));
    p.number(s.unique.for_ms);
  }
  if (bits & kConcurrency) {
    p.text(s.concurrency_key);
    p.number(s.concurrency_max);
  }
  if (bits & kKeep) p.number(s.keep_ms);
  if (bits & kOutputMax) p.number(s.output_max);
  if (bits & kIndex) p.signed_number(*s.index);
  if (!parts.payload_elsewhere) to.append(s.payload);
}

bool decode_spec(std::string_view bytes, JobSpec& s, bool* payload_elsewhere) {
  Unpacker u(bytes);
  const std::uint64_t bits = u.number();
  if (bits >= kSpecBits) return false;
  s.submitted_ms = u.signed_number();
  s.handler = u.text();
  if (bits & kOwner) {
    s.uid = std::uint32_t(u.number());
    s.gid = std::uint32_t(u.number());
  }
  if (bits & kName) s.name = u.text();
  if (bits & kTags) {
    const std::uint64_t n = u.count();
    s.tags.reserve(n);
    for (std::uint64_t i = 0; i < n; ++i) s.tags.push_back(u.text());
  }
  if (bits & kDurability) s.durability = Durability(u.number() % 3);
  s.held = (bits & kHeld) != 0;
  if (bits & kDelay) s.delay_ms = u.number();
  if (bits & kRunAt) s.run_at_ms = u.signed_number();
  if (bits & kDeadline) s.deadline_ms = u.signed_number();
  if (bits & kTimeout) s.timeout_ms = u.number();
  if (bits & kRetry) {
    s.retry.max = std::uint32_t(u.number());
    s.retry.base_ms = u.number();
    s.retry.cap_ms = u.number();
    s.retry.jitter_percent = std::uint8_t(u.number());
    const std::uint64_t n = u.count();
    for (std::uint64_t i = 0; i < n; ++i) s.retry.exits.push_back(std::int32_t(u.signed_number()));
  }
  if (bits & kDependencies) {
    const std::uint64_t n = u.count();
    s.dependencies.reserve(n);
    for (std::uint64_t i = 0; i < n; ++i) {
      const std::uint64_t word = u.number();
      s.dependencies.push_back({word >> kDependencyBits, After(word & 1), (word & 2) != 0});
    }
  }
  if (bits & kGroup) s.group = u.number();
  if (bits & kUnique) {
    s.unique.key = u.text();
    const std::uint64_t word = u.number();
    if (word >> 1 > std::uint64_t(UniqueUntil::time)) return false;
    s.unique.until = UniqueUntil(word >> 1);
    s.unique.replace = (word & 1) != 0;
    s.unique.for_ms = u.number();
  }
  if (bits & kConcurrency) {
    s.concurrency_key = u.text();
    s.concurrency_max = std::uint32_t(u.number());
  }
  if (bits & kKeep) s.keep_ms = u.number();
  if (bits & kOutputMax) s.output_max = u.number();
  if (bits & kIndex) s.index = u.signed_number();
  if (payload_elsewhere != nullptr) *payload_elsewhere = (bits & kElsewhere) != 0;
  s.payload = u.rest();
  return u.ok() && !((bits & kElsewhere) && !s.payload.empty());
}

void encode_attempt(std::string& to, const Attempt& a) {
  std::uint64_t bits = 0;
  const auto set = [&](bool there, AttemptBit bit) { bits |= there ? std::uint64_t(bit) : 0u; };
  set(a.worker != 0, kWorker);
  set(a.exit_code != 0, kExit);
  set(a.signal != 0, kSignal);
  set(a.user_us != 0 || a.system_us != 0 || a.max_rss_kib != 0, kUsage);
  set(!a.tail.empty(), kTail);
  Packer p(to);
  p.number(bits);
  p.number(a.number);
  p.number(std::uint64_t(a.outcome));
  p.signed_number(a.started_ms);
  p.signed_number(a.ended_ms - a.started_ms);
  if (bits & kWorker) p.number(a.worker);
  if (bits & kExit) p.signed_number(a.exit_code);
  if (bits & kSignal) p.signed_number(a.signal);
  if (bits & kUsage) p.number(a.user_us), p.number(a.system_us), p.number(a.max_rss_kib);
  if (bits & kTail) p.text(a.tail);
}

bool decode_attempt(Unpacker& u, Attempt& a) {
  const std::uint64_t bits = u.number();
  if (bits >= kAttemptBits) return false;
  a.number = std::uint32_t(u.number());
  const std::uint64_t outcome = u.number();
  if (outcome >= kOutcomes) return false;
  a.outcome = Outcome(outcome);
  a.started_ms = u.signed_number();
  a.ended_ms = a.started_ms + u.signed_number();
  if (bits & kWorker) a.worker = std::uint32_t(u.number());
  if (bits & kExit) a.exit_code = std::int32_t(u.signed_number());
  if (bits & kSignal) a.signal = std::int32_t(u.signed_number());
  if (bits & kUsage) {
    a.user_us = u.number();
    a.system_us = u.number();
    a.max_rss_kib = u.number();
  }
  if (bits & kTail) a.tail = u.text();
  return u.ok();
}

void encode_ending(std::string& to, const Attempt& attempt, std::string_view result) {
  encode_attempt(to, attempt);
  to.append(result);
}

bool decode_ending(std::string_view bytes, Attempt& attempt, std::string_view& result) {
  Unpacker u(bytes);
  if (!decode_attempt(u, attempt)) return false;
  result = u.rest();
  return true;
}

void encode_progress(std::string& to, const Progress& progress) {
  Packer p(to);
  p.number(progress.done);
  p.number(progress.total);
  to.append(progress.text);
}

bool decode_progress(std::string_view bytes, Progress& progress) {
  Unpacker u(bytes);
  progress.done = u.number();
  progress.total = u.number();
  progress.text = u.rest();
  return u.ok();
}

}  // namespace jobring::keeper
