/* One program of many cases: c_tests CASE... runs them, without arguments all. */
#include <stdio.h>

#include "check.h"

#define CASE(function, sentence) void function(void);
#include "cases.h"
#undef CASE

static const struct {
  const char* name;
  const char* sentence;
  void (*run)(void);
} cases[] = {
#define CASE(function, sentence) {#function, sentence, function},
#include "cases.h"
#undef CASE
};

int main(int argc, char** argv) {
  int ran = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    int wanted = argc == 1;
    for (int a = 1; a < argc; ++a) wanted |= strcmp(argv[a], cases[i].name) == 0;
    if (!wanted) continue;
    const int before = check_failures();
    cases[i].run();
    ++ran;
    if (check_failures() != before) fprintf(stderr, "FAILED: %s\n", cases[i].sentence);
  }
  if (ran != (argc == 1 ? (int)(sizeof cases / sizeof *cases) : argc - 1)) {
    fprintf(stderr, "no such case\n");
    return 2;
  }
  return check_failures() == 0 ? 0 : 1;
}
