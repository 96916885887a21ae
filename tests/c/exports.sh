#!/bin/sh
# exports.sh LIBRARY INCLUDE_DIR CC: what the shared library shows is what the header declares.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Declarations as the compiler sees them: without comments, one after the other.
printf '#include <jobring/jobring.h>\n' | "$3" -std=c11 -I"$2" -E -P -x c - | tr '\n' ' ' |
  tr ';{}' '\n\n\n' | grep -v typedef | grep -o 'jobring_[a-z0-9_]* *(' | tr -d ' (' |
  sort -u > "$work/declared"
nm -D --defined-only --format=posix "$1" | awk '$2 != "A" { sub("@.*", "", $1); print $1 }' |
  sort -u > "$work/shown"
if [ "$(wc -l < "$work/declared")" -lt 40 ]; then
  echo "only $(wc -l < "$work/declared") declarations were found" >&2
  exit 1
fi
diff "$work/declared" "$work/shown" || { echo "declared (<) and shown (>) differ" >&2; exit 1; }
