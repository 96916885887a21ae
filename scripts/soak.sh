#!/usr/bin/env bash
# Kills workers, clients and daemons at random for as long as you like, and audits every job.
# Usage: scripts/soak.sh [--hours H | --minutes M] [--seed N] [other options: --help]; PRESET=asan for another build.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${PRESET:-release}
scripts/setup.sh
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset" --target jobring-soak >/dev/null
exec nice "build/$preset/bin/jobring-soak" "$@"
