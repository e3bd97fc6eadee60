# SPDX-License-Identifier: Apache-2.0
"""What the guest tests stand on: a daemon of their own on the embedded driver, the stand-in guest, a shell in it, and
checks that say what they saw."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", TOP / "build")).resolve()
IMAGE = BUILD / "image"
MEDIAKITD = str(BUILD / "bin" / "mediakitd")

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_NOT_RUNNING, EXIT_NO_GUEST, EXIT_TIMED_OUT, EXIT_NO_DAEMON = range(7)


class Stop(Exception):
    """What follows would mean nothing."""


class Report:
    """Counts what passed and what failed, and prints each with what was seen."""

    def __init__(self):
        self.passed, self.failed, self.began = 0, 0, time.monotonic()

    def check(self, good, what, saw=""):
        mark = "ok  " if good else "FAIL"
        self.passed += bool(good)
        self.failed += not good
        print(f"{mark} {time.monotonic() - self.began:6.1f}s  {what}" + (f"  [{saw}]" if saw != "" else ""), flush=True)
        return good

    def need(self, good, what, saw=""):
        if not self.check(good, what, saw):
            raise Stop(what)

    def say(self, words):
        print(f"     {time.monotonic() - self.began:6.1f}s  {words}", flush=True)

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


class Bed:
    """Everything under one directory that QEMU's user can reach; gone at the end, whatever happened."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.config = self.dir / "config"
        self.run = self.dir / "run"
        self.state = self.dir / "state"
        self.log = self.dir / "daemon.log"
        self.qmp = self.dir / "qmp"
        self.daemon = None
        self.environ = dict(os.environ, MEDIAKIT_RUNTIME=str(self.run), MEDIAKIT_TEMPLATES=str(TOP / "cloud-init"),
                            MEDIAKIT_TEST_QMP=str(self.qmp), NO_COLOR="1")
        shutil.rmtree(self.dir, ignore_errors=True)
        for d in (self.dir, self.config / "guests.d", self.qmp):
            d.mkdir(parents=True)
            d.chmod(0o711)
        self.qmp.chmod(0o777)
        self.write("mediakitd.conf", f"[Daemon]\nConnection=qemu:///embed?root={self.dir}/libvirt\n"
                   f"StateDirectory={self.state}\nRuntimeDirectory={self.run}\n")
        vendor = subprocess.run([str(TOP / "tests/standin/vendor-data")], check=True, capture_output=True)
        (self.dir / "vendor-data").write_bytes(vendor.stdout)

    def write(self, name, text):
        path = self.config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def standin(self, image=IMAGE, name="standin"):
        """The keys that put a guest on the stand-in image, or on another that was baked."""
        sums = dict(reversed(line.split()) for line in (image / "SHA256SUMS").read_text().splitlines())
        return (f"[Guest]\nAccel=tcg\n[Image]\nPath={image}/{name}.qcow2\nSHA256={sums[name + '.qcow2']}\n"
                f"Kernel={image}/vmlinux\nInitrd={image}/initrd.img\n"
                f"Cmdline={(image / 'cmdline').read_text().strip()}\n"
                f"[CloudInit]\nVendorData={self.dir}/vendor-data\nEveryBoot=no\n")

    def mediakitd(self, *args, timeout=600, **kwargs):
        return subprocess.run([MEDIAKITD, *args], env=self.environ, capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, **kwargs)

    def offline(self, verb, *args):
        return self.mediakitd(verb, f"--config={self.config}", *args)

    def start_daemon(self):
        with open(self.log, "ab") as log:
            self.daemon = subprocess.Popen([MEDIAKITD, "run", f"--config={self.config}", f"--runtime={self.run}"],
                                           env=self.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           start_new_session=True)
        self.wait(lambda: self.mediakitd("status", "--json").returncode != EXIT_NO_DAEMON, 20, "the daemon answers")

    def end_daemon(self, sig=signal.SIGTERM):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.send_signal(sig)
            self.daemon.wait(30)
        self.daemon = None

    def status(self):
        return json.loads(self.mediakitd("status", "--json").stdout)

    def guest(self, name="vm-mediakit"):
        return next(g for g in self.status()["guests"] if g["name"] == name)

    def service(self, service, guest="vm-mediakit"):
        return next(s for s in self.guest(guest)["services"] if s["name"] == service)

    def events(self, guest="vm-mediakit"):
        return [json.loads(line) for line in self.mediakitd("events", guest, "--json").stdout.splitlines()]

    def wait(self, condition, seconds, what):
        """Polls, because what is waited for is seen through the command as an operator sees it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got = condition()
            if got:
                return got
            time.sleep(0.1)
        raise Stop(f"{what}: not within {seconds} s")

    def ssh(self, command, port=int(os.environ.get("OFFSET") or "10000") + 22, guest="vm-mediakit", timeout=60, check=True):
        key = self.state / "private" / guest / "ssh_key"
        r = subprocess.run(["ssh", "-q", "-i", str(key), "-p", str(port), "-o", "StrictHostKeyChecking=no",
                            "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20",
                            "foundry@127.0.0.1", command], capture_output=True, text=True, timeout=timeout,
                           stdin=subprocess.DEVNULL)
        if check and r.returncode != 0:
            raise Stop(f"in the guest: {command}: exit {r.returncode}: {r.stderr.strip()}")
        return r.stdout.strip()

    def monitor(self, command, guest="vm-mediakit"):
        """One command on the guest's second QMP monitor."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(str(self.qmp / f"{guest}.qmp"))
            f = s.makefile("rw")
            f.readline()
            for execute in ("qmp_capabilities", command):
                f.write(json.dumps({"execute": execute}) + "\n")
                f.flush()
                while "return" not in (answer := json.loads(f.readline())):
                    if "error" in answer:
                        raise Stop(f"QMP {execute}: {answer['error']}")
            return answer["return"]

    def qemu_pids(self):
        pids = {}
        for file in self.dir.glob("libvirt/run/**/*.pid"):
            try:
                pid = int(file.read_text())
                if pathlib.Path(f"/proc/{pid}/comm").read_text().startswith("qemu-system"):
                    pids[file.stem] = pid
            except (OSError, ValueError):
                pass
        return pids

    def close(self):
        try:
            self.end_daemon()
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        pids = self.qemu_pids().values()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 10
        while any(os.path.exists(f"/proc/{pid}") for pid in pids) and time.monotonic() < end:
            time.sleep(0.1)
        if not os.environ.get("KEEP_BED"):
            shutil.rmtree(self.dir, ignore_errors=True)


def run(test, directory):
    """Runs test(bed, report) and cleans up on every exit, signals included."""
    report = Report()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    bed = Bed(directory)
    try:
        test(bed, report)
    except Stop as stop:
        report.check(False, f"stopped: {stop}")
    except Exception as error:  # a fault of the test is a failure too, told with its kind
        report.check(False, f"the test itself: {type(error).__name__}: {error}")
    finally:
        if report.failed and bed.log.exists():
            print("--- the daemon's last words")
            print("\n".join(bed.log.read_text(errors="replace").splitlines()[-40:]))
        bed.close()
    return report.end()
