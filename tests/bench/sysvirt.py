# SPDX-License-Identifier: Apache-2.0
"""A system libvirtd and virtlogd of the bench's own, beside whatever the machine runs: both in a private mount namespace
in which libvirt's directories are the bench's. So they have a QEMU driver of their own, start no network of the
machine's, and leave nothing behind; the sockets are seen from outside under the bench's directory."""

import os
import pathlib
import subprocess
import time

PLACES = {"run": "/run/libvirt", "lib": "/var/lib/libvirt", "etc": "/etc/libvirt", "cache": "/var/cache/libvirt",
          "log": "/var/log/libvirt"}

# As io/kvm.h tells: where root may use /dev/kvm and QEMU's user may not, libvirt probes QEMU again at every look-up. The guest
# runs under TCG in any case.
ENTER = """
set -eu
directory=$1
while read -r name place; do
	mkdir -p "$place"
	mount --bind "$directory/$name" "$place"
done <"$directory/places"
[ ! -e /dev/kvm ] || mount --bind "$directory/etc/qemu.conf" /dev/kvm
shift
exec "$@"
"""
QEMU_CONF = 'namespaces = []\nsecurity_driver = "none"\ncgroup_controllers = []\n'
LIBVIRTD_CONF = 'auth_unix_ro = "none"\nauth_unix_rw = "none"\nunix_sock_rw_perms = "0700"\n'


class SystemLibvirt:
    def __init__(self, directory):
        self.dir, self.processes = pathlib.Path(directory), []
        for name in PLACES:
            (self.dir / name).mkdir(parents=True)
        for name in ("", "lib", "run", "cache"):
            (self.dir / name).chmod(0o711)
        (self.dir / "places").write_text("".join(f"{n} {p}\n" for n, p in PLACES.items() if pathlib.Path(p).parent.is_dir()))
        (self.dir / "etc/qemu.conf").write_text(QEMU_CONF)
        (self.dir / "etc/libvirtd.conf").write_text(LIBVIRTD_CONF)
        self.uri = f"qemu:///system?socket={self.dir}/run/libvirt-sock"

    def start(self):
        for program, sock in (("virtlogd", "virtlogd-sock"), ("libvirtd", "libvirt-sock")):
            with open(self.dir / f"{program}.out", "wb") as log:
                self.processes.append(subprocess.Popen(
                    ["setpriv", "--pdeathsig", "TERM", "unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh", str(self.dir),
                     program, "-p", str(self.dir / f"{program}.pid")],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True))
            end = time.monotonic() + 20
            while not (self.dir / "run" / sock).exists():
                if self.processes[-1].poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{program} does not start: {(self.dir / f'{program}.out').read_text()[-500:]}")
                time.sleep(0.05)

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def kib(pid, file, key):
    """A size out of /proc/PID/status or smaps_rollup, in KiB."""
    for line in pathlib.Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    raise KeyError(key)


def entries(pid, directory):
    return len(os.listdir(f"/proc/{pid}/{directory}"))
