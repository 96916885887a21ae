#include "client/cli/progress.hpp"

#include <algorithm>

#include "client/cli/human.hpp"

namespace jobring::cli {

double Progress::rate(const ProgressCount& count, std::uint64_t now_ns) const {
  if (count.done == 0 || now_ns <= started_ns_) return 0;
  return double(count.done) * 1e9 / double(now_ns - started_ns_);
}

std::optional<std::uint64_t> Progress::eta_ns(const ProgressCount& count,
                                              std::uint64_t now_ns) const {
  if (!count.total || count.done == 0 || now_ns <= started_ns_) return std::nullopt;
  const std::uint64_t past = count.done + count.skipped;
  const std::uint64_t left = *count.total > past ? *count.total - past : 0;
  return std::uint64_t(double(now_ns - started_ns_) / double(count.done) * double(left));
}

std::string Progress::line(const ProgressCount& count, std::uint64_t now_ns, int width,
                           bool bar) const {
  const std::uint64_t past = count.done + count.skipped;
  std::string words;
  double fraction = 0;
  if (count.total) {
    fraction = *count.total == 0 ? 1 : std::min(1.0, double(past) / double(*count.total));
    words = std::to_string(int(fraction * 100)) + "% " + human_count(past) + "/" +
            human_count(*count.total);
  } else {
    words = human_count(past) + " done";
  }
  if (count.failed > 0) words += ", " + human_count(count.failed) + " failed";
  words += ", " + human_rate(rate(count, now_ns)) + "/s";
  if (const auto eta = eta_ns(count, now_ns)) words += ", ETA " + human_duration(*eta);
  // The words are ASCII but for a µ, so bytes are columns closely enough from above.
  const int room = width - int(words.size()) - 4;
  if (!bar || !count.total || room < 10)
    return words.substr(0, std::size_t(std::max(width - 1, 0)));
  const int cells = std::min(room, 40);
  const int full = int(fraction * cells);
  std::string text = "[" + std::string(std::size_t(full), '#');
  if (full < cells) text += '>' + std::string(std::size_t(cells - full - 1), ' ');
  return text + "] " + words;
}

std::string Progress::summary(const ProgressCount& count, std::uint64_t now_ns) const {
  std::string text = human_count(count.done) + " done";
  if (count.skipped > 0) text += ", " + human_count(count.skipped) + " skipped";
  if (count.failed > 0) text += ", " + human_count(count.failed) + " failed";
  const std::uint64_t took = now_ns > started_ns_ ? now_ns - started_ns_ : 0;
  return text + ", in " + human_duration(took) + " (" + human_rate(rate(count, now_ns)) + "/s)";
}

}  // namespace jobring::cli
