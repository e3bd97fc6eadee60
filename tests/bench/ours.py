# SPDX-License-Identifier: Apache-2.0
"""Our contender, on the bed of the guest tests: `mediakitd` as an operator would run it, on ports of the bench's choice."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import figures
import ports

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/guest"))
import bed as testbed  # noqa: E402

GUEST = "vm-mediakit"
HEALTHY = 600  # seconds that `wait` may take


class Ours(testbed.Bed):
    def __init__(self, directory, offset, image=testbed.IMAGE, name="standin"):
        super().__init__(directory)
        # The monitor that the tests add is no part of the guest as it is run.
        del self.environ["MEDIAKIT_TEST_QMP"]
        drop_ins = f"guests.d/{GUEST}.conf.d"
        self.write(f"guests.d/{GUEST}.conf", (TOP / f"units/guests.d/{GUEST}.conf").read_text())
        self.write(f"{drop_ins}/50-standin.conf", self.standin(image, name))
        self.write(f"{drop_ins}/60-bench.conf", f"[Guest]\nAutostart=no\n[Network]\nPortOffset={offset}\nSSHPort={offset + 22}\n")

    def command(self, *words):
        """A verb that has to succeed."""
        done = self.mediakitd(*words)
        if done.returncode != 0:
            raise RuntimeError(f"mediakitd {' '.join(words)}: exit {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def images(self):
        return self.state / "images" / GUEST

    def base(self):
        return next(self.images().glob("base-*.qcow2"))

    def provision(self):
        self.command("provision", f"--config={self.config}", GUEST)

    def fresh_disk(self):
        self.command("provision", f"--config={self.config}", f"--replace-disk={GUEST}", GUEST)
        for old in self.images().glob("disk.qcow2.old-*"):
            old.unlink()

    def start(self):
        self.starting = subprocess.Popen([testbed.MEDIAKITD, "start", GUEST], env=self.environ,
                                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.PIPE, text=True)

    def check(self):
        if self.starting.poll() not in (None, 0):
            raise RuntimeError(f"mediakitd start: exit {self.starting.returncode}: "
                               f"{self.starting.stderr.read().strip()[-500:]}")

    def pid(self):
        return self.qemu_pids().get(GUEST)

    def wait_healthy(self):
        self.starting.communicate()
        self.check()
        self.command("wait", GUEST, "--for=healthy", f"--timeout={HEALTHY}s")

    def stop(self):
        self.command("stop", GUEST)
        return self.guest()["last_exit"]["cause"]

    def save(self):
        self.command("stop", GUEST, "--save")
        if (cause := self.guest()["last_exit"]["cause"]) != "saved":
            raise RuntimeError(f"stop --save: {cause}")

    def settle(self, seconds=60):
        """Until the guest has noted that cloud-init has been through, or will not."""
        done = "systemctl show -P ActiveState mediakit-complete.service cloud-final.service"
        with contextlib.suppress(testbed.Stop):
            self.wait(lambda: (w := self.ssh(done, check=False)) and "activating" not in w, seconds, "cloud-init's end")

    def starts(self):
        """How often this daemon has started the guest, by its own log. More often than it was told to: it saw a boot come to
        nothing and started the guest again."""
        return sum(line.endswith("-> starting") for line in self.log.read_text(errors="replace").splitlines())

    def kill(self):
        self.mediakitd("kill", "--yes", GUEST)


def wait_free(offset, seconds=10):
    """The ports of a guest that has just gone may linger for a moment."""
    end = time.monotonic() + seconds
    while (left := ports.taken(offset)) and time.monotonic() < end:
        time.sleep(0.1)
    if left:
        sys.exit(f"bench: somebody listens on {', '.join(map(str, left))}: end that, or give another OFFSET=")


def make_directory():
    """Beside the demo's, on a disk and not in memory. The name is short because libvirt puts the guest agent's socket 77
    bytes below, and a socket's path holds 107."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="mkb-", dir="/var/tmp"))
    directory.chmod(0o711)
    return directory


def run(name, measure):
    """Runs measure(directory, cleanup) and ends with what is true of it; what it put on the ExitStack `cleanup` happens on
    every exit, and no second Ctrl-C cuts it short."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    directory, cleanup, code = make_directory(), contextlib.ExitStack(), 0
    try:
        measure(directory, cleanup)
    except (RuntimeError, subprocess.SubprocessError, testbed.Stop) as error:
        code = f"{name}: {error}"
    finally:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        cleanup.close()
        if os.environ.get("KEEP_BED"):
            figures.say(f"kept: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    sys.exit(code)
