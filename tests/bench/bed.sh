# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A directory, and programs in the background whose pids are put into pids: both are gone at the end, however it comes.
# Sourced by the measurements.
dir=$(mktemp -d)
pids=()

finish() {
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM
