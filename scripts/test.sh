#!/usr/bin/env bash
# Sets up, builds and runs every test. Usage: scripts/test.sh [PRESET] [ctest options]; PRESET is release by default.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=release
if [[ $# -gt 0 && "$1" != -* ]]; then preset=$1; shift; fi
scripts/setup.sh
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset"
exec ctest --preset "$preset" "$@"
