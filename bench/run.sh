#!/usr/bin/env bash
# Builds the release preset and measures. Usage: bench/run.sh [--quick] [--json] [SUBJECT...]
# Subjects: throughput round_trip commands payloads clients idle command_line objects. Nothing else should run on the machine.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
cmake --preset release >/dev/null
cmake --build --preset release --target jobring_bench >/dev/null
{
  echo "machine:  $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores"
  echo "kernel:   $(uname -r)"
  echo "compiler: $(c++ --version | head -n 1)"
  echo "load:     $(cut -d' ' -f1-3 /proc/loadavg)"
  command -v tsp >/dev/null || echo "note:     task-spooler is not installed, so jobring run is not compared with it"
} >&2
exec build/release/bin/jobring_bench "$@"
