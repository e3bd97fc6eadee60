# SPDX-License-Identifier: Apache-2.0
# A daemon of one's own on the embedded driver: configuration, state, sockets and log under one directory, which
# QEMU's user can reach. Sourced by the demo and the tests, which set TOP, BUILD and BED first.

bed_command() {
	"$BUILD/bin/mediakitd" "$@"
}

# bed_config IMAGE_DIR: the shipped configuration, with the stand-in image in a drop-in.
bed_config() {
	bed_shipped
	rm -f "$BED/config/guests.d/vm-mediakit.conf.d/50-ubuntu.conf"
	bed_standin "$1" >"$BED/config/guests.d/vm-mediakit.conf.d/50-standin.conf"
}

# The shipped configuration with its own image; only the stand-in services are added, in the seed.
bed_ubuntu() {
	bed_shipped
	printf '[CloudInit]\nVendorData=%s\nEveryBoot=no\n' "$BED/vendor-data" >"$BED/config/guests.d/vm-mediakit.conf.d/50-ubuntu.conf"
}

bed_shipped() {
	mkdir -p "$BED"
	chmod 0711 "$BED"
	mkdir -p "$BED/config/guests.d/vm-mediakit.conf.d"
	cp "$TOP/units/guests.d/vm-mediakit.conf" "$BED/config/guests.d/"
	cat >"$BED/config/mediakitd.conf" <<END
[Daemon]
Connection=qemu:///embed?root=$BED/libvirt
StateDirectory=$BED/state
RuntimeDirectory=$BED/run
END
	# OFFSET= moves the host ports where 10000 and up are taken.
	if [ -n "${OFFSET:-}" ]; then
		printf '[Network]\nPortOffset=%s\nSSHPort=%s\n' "$OFFSET" $((OFFSET + 22)) \
			>"$BED/config/guests.d/vm-mediakit.conf.d/60-offset.conf"
	fi
	"$TOP/tests/standin/vendor-data" >"$BED/vendor-data.tmp"
	mv "$BED/vendor-data.tmp" "$BED/vendor-data"
}

# The keys that put a guest on the stand-in image: direct kernel boot, its stand-in services in the seed.
bed_standin() {
	cat <<END
[Guest]
Accel=tcg

[Image]
Path=$1/standin.qcow2
SHA256=$(awk '$2 ~ /standin.qcow2$/ { print $1 }' "$1/SHA256SUMS")
Kernel=$1/vmlinux
Initrd=$1/initrd.img
Cmdline=$(cat "$1/cmdline")

[CloudInit]
VendorData=$BED/vendor-data
EveryBoot=no
END
}

bed_pid() {
	[ -s "$BED/daemon.pid" ] && kill -0 "$(cat "$BED/daemon.pid")" 2>/dev/null && cat "$BED/daemon.pid"
}

# Starts the daemon unless it runs; returns once it answers.
bed_daemon() {
	bed_pid >/dev/null && return 0
	export MEDIAKIT_RUNTIME="$BED/run" MEDIAKIT_TEMPLATES="$TOP/cloud-init"
	setsid "$BUILD/bin/mediakitd" run --config="$BED/config" </dev/null >>"$BED/daemon.log" 2>&1 &
	echo $! >"$BED/daemon.pid"
	for _ in $(seq 100); do
		[ ! -S "$BED/run/status" ] || return 0
		bed_pid >/dev/null || break
		sleep 0.1
	done
	echo "the daemon does not answer; its last words:" >&2
	tail -n 5 "$BED/daemon.log" >&2
	return 1
}

# Ends the daemon; guests go on.
bed_daemon_end() {
	pid=$(bed_pid) || return 0
	kill -TERM "$pid"
	for _ in $(seq 100); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	rm -f "$BED/daemon.pid"
}

# What is left of QEMU, by the pid files of the embedded driver: only ours, whatever else runs here.
bed_reap() {
	for file in "$BED"/libvirt/run/qemu/*.pid "$BED"/libvirt/run/*/*.pid; do
		[ -s "$file" ] || continue
		pid=$(cat "$file")
		case $(cat "/proc/$pid/comm" 2>/dev/null) in
		qemu-system*) kill -TERM "$pid" 2>/dev/null || : ;;
		esac
	done
}
