// Fetches the pages of a site through an async pool, many at a time, and counts the words of all of
// them in one table.
//
//     scrape URL [PAGES_MAX]
//
// The worker fetches; this program only looks at what comes back, one page after the other in the
// order of completion. So the table needs no lock, though hundreds of fetches are under way. Links
// found on a page (href="/...") are fetched in turn. Needs a daemon whose pool "default" is async:
//
//     {"pools": {"default": {"model": "async"}}}
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include <jobring/http.hpp>
#include <jobring/jobring.hpp>

namespace {

std::set<std::string> links_of(std::string_view page) {
  constexpr std::string_view kMark = "href=\"";
  std::set<std::string> found;
  for (std::size_t at = page.find(kMark); at != page.npos; at = page.find(kMark, at)) {
    at += kMark.size();
    const std::string_view link = page.substr(at, page.find('"', at) - at);
    if (link.starts_with('/') && !link.starts_with("//")) found.emplace(link);
  }
  return found;
}

// Words outside of tags.
void count_words(std::string_view page, std::map<std::string, long>& words) {
  bool in_tag = false;
  std::string word;
  for (const char c : page) {
    if (c == '<') in_tag = true;
    if (!in_tag && std::isalpha(static_cast<unsigned char>(c))) {
      word += char(std::tolower(static_cast<unsigned char>(c)));
    } else if (!word.empty()) {
      ++words[word];
      word.clear();
    }
    if (c == '>') in_tag = false;
  }
  if (!word.empty()) ++words[word];
}

int scrape(const std::string& site, std::size_t pages_max) {
  jobring::Pool pool = jobring::Client::connect().pool();
  std::set<std::string> seen;
  std::map<std::string, long> words;
  std::size_t pages = 0, failed = 0;
  jobring::AsCompleted under_way;
  const auto fetch = [&](const std::string& path) {
    if (seen.size() >= pages_max || !seen.insert(path).second) return;
    jobring::HttpRequest request;
    request.url = site + path;
    under_way.add(pool.submit("http", jobring::http_payload(request)));
  };
  fetch("/");
  while (auto done = under_way.next()) {
    const jobring::JobResult& result = done->result();
    if (!result.ok()) {
      std::fprintf(stderr, "%s\n", result.text().c_str());
      ++failed;
      continue;
    }
    const jobring::HttpResult page = jobring::http_result(result.text());
    if (!page.report.ok()) {
      std::fprintf(stderr, "%s: %d\n", page.report.url.c_str(), page.report.status);
      ++failed;
      continue;
    }
    ++pages;
    count_words(page.body, words);
    for (const std::string& link : links_of(page.body)) fetch(link);
  }
  std::printf("%zu pages, %zu failed, %zu different words\n", pages, failed, words.size());
  for (const auto& [word, count] : words) std::printf("%s %ld\n", word.c_str(), count);
  return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: scrape URL [PAGES_MAX]   (http://host:port, without a path)\n");
    return 64;
  }
  try {
    return scrape(argv[1], argc == 3 ? std::strtoul(argv[2], nullptr, 10) : 10'000);
  } catch (const jobring::Exception& e) {
    std::fprintf(stderr, "scrape: %s\n", e.what());
    return e.exit_status();
  }
}
