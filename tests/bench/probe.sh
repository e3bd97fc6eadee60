#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# CPU per probe and memory of HAProxy, monit and our prober, all three asking the same eight local
# HTTP endpoints once a second in the same run. usage: probe.sh [SECONDS]
# Needs haproxy, monit, cc and the libraries of the daemon; says which is missing and exits 77.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-60}
ports=8
warm=5
. tests/bench/bed.sh

export PATH=$PATH:/usr/sbin
for program in haproxy monit cc pkg-config; do
	command -v "$program" >/dev/null || { echo "probe.sh: $program is missing" >&2; exit 77; }
done

cc -O2 -std=gnu11 -D_GNU_SOURCE -DMEDIAKIT_VERSION='"bench"' -Iinclude -o "$dir/bench" \
	tests/bench/probe_bench.c src/io/http*.c src/io/tcp.c src/base/time.c \
	src/model/{answer,report,cborscan,utf8}.c \
	$(pkg-config --cflags --libs libcurl libsystemd libcbor)

: >"$dir/ports"
"$dir/bench" serve $ports >"$dir/ports" &
pids+=($!)
for _ in $(seq 100); do
	[ "$(wc -l <"$dir/ports")" -eq $ports ] && break
	read -rt 0.05 <> <(:) || true
done
mapfile -t port <"$dir/ports"

# One thread, since more only add to its CPU. HAProxy does not start without any listener; the
# socket is never used.
{
	printf 'global\n\tnbthread 1\n\tstats socket %s/haproxy.sock\n' "$dir"
	printf 'defaults\n'
	printf '\ttimeout %s 2s\n' connect server client check
	printf 'backend guest\n\toption httpchk GET /healthz\n'
	for p in "${port[@]}"; do printf '\tserver s%s 127.0.0.1:%s check inter 1s\n' "$p" "$p"; done
} >"$dir/haproxy.cfg"
{
	printf 'set daemon 1\n'
	printf 'set %sfile '"$dir"'/monit.%s\n' pid pid id id state state
	for p in "${port[@]}"; do
		printf 'check host s%s with address 127.0.0.1\n\tif failed port %s' "$p" "$p"
		printf ' protocol http request "/healthz" with timeout 2 seconds then alert\n'
	done
} >"$dir/monitrc"
chmod 0600 "$dir/monitrc"

haproxy -q -db -f "$dir/haproxy.cfg" 2>"$dir/haproxy.log" &
haproxy=$!
monit -I -c "$dir/monitrc" >"$dir/monit.log" 2>&1 &
monit=$!
"$dir/bench" probe /healthz "${port[@]}" &
ours=$!
pids+=("$haproxy" "$monit" "$ours")

counts() {
	exec 9<>"/dev/tcp/127.0.0.1/${port[0]}"
	printf 'GET /count HTTP/1.0\r\n\r\n' >&9
	tail -n 1 <&9
	exec 9>&-
}

# Nanoseconds on a CPU, over all threads. /proc/PID/stat counts in hundredths of a second, too coarse here.
cpu() {
	cat /proc/"$1"/task/*/schedstat | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

sleep "$warm"
for pid in "${pids[@]}"; do
	kill -0 "$pid" 2>/dev/null && continue
	cat "$dir"/*.log >&2
	echo "probe.sh: a prober died" >&2
	exit 1
done
before=$(counts)
cpus_before="$(cpu $haproxy) $(cpu $monit) $(cpu $ours)"
sleep "$seconds"
cpus_after="$(cpu $haproxy) $(cpu $monit) $(cpu $ours)"
after=$(counts)
memory() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"; }
rss="$(memory $haproxy VmRSS) $(memory $monit VmRSS) $(memory $ours VmRSS)"
anon="$(memory $haproxy RssAnon) $(memory $monit RssAnon) $(memory $ours RssAnon)"

echo "$ports endpoints, each asked once a second for $seconds s, $(nproc) CPUs"
awk -v b="$before" -v a="$after" -v cb="$cpus_before" -v ca="$cpus_after" \
	-v rss="$rss" -v anon="$anon" 'BEGIN {
	split("haproxy monit ours", name)
	split(b, before); split(a, after); split(cb, cpu_before); split(ca, cpu_after)
	split(rss, resident); split(anon, private)
	for (i = 1; i <= 3; i++) {
		n[i] = after[i] - before[i]
		cost[i] = n[i] > 0 ? (cpu_after[i] - cpu_before[i]) / n[i] / 1e6 : 0
	}
	printf "%-8s %7s %13s %8s %11s %10s\n", "", "probes", "CPU/probe ms", "RSS MB", "private MB", "ours/this"
	for (i = 1; i <= 3; i++)
		printf "%-8s %7d %13.3f %8.1f %11.1f %10.2f\n", name[i], n[i], cost[i],
			resident[i] / 1024, private[i] / 1024, (cost[i] > 0 ? cost[3] / cost[i] : 0)
}'
