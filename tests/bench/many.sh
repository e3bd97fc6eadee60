#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# CPU of the daemon by the number of endpoints: everything of it but libvirt, whose place the tests' fake hypervisor takes,
# asking local HTTP endpoints every 10 s. All sizes in one run, so that they share the machine's noise.
# usage: many.sh PROGRAM [SECONDS] [FIRST PORT]
set -euo pipefail

program=$1
seconds=${2:-60}
base=${3:-24000}
# Long enough for the first round, for the state files it writes, and for readiness; then the calm is measured.
warm=${WARM:-40}
sizes=("1 8" "8 10" "40 10" "200 10")
. "$(dirname "$0")/bed.sh"

ulimit -n 8192
total=0
for size in "${sizes[@]}"; do
	read -r guests services <<<"$size"
	total=$((total + guests * services))
done
"$program" serve "$base" "$total" >"$dir/serving" &
server=$!
pids+=("$server")
for _ in $(seq 100); do
	[ -s "$dir/serving" ] && break
	kill -0 "$server" 2>/dev/null || exit 1
	read -rt 0.05 <> <(:) || true
done

echo "asking $total endpoints every 10 s, $warm s to warm up and $seconds s measured, $(nproc) CPUs"
runs=()
for size in "${sizes[@]}"; do
	read -r guests services <<<"$size"
	mkdir "$dir/$guests"
	"$program" probe "$dir/$guests" "$base" "$guests" "$services" "$warm" "$seconds" >"$dir/$guests.out" &
	runs+=($!)
	pids+=($!)
	base=$((base + guests * services))
done
for run in "${runs[@]}"; do wait "$run"; done
for size in "${sizes[@]}"; do cat "$dir/${size% *}.out"; done | awk -v seconds="$seconds" '
BEGIN { printf "%7s %10s %8s %13s %10s %8s %8s\n", "guests", "endpoints", "probes", "CPU/probe ms", "of a core", "turns/s", "RSS MB" }
{
	printf "%7d %10d %8d %13.3f %9.2f%% %8s %8.1f\n", $1, $2, $3, $4 / $3 * 1e3, $4 / seconds * 100, $5, $6 / 1024
	share = $4 / seconds * 100
}
END { printf "aim: the last below 5%% of a core: %s\n", share < 5 ? "held" : "missed" }'
