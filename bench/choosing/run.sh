#!/usr/bin/env bash
# Measures which model wins for which kind of job, and draws docs/choosing.svg. Usage: bench/choosing/run.sh
# It prints the table, which is left in build/choosing.tsv. Nothing else should run on the machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v gnuplot >/dev/null || { echo "bench: gnuplot is missing: apt-get install gnuplot-nox" >&2; exit 77; }
cmake --preset release >/dev/null
cmake --build --preset release --target jobring_bench_choosing >/dev/null
echo "machine: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)" >&2
build/release/bin/jobring_bench_choosing | tee build/choosing.tsv
gnuplot -e "table='build/choosing.tsv'; picture='docs/choosing.svg'" bench/choosing/plot.gp
