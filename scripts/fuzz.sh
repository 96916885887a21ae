#!/usr/bin/env bash
# Fuzzes one target for long, from the corpus of earlier runs, and prints executions and coverage.
# Usage: scripts/fuzz.sh channel|messages|config [SECONDS, 3600 by default] [PRESET, release by default]
# The corpus and what crashes are kept in build/fuzz/TARGET; a crash is replayed by giving its file to build/PRESET/bin/fuzz_TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?which target: channel, messages or config}
seconds=${2:-3600}
preset=${3:-release}
case $target in
  channel) length=512 ;;
  messages) length=8192 ;;
  config) length=4096 ;;
  *) echo "unknown target $target" >&2; exit 64 ;;
esac
program=build/$preset/bin/fuzz_$target
if [[ ! -x $program ]]; then cmake --preset "$preset" >/dev/null; fi
cmake --build --preset "$preset" --target "fuzz_$target" >/dev/null
corpus=build/fuzz/$target/corpus
mkdir -p "$corpus"
log=build/fuzz/$target/log
status=0
# -timeout=0: the timer's signal belongs to the worker in the channel target, which has a watch of its own.
"$program" -max_total_time="$seconds" -max_len="$length" -timeout=0 -len_control=0 -rss_limit_mb=4096 -print_final_stats=1 \
  -artifact_prefix="build/fuzz/$target/" "$corpus" >"$log" 2>&1 || status=$?
last=$(grep -E '^#[0-9]+.*cov: ' "$log" | tail -1)
executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
echo "$target: ${executed:-0} executions, ${rate:-0} a second, $(sed -E 's/.*cov: ([0-9]+) ft: ([0-9]+).*/\1 edges, \2 features/' <<<"$last"), $(grep -m1 -oE '[0-9]+ inline 8-bit counters' "$log" | cut -d' ' -f1) edges in all"
if ((status != 0)); then
  grep -E 'ERROR|violated|runtime error|SUMMARY|Test unit written' "$log" >&2 || true
  echo "see $log" >&2
fi
exit "$status"
