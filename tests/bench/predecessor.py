# SPDX-License-Identifier: Apache-2.0
"""The predecessor's guest: QEMU by hand, as vm-mediakit.service ran it. Its forwards are bound on
127.0.0.1 and not on all interfaces, because a measurement is no reason to open ports; its seed is a virtio disk, as ours is,
because the stand-in looks for no other."""

import contextlib
import socket
import subprocess
import time

import ports

PANIC = (b"Kernel panic", b"Oops:")
LOGIN = b" login: "
STUCK = 90      # seconds without a byte on the serial line, before the ports have answered
POWER = 5       # seconds between two presses of the power button
SHUTDOWN = 180  # seconds after which the power is cut, as with ours


class Panic(Exception):
    """A boot that came to nothing for no fault of the command line."""


class Predecessor:
    def __init__(self, directory, base, seed, offset):
        self.dir, self.base, self.seed, self.offset = directory, base, seed, offset
        self.overlay, self.serial, self.monitor = (directory / n for n in ("disk.qcow2", "serial.log", "monitor"))
        self.qemu = None
        directory.mkdir()

    def command(self):
        forwards = ",".join(f"hostfwd=tcp:127.0.0.1:{p + self.offset}-:{p}" for p in (22, *ports.SERVICES.values()))
        # In a session of its own Ctrl-C leaves it to us, and it still does not outlive us.
        return ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-accel", "tcg", "-m", "6144M", "-smp", "2",
                "-drive", f"file={self.overlay},if=virtio,format=qcow2",
                "-drive", f"file={self.seed},if=virtio,format=raw,readonly=on",
                "-netdev", f"user,id=net0,{forwards}", "-device", "virtio-net-pci,netdev=net0",
                "-device", "virtio-balloon-pci", "-monitor", f"unix:{self.monitor},server,nowait",
                "-display", "none", "-serial", f"file:{self.serial}"]

    def fresh_disk(self):
        self.overlay.unlink(missing_ok=True)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(self.base), "-F", "qcow2",
                        str(self.overlay), "20G"], check=True)

    def start(self):
        for file in (self.serial, self.monitor):
            file.unlink(missing_ok=True)
        with open(self.dir / "qemu.log", "ab") as log:
            self.qemu = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         start_new_session=True)

    def pid(self):
        return self.qemu.pid

    def check(self):
        """Raises where the boot cannot come to anything any more."""
        if self.qemu.poll() is not None:
            raise RuntimeError(f"QEMU ended with {self.qemu.returncode}: {(self.dir / 'qemu.log').read_text()[-500:]}")
        text = self.serial.read_bytes() if self.serial.exists() else b""
        if any(word in text for word in PANIC):
            raise Panic("its kernel panicked")
        if self.serial.exists() and time.time() - self.serial.stat().st_mtime > STUCK:
            if LOGIN in text:
                raise RuntimeError(f"the guest is up, but not all services answer {STUCK} s later")
            raise Panic(f"its serial line was silent for {STUCK} s")

    def stop(self):
        """The power button, pressed again as long as it takes; the power at the end. Whether it ended by itself."""
        end = time.monotonic() + SHUTDOWN
        while time.monotonic() < end:
            with socket.socket(socket.AF_UNIX) as s:
                try:
                    s.connect(str(self.monitor))
                    s.settimeout(1)
                    self.prompt(s)
                    s.sendall(b"system_powerdown\n")
                    self.prompt(s)
                except OSError:
                    pass  # it is going
            try:
                self.qemu.wait(POWER)
                return True
            except subprocess.TimeoutExpired:
                continue
        self.kill()
        return False

    @staticmethod
    def prompt(s):
        """The monitor has done what it was told: who hangs up before that is not heard."""
        said = b""
        with contextlib.suppress(TimeoutError):
            while not said.endswith(b"(qemu) ") and (more := s.recv(4096)):
                said += more

    def kill(self):
        if self.qemu and self.qemu.poll() is None:
            self.qemu.kill()
            self.qemu.wait()
