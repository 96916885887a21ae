#!/usr/bin/env bash
# Checks one model with SPIN, or its mutations.
#
#   run.sh check NAME BUILD_DIR      every bound that the model names must hold
#   run.sh mutations NAME BUILD_DIR  every MUTATE_* in the model must make some bound fail
#
# A model says in its head what it is checked with, one bound a line:
#   //run FLAGS       safety: assertions, and no state in which somebody waits for ever
#   //check FLAGS     the same, but mutations are not tried on it: it takes too long
#   //live FLAGS      its ltl formula, under weak fairness
#   //more, morelive  the same with larger bounds, only with JOBRING_EXHAUSTIVE=1
# Memory of one search is bounded: JOBRING_MODEL_MEMORY, MiB, 1800 by default (exhaustive: 16000).
set -euo pipefail
mode=$1 name=$2 build=$3
here=$(cd "$(dirname "$0")" && pwd)
exhaustive=${JOBRING_EXHAUSTIVE:-0}
memory=${JOBRING_MODEL_MEMORY:-$([[ $exhaustive == 1 ]] && echo 16000 || echo 1800)}

bounds() { sed -n "s|^//$1  *||p" "$here/$name.pml"; }

# search KIND FLAGS: leaves what pan said in $out. 0: nothing found; 1: an error found; 2: not a full search.
search() {
  local kind=$1 flags=$2 level=-O2 c_flags run_flags
  [[ $mode == mutations ]] && level=-O1
  local place
  place=$(mktemp -d "$build/$name.XXXXXX")
  if [[ $kind == live ]]; then
    c_flags="-DNFAIR=3" run_flags="-a -f"
  else
    c_flags="-DSAFETY -DNOCLAIM" run_flags=""
  fi
  # shellcheck disable=SC2086
  out=$(cd "$place" && ulimit -c 0 &&
    spin -a $flags "$here/$name.pml" >spin.log 2>&1 || { cat spin.log; exit 1; }
    cd "$place" && cc $level -w -DCOLLAPSE -DMEMLIM="$memory" $c_flags -o pan pan.c 2>&1 &&
      nice ./pan -m500000 -n $run_flags 2>&1) || { rm -rf "$place"; echo "$out"; return 2; }
  rm -rf "$place"
  grep -q 'errors: [1-9]' <<<"$out" && return 1
  # A search that was cut short proves nothing.
  grep -q 'errors: 0' <<<"$out" || return 2
  grep -Eq 'Search not completed|max search depth too small|reached -DMEMLIM|out of memory' <<<"$out" && return 2
  return 0
}

figures() {
  local states seconds
  states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' <<<"$out")
  seconds=$(sed -n 's/^pan: elapsed time \([0-9.e+-]*\) seconds.*/\1/p' <<<"$out")
  printf '%.0f states, %s s' "$states" "$seconds"
}

mkdir -p "$build"
failed=0

if [[ $mode == check ]]; then
  kinds=(run check live)
  [[ $exhaustive == 1 ]] && kinds+=(more morelive)
  for kind in "${kinds[@]}"; do
    while read -r flags; do
      what=safety
      [[ $kind == *live ]] && what=live
      status=0
      search "$what" "$flags" </dev/null || status=$?
      if [[ $status == 0 ]]; then
        echo "$name $what $flags: holds, $(figures)"
      else
        [[ $status == 1 ]] && echo "$name $what $flags: FAILS" || echo "$name $what $flags: NOT A FULL SEARCH"
        sed 's/^/  /' <<<"$out"
        failed=1
      fi
    done < <(bounds "$kind")
  done
else
  caught=0 made=0
  # The names come from the model itself: none can be left out.
  for mutation in $(grep -o 'MUTATE_[A-Z_]*' "$here/$name.pml" | sort -u); do
    made=$((made + 1))
    found=
    for kind in run live; do
      while read -r flags; do
        status=0
        search "$([[ $kind == live ]] && echo live || echo safety)" "$flags -D$mutation" || status=$?
        if [[ $status == 1 ]]; then
          found="$kind $flags: $(grep -m1 '^pan:[0-9]*:' <<<"$out" || true)"
          break 2
        fi
      done < <(bounds $kind)
    done
    if [[ -n $found ]]; then
      caught=$((caught + 1))
      echo "$name $mutation: caught by $found"
    else
      echo "$name $mutation: UNNOTICED"
      failed=1
    fi
  done
  echo "$name: $caught of $made mutations caught"
  [[ $made -gt 0 ]] || failed=1
fi
exit $failed
