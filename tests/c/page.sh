#!/bin/sh
# page.sh PAGE BIN_DIR LIBRARY CC FLAG...: compiles and runs the examples of docs/api-c.md, the module
# in the workers of a daemon of its own.
set -eu
page=$1 bin=$2 library=$3
shift 3
work=$(mktemp -d)
daemon=
trap '[ -z "$daemon" ] || { kill "$daemon"; wait "$daemon" || true; }; rm -rf "$work"' EXIT
# The blocks of C: those that begin with #include are a module each, the others one function.
awk -v work="$work" '
  /^```c$/ { inside = 1; block = ""; next }
  /^```$/ && inside {
    inside = 0
    if (block ~ /^#include <jobring\/handler.h>/) printf "%s", block > (work "/square.c")
    else program = program block
    next
  }
  inside { block = block $0 "\n" }
  END {
    print "#include <stdio.h>\n#include <jobring/jobring.h>"
    print "static void use(const jobring_result* result) {"
    print "  printf(\"%.*s\\n\", (int)result->bytes_len, (const char*)result->bytes);"
    print "}\nint main(void) {\n" program
    print "  printf(\"%d %zu %d\\n\", report.exit_code, prepared, grant.token != 0);"
    print "  fprintf(stderr, \"%s\", jobring_last_error());"
    print "  return jobring_last_error()[0] != 0;\n}"
  }' "$page" > "$work/page.c"
"$@" -std=c99 -Wall -Wextra -Wpedantic -Werror -shared -fPIC -o "$work/square.so" "$work/square.c"
"$@" -std=c99 -Wall -Wextra -Wpedantic -Werror -o "$work/page" "$work/page.c" "$library" \
  -Wl,-rpath,"$(dirname "$library")"
printf '{"log": {"level": "error"}, "pools": {"default": {"workers": 1, "modules": ["%s"]}}, "keeper": {"state_dir": "%s"}}' \
  "$work/square.so" "$work/state" > "$work/config.json"
"$bin/jobringd" --config "$work/config.json" --socket "$work/socket" &
daemon=$!
tries=0
until JOBRING_SOCKET="$work/socket" "$bin/jobring" ping > "$work/ping" 2>&1; do
  tries=$((tries + 1))
  [ $tries -lt 500 ] || { cat "$work/ping" >&2; exit 1; }
  sleep 0.02
done
JOBRING_SOCKET="$work/socket" "$work/page" > "$work/said" || { cat "$work/said" >&2; exit 1; }
printf '49\n1\n4\nkept\n1\n4\n0 2 1\n' | diff - "$work/said"
