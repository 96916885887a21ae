#!/usr/bin/env bash
# Measures async pools against their promises, all in one run: 10,000 sleeps of 2 s on one worker, and 10,000 pages of a
# local nginx by one worker, by `curl --parallel` and by `wrk`. Usage: bench/async/run.sh. Nothing else should run.
set -euo pipefail
cd "$(dirname "$0")/../.."
for tool in nginx wrk curl; do
  if ! command -v "$tool" >/dev/null && [[ ! -x /usr/sbin/$tool ]]; then
    echo "bench: $tool is missing: apt-get install nginx-light wrk curl" >&2
    exit 77
  fi
done
cmake --preset release >/dev/null
cmake --build --preset release --target jobring_bench_async >/dev/null
pages=10000
port=${JOBRING_BENCH_PORT:-18080}
work=$(mktemp -d)
chmod 755 "$work"  # nginx reads the site as another user if this runs as root
nginx_bin=$(command -v nginx || echo /usr/sbin/nginx)
mkdir "$work/site"
head -c 1024 /dev/zero | tr '\0' x >"$work/site/page"
cat >"$work/nginx.conf" <<CONF
worker_processes 1; pid $work/pid; error_log $work/error.log; daemon off;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000; client_body_temp_path $work/a; proxy_temp_path $work/b;
  fastcgi_temp_path $work/c; uwsgi_temp_path $work/d; scgi_temp_path $work/e;
  server { listen 127.0.0.1:$port; root $work/site; } }
CONF
"$nginx_bin" -c "$work/nginx.conf" &
nginx_pid=$!
trap 'kill $nginx_pid; wait $nginx_pid || true; rm -rf "$work"' EXIT
curl --silent --fail --retry 50 --retry-delay 1 --retry-all-errors --max-time 50 --output "$work/page" "http://127.0.0.1:$port/page" ||
  { echo "bench: nginx does not answer on port $port:" >&2; cat "$work/error.log" >&2; exit 1; }

server=$(pgrep -P "$nginx_pid" | head -n 1)
server_us() {  # its processor time so far
  local ns rest
  read -r ns rest <"/proc/$server/schedstat"
  echo $((ns / 1000))
}

echo "machine: $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)" >&2
build/release/bin/jobring_bench_async sleep
for round in 1 2 3; do
  before=$(server_us)
  ours=$(build/release/bin/jobring_bench_async pages "http://127.0.0.1:$port/page" $pages)
  ours_server=$(($(server_us) - before))
  # 64 connections each, as a worker has to one server.
  for ((i = 0; i < pages; ++i)); do printf 'url = "http://127.0.0.1:%s/page"\noutput = "/dev/null"\n' "$port"; done >"$work/urls"
  begin=$(date +%s%N)
  curl --silent --no-progress-meter --parallel --parallel-max 64 --config "$work/urls"
  curl_rate=$((pages * 1000000000 / ($(date +%s%N) - begin)))
  before=$(server_us)
  TIMEFORMAT='%U %S'
  { time wrk -t1 -c64 -d2s "http://127.0.0.1:$port/page" >"$work/wrk"; } 2>"$work/wrk_time"
  wrk_server=$(($(server_us) - before))
  read -r wrk_rate wrk_pages < <(awk '/Requests\/sec/ {rate = int($2)} / requests in / {n = $1} END {print rate, n}' "$work/wrk")
  read -r wrk_user wrk_system <"$work/wrk_time"
  read -r rate worker client <<<"$ours"
  awk -v o="$rate" -v c="$curl_rate" -v w="$wrk_rate" -v r=$round 'BEGIN {
    printf "round %d: pages/s: jobring %d, curl %d, wrk %d; jobring/curl %.2f (promised 1), jobring/wrk %.2f (promised 0.5)\n",
      r, o, c, w, o / c, o / w }'
  # What other programs on the machine change least.
  awk -v worker="$worker" -v client="$client" -v nginx=$((ours_server)) -v n=$pages -v wrk_nginx="$wrk_server" \
    -v user="$wrk_user" -v sys="$wrk_system" -v wrk_n="$wrk_pages" -v r=$round 'BEGIN {
    nginx /= n; wrk = (user + sys) * 1e6 / wrk_n; wrk_nginx /= wrk_n
    printf "round %d: processor time a page, us: worker %.1f, client %.1f, nginx %.1f; wrk %.1f, nginx %.1f; in all, jobring/wrk %.2f\n",
      r, worker, client, nginx, wrk, wrk_nginx, (worker + client + nginx) / (wrk + wrk_nginx) }'
done
