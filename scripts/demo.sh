#!/usr/bin/env bash
# Sets up, builds, and does real work with a private daemon and config.example.json. Leaves nothing running.
# Usage: scripts/demo.sh [DIRECTORY]   whose files are hashed; /usr/share/doc by default
set -euo pipefail
cd "$(dirname "$0")/.."
tree=${1:-/usr/share/doc}
say() { printf '\n\033[1m== %s\033[0m\n' "$*" >&2; }
[[ -t 2 ]] || say() { printf '\n== %s\n' "$*" >&2; }

say "Setting up and building (Release)"
scripts/setup.sh
cmake --preset release >/dev/null
cmake --build --preset release
export PATH="$PWD/build/release/bin:$PATH"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The example's config, with the example's module: what a user would write into it.
config="$work/config.json"
sed "s#\"modules\": \[\]#\"modules\": [\"$PWD/build/release/modules/square.so\"]#" config.example.json > "$config"
jobringd --check-config --config "$config" >&2
export JOBRING_CONFIG="$config"
unset JOBRING_SOCKET

say "Hashing every file below $tree with jobring map sha256sum {}"
find "$tree" -type f | sort > "$work/files"
echo "$(wc -l < "$work/files") files" >&2
bar=(); [[ -t 2 ]] && bar=(--bar)
time jobring map --private "${bar[@]}" -k -a "$work/files" sha256sum {} > "$work/hashed"
xargs -d '\n' sha256sum < "$work/files" > "$work/direct"
if cmp -s "$work/hashed" "$work/direct"; then
  echo "the same $(wc -l < "$work/direct") lines as sha256sum itself prints" >&2
else
  echo "demo: the hashes differ from those that sha256sum prints" >&2
  exit 1
fi

say "The C++ handler square over 0..9"
squares=$(square_map "$config")
echo "$squares"
[[ "$squares" == "[0, 1, 4, 9, 16, 25, 36, 49, 64, 81]" ]] || { echo "demo: that is wrong" >&2; exit 1; }

say "Jobs that outlive everything: submitted, the whole daemon killed, started again"
export JOBRING_SOCKET="$work/socket"
sed "s#\"state_dir\": \"auto\"#\"state_dir\": \"$work/state\"#" "$config" > "$work/durable.json"
start() {
  jobringd --socket "$JOBRING_SOCKET" --config "$work/durable.json" 2> "$work/log" &
  daemon=$!
  until jobring ping > /dev/null 2>&1; do
    kill -0 "$daemon" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
    sleep 0.05
  done
}
start
trap 'kill -9 "$daemon" 2>/dev/null || true; rm -rf "$work"' EXIT
group=$(jobring submit --array 1-200%4 --retries 3 --backoff 10ms -c 'echo $((JOBRING_INDEX * JOBRING_INDEX))')
kill -9 "$daemon"; wait "$daemon" 2>/dev/null || true
start
jobring wait "$group"
sum=0
while read -r square; do sum=$((sum + square)); done < <(for ((i = 1; i <= 200; ++i)); do jobring logs $((group + i)); done)
jobring status >&2
kill "$daemon"; wait "$daemon" || { cat "$work/log" >&2; exit 1; }
echo "$sum"
[[ "$sum" == 2686700 ]] || { echo "demo: that is not the sum of the squares of 1 to 200" >&2; exit 1; }
unset JOBRING_SOCKET

say "Throughput and latency"
jobring bench --private --seconds 2

say "Nothing is left behind"
left=$(pgrep -f "$PWD/build/release/bin/jobring" || true)
[[ -z "$left" ]] || { echo "demo: still running: $left" >&2; exit 1; }
echo "no process, no socket, no shared memory" >&2
