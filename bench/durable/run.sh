#!/usr/bin/env bash
# Measures durable jobs against their promises, all on the same disk and in one run: next to bare SQLite, and to Redis, beanstalkd and
# task-spooler if they are installed. Usage: bench/durable/run.sh [--dir DIR] [--rounds N] [SUBJECT...]
# (DIR: a directory on the disk that is meant; default: the build folder.) Nothing else should run on the machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset release >/dev/null
cmake --build --preset release --target jobring_bench_durable >/dev/null
parent=$PWD/build
[[ ${1:-} == --dir ]] && { parent=$2; shift 2; }
work=$(mktemp -d "$parent/bench-durable-XXXXXX")
pids=()
finish() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" || true; done; rm -rf "$work"; }
trap finish EXIT
peers=()
if command -v redis-server >/dev/null; then
  redis-server --port 0 --unixsocket "$work/redis.sock" --dir "$work" --appendonly yes --appendfsync always --save '' --loglevel warning >/dev/null &
  pids+=($!); peers+=(--redis "$work/redis.sock")
  until [[ -S $work/redis.sock ]]; do sleep 0.05; done
else echo "note: redis-server is not installed, so nothing is compared with it" >&2; fi
if command -v beanstalkd >/dev/null; then
  mkdir "$work/log"
  beanstalkd -l "unix:$work/beanstalkd.sock" -b "$work/log" -f 0 &
  pids+=($!); peers+=(--beanstalkd "$work/beanstalkd.sock")
  until [[ -S $work/beanstalkd.sock ]]; do sleep 0.05; done
else echo "note: beanstalkd is not installed, so nothing is compared with it" >&2; fi
command -v tsp >/dev/null || echo "note: task-spooler is not installed, so nothing is compared with it" >&2
echo "machine: $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)" >&2
build/release/bin/jobring_bench_durable --dir "$work" "${peers[@]}" "$@"
