#!/usr/bin/env bash
# Installs the Debian packages that are missing, saying which and why. Needs root or sudo only if something is missing.
set -euo pipefail
list="$(cd "$(dirname "$0")" && pwd)/packages.txt"
missing=()
while read -r name why; do
  [[ -z "$name" || "$name" == \#* ]] && continue
  if [[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)" != installed ]]; then
    echo "setup: $name is missing: $why" >&2
    missing+=("$name")
  fi
done < "$list"
[[ ${#missing[@]} -eq 0 ]] && exit 0
sudo=()
if [[ $(id -u) -ne 0 ]]; then
  command -v sudo >/dev/null || { echo "setup: need root or sudo to install: ${missing[*]}" >&2; exit 77; }
  sudo=(sudo)
fi
echo "setup: installing ${missing[*]}" >&2
log=$(mktemp)
install() {
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1
}
# The package lists of a fresh machine are empty or old: refresh them only if the first try fails.
install || { "${sudo[@]}" apt-get update >>"$log" 2>&1 && install; } || {
  tail -n 20 "$log" >&2
  echo "setup: apt-get could not install: ${missing[*]}" >&2
  rm -f "$log"
  exit 1
}
rm -f "$log"
