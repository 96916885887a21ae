// Where the product's source names a memory order, and one of these weakened for a run.
//
//   JOBRING_SITES=FILE   writes each access that the run made: file line column which order
//   JOBRING_WEAKEN=file:line:column:which:order   uses this order there (0 relaxed ... 5 seq_cst)
//
// So a mutation of a memory order needs no compiler (mutate.py).
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <tuple>

#include "atomic.hpp"

namespace explore {
namespace {

struct Weakening {
  std::string file;
  unsigned line = 0, column = 0;
  int which = 0, order = 0;
  Weakening() {
    const char* given = std::getenv("JOBRING_WEAKEN");
    if (given == nullptr) return;
    char name[256];
    if (std::sscanf(given, "%255[^:]:%u:%u:%d:%d", name, &line, &column, &which, &order) != 5)
      std::abort();
    file = name;
  }
};

// Written at the end of the process.
struct Sites {
  const char* path = std::getenv("JOBRING_SITES");
  std::set<std::tuple<std::string, unsigned, unsigned, int, int>> seen;
  ~Sites() {
    if (path == nullptr) return;
    std::FILE* out = std::fopen(path, "w");
    if (out == nullptr) return;
    for (const auto& [file, line, column, which, order] : seen)
      std::fprintf(out, "%s %u %u %d %d\n", file.c_str(), line, column, which, order);
    std::fclose(out);
  }
};

const Weakening weakening;
Sites sites;

}  // namespace

std::memory_order order_at(const Site& site, int which, std::memory_order written) {
  if (sites.path != nullptr)
    sites.seen.insert({site.file_name(), site.line(), site.column(), which, int(written)});
  if (site.line() != weakening.line || site.column() != weakening.column ||
      which != weakening.which || !std::string(site.file_name()).ends_with(weakening.file)) {
    return written;
  }
  return std::memory_order(weakening.order);
}

}  // namespace explore
