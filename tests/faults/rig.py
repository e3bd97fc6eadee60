# SPDX-License-Identifier: Apache-2.0
"""What a fault is done to: a daemon with fail points, a libvirtd of its own, a guest without an operating system; and the
watchers that say whether the invariants held meanwhile."""

import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "guest")]
import bed as testbed  # noqa: E402
import client  # noqa: E402

GUEST = "vm-one"
EMULATOR = "/usr/bin/qemu-system-x86_64"
HAS_QEMU = {"starting", "booting", "running", "ready", "stopping", "saving", "paused"}
WATCHDOG_USEC = 2_000_000
# How soon what the daemon keeps and tells must be what is.
SETTLED = 5.0

PLACES = {"run": "/run/libvirt", "lib": "/var/lib/libvirt", "etc": "/etc/libvirt", "cache": "/var/cache/libvirt",
          "log": "/var/log/libvirt"}
# Over /dev/kvm lies what virt/embed.c lays there, and for the same reason.
ENTER = """
set -eu
directory=$1 more=$2
shift 2
while read -r name place; do
	mkdir -p "$place"
	mount --bind "$directory/$name" "$place"
done <"$directory/places"
[ ! -e /dev/kvm ] || mount --bind "$directory/etc/libvirtd.conf" /dev/kvm
eval "$more"
exec "$@"
"""


class Broken(Exception):
    """What was demanded did not hold."""


class Libvirtd:
    """A libvirtd in a mount namespace of its own, where libvirt's directories are ours. Whoever is to speak to it, or to be
    spared the machine's, enters such a namespace as well."""

    def __init__(self, directory):
        self.dir, self.process = pathlib.Path(directory), None
        for name in PLACES:
            (self.dir / name).mkdir(parents=True)
        for name in ("", "lib", "run", "cache"):
            (self.dir / name).chmod(0o711)
        (self.dir / "places").write_text("".join(f"{n} {p}\n" for n, p in PLACES.items() if pathlib.Path(p).parent.is_dir()))
        (self.dir / "etc/qemu.conf").write_text('stdio_handler = "file"\nnamespaces = []\nsecurity_driver = "none"\n'
                                                'cgroup_controllers = []\n')
        (self.dir / "etc/libvirtd.conf").write_text('auth_unix_ro = "none"\nauth_unix_rw = "none"\n')
        self.socket = self.dir / "run/libvirt-sock"

    def inside(self, *argv, more=""):
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh", str(self.dir), more, *argv]

    def start(self):
        with open(self.dir / "out", "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self.inside("libvirtd", "-p", str(self.dir / "libvirtd.pid"))],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 20
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise Broken(f"libvirtd does not start: {(self.dir / 'out').read_text()[-300:]}")
            time.sleep(0.02)

    def answers(self):
        with socket.socket(socket.AF_UNIX) as s, contextlib.suppress(OSError):
            s.connect(str(self.socket))
            return True
        return False

    def end(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(sig)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class World(testbed.Bed):
    """One daemon's world; `embedded` has QEMU's driver inside the daemon instead of a libvirtd."""

    def __init__(self, directory, offset, embedded=False):
        super().__init__(directory)
        self.offset, self.embedded = offset, embedded
        self.libvirtd = Libvirtd(self.dir / "virt")
        self.trace = self.dir / "trace"
        self.gate = self.dir / "gate"
        self.notify = self.dir / "notify"
        self.kept = self.state / "private" / GUEST / "state.json"
        self.caller = self.systemd = self.census = None
        boot, image = self.dir / "boot.o", self.dir / "guest.img"
        subprocess.run(["as", "--32", "-I", str(HERE.parent / "lib"), str(HERE / "guest.s"), "-o", str(boot)], check=True)
        subprocess.run(["ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary", str(boot), "-o", str(image)], check=True)
        os.truncate(image, 1 << 20)
        self.configure()
        if not embedded:
            self.libvirtd.start()
        r = self.offline("provision", GUEST)
        if r.returncode != 0:
            raise Broken(f"provision: {r.stderr}")

    def configure(self, daemon="", guest="", limit=5, shutdown="4s"):
        uri = f"qemu:///embed?root={self.dir}/libvirt" if self.embedded else "qemu:///system"
        self.write("mediakitd.conf", f"[Daemon]\nConnection={uri}\nStateDirectory={self.state}\nRuntimeDirectory={self.run}\n"
                   + daemon)
        self.write(f"guests.d/{GUEST}.conf",
                   "[Guest]\nAccel=tcg\nMemory=160M\nCPUs=1\nDisk=1G\nAutostart=no\n"
                   f"[Image]\nPath={self.dir}/guest.img\n[Network]\nPortOffset={self.offset}\n"
                   f"[Shutdown]\nTimeout={shutdown}\n[Restart]\nLimit={limit}\nWindow=10min\n"
                   "[Memory]\nMemoryMin=128M\n[Service web]\nPort=80\nInterval=1s\nTimeout=1s\n" + guest)

    # The daemon ---------------------------------------------------------------------------------------------------

    def start_daemon(self, failpoint="", more="", environ=None, prefix=(), answer=True):
        """Returns how long it took to answer. Fail points hold while the gate is there."""
        self.gate.unlink(missing_ok=True)
        env = dict(self.environ, MEDIAKIT_FAILPOINT_GATE=str(self.gate), NOTIFY_SOCKET=str(self.notify), WATCHDOG_USEC=str(WATCHDOG_USEC),
                   MEDIAKIT_FAILPOINT_TRACE=str(self.trace), **(environ or {}))
        if failpoint:
            env["MEDIAKIT_FAILPOINT"] = failpoint
        if self.systemd:
            self.systemd.begin()
        began = time.monotonic()
        with open(self.log, "ab") as log:
            self.daemon = subprocess.Popen(
                self.libvirtd.inside(*prefix, testbed.MEDIAKITD, "run", f"--config={self.config}", f"--runtime={self.run}",
                                     more=more),
                env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        if answer:
            self.until(self.answering, 20, "the daemon answers", every=0.01)
            if self.caller:
                self.caller.up()
        return time.monotonic() - began

    def answering(self):
        if self.daemon.poll() is not None:
            raise Broken(f"the daemon ended with {self.daemon.returncode}: {self.last_words()}")
        with contextlib.suppress(OSError, EOFError):
            line = client.Line(self.run / "status", timeout=5)
            line.call(client.ping)
            line.close()
            return True
        return False

    def connected(self, seconds=10):
        """And has looked at what runs."""
        def look():
            try:
                s = self.status()
            except ValueError:  # it does not answer yet
                return False
            return s["daemon"]["connected"] and (s["guests"][0]["state"] in HAS_QEMU) == bool(self.qemus())
        self.until(look, seconds, "the daemon is connected, and knows what runs", every=0.02)

    def last_words(self):
        return " / ".join(self.log.read_text(errors="replace").splitlines()[-2:])

    def down(self):
        """From here on nobody need answer."""
        if self.caller:
            self.caller.down()
        if self.systemd:
            self.systemd.over()

    def end_daemon(self, sig=signal.SIGTERM):
        self.down()
        if self.daemon and self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGCONT)
            self.daemon.send_signal(sig)
            try:
                self.daemon.wait(15)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
                raise Broken("the daemon did not end on SIGTERM within 15 s") from None
        if self.systemd:
            self.systemd.over()

    def died(self, seconds, what):
        """Waits until the daemon has killed itself at its fail point."""
        self.down()
        self.until(lambda: self.daemon.poll() is not None, seconds, f"the daemon dies at {what}", every=0.01)
        self.down()
        if self.daemon.returncode != -signal.SIGKILL:
            raise Broken(f"at {what} it ended with {self.daemon.returncode}: {self.last_words()}")

    def ask(self, *argv, timeout=60):
        return subprocess.Popen([testbed.MEDIAKITD, *argv], env=self.environ, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def do(self, *argv, status=0, timeout=60):
        """A command that must end so; what it said."""
        r = self.mediakitd(*argv, timeout=timeout)
        said = (r.stdout + r.stderr).strip()
        if r.returncode != status:
            raise Broken(f"{' '.join(argv)}: exit {r.returncode} instead of {status}: {said}")
        return said

    # The guest ----------------------------------------------------------------------------------------------------

    def guest(self, name=GUEST):
        return super().guest(name)

    def qemus(self):
        """Every QEMU of the guest, known to libvirt or not; those that libvirt asks what they can do have no guest=."""
        found = []
        for proc in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, IndexError):
                line = (proc / "cmdline").read_bytes()
                if f"guest={GUEST},".encode() in line and f"{self.dir}/".encode() in line and \
                        (proc / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                    found.append(int(proc.name))
        return found

    def until(self, condition, seconds, what, every=0.05):
        end = time.monotonic() + seconds
        while True:
            got = condition()
            if got:
                return got
            if time.monotonic() > end:
                raise Broken(f"{what}: not within {seconds} s")
            time.sleep(every)

    def in_state(self, *states, seconds=20):
        def look():
            g = self.guest()
            return g["state"] in states and g
        return self.until(look, seconds, f"{GUEST} is {' or '.join(states)}")

    def up(self):
        """Booted as far as a guest without an OS gets."""
        self.do("reset-failed", GUEST)  # the faults of the one before are not this one's, nor is its back-off
        self.do("start", GUEST)
        if self.guest()["state"] == "booting":
            # Perhaps it was started long ago, and said so when nobody listened. It may also have to boot yet.
            with contextlib.suppress(Broken):
                return self.in_state("running", "ready", seconds=2)
            for _ in range(3):  # a letter that comes while the daemon's line is being opened may be lost
                self.type("L")
                with contextlib.suppress(Broken):
                    return self.in_state("running", "ready", seconds=6)
        return self.in_state("running", "ready")

    def type(self, letter):
        """On its serial line, past libvirt and the daemon."""
        chardevs = self.monitor("query-chardev", GUEST)
        pty = next(c["filename"] for c in chardevs if c["label"] == "charserial0").removeprefix("pty:")
        fd = os.open(pty, os.O_WRONLY | os.O_NOCTTY)
        os.write(fd, letter.encode())
        os.close(fd)
        time.sleep(1)  # it looks at each of its clock's ticks, 18 a second, where the host lets it

    def monitor_ask(self, command):
        """A QMP command with arguments, on the guest's second monitor."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(str(self.qmp / f"{GUEST}.qmp"))
            f = s.makefile("rw")
            f.readline()
            for execute in ({"execute": "qmp_capabilities"}, command):
                f.write(json.dumps(execute) + "\n")
                f.flush()
                while "return" not in (answer := json.loads(f.readline())):
                    if "error" in answer:
                        raise Broken(f"QMP {execute}: {answer['error']}")
        return answer["return"]

    def monitor_do(self, command):
        """Its success is the empty string."""
        answer = self.monitor_ask(command)
        if "removed" not in str(answer) and answer not in ("", {}):
            raise Broken(f"QMP {command}: {answer}")

    def memory(self):
        """The 512 bytes that the guest is, with what it remembers: one that was told to be deaf differs from one that booted."""
        return self.monitor_ask({"execute": "human-monitor-command", "arguments": {"command-line": "xp /512xb 0x7c00"}})

    def kept_state(self):
        return json.loads(self.kept.read_text())

    def consistent(self):
        """What is wrong between what is, what the daemon says and what it keeps; "" when nothing is."""
        qemus = self.qemus()
        if len(qemus) > 1:
            raise Broken(f"{len(qemus)} QEMUs: {qemus}")
        g = self.guest()
        try:
            kept = self.kept_state()
        except (OSError, ValueError) as error:
            return f"the state file: {error}"
        has = g["state"] in HAS_QEMU
        if has != bool(qemus):
            return f"it is {g['state']}, and QEMU {'runs' if qemus else 'does not run'}"
        if qemus and g["pid"] not in (None, qemus[0]):
            return f"QEMU is {qemus[0]}, and it says {g['pid']}"
        # No want is kept until somebody asked for something.
        if kept.get("state") != g["state"] or kept.get("want") not in ("", g["want"]):
            return f"kept: {kept.get('state')}, {kept.get('want')}; told: {g['state']}, {g['want']}"
        return ""

    def settled(self, seconds=SETTLED):
        """How long it took until all agreed."""
        began, why = time.monotonic(), "?"
        while time.monotonic() - began < seconds:
            why = self.consistent()
            if not why:
                return time.monotonic() - began
            time.sleep(0.05)
        raise Broken(f"after {seconds} s: {why}")

    # The watchers -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def watched(self):
        """The invariants, from here to the end of the block."""
        self.trace.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.notify.unlink()
        self.systemd, self.caller, self.census = client.Systemd(self.notify), client.Caller(self.run / "status"), Census(self)
        watchers = (self.systemd, self.caller, self.census)
        began = time.monotonic()
        if self.daemon and self.daemon.poll() is None:
            self.caller.up()
            self.systemd.last = time.monotonic()
        for watcher in watchers:
            watcher.start()
        try:
            yield
            if self.caller.refusals:
                raise Broken(f"a caller was turned away: {self.caller.refusals[0]}")
            if self.caller.worst() > client.Caller.LIMIT:
                raise Broken(f"an answer took {self.caller.worst():.2f} s")
            if self.systemd.worst() > WATCHDOG_USEC / 1e6:
                raise Broken(f"{self.systemd.worst():.2f} s between two watchdog pings")
            if time.monotonic() - began > 5 and not (self.caller.answers and self.systemd.pings):
                raise Broken(f"{self.caller.answers} answers and {self.systemd.pings} pings were seen: this proves nothing")
            if self.census.most > 1:
                raise Broken(f"{self.census.most} QEMUs at once")
        finally:
            for watcher in watchers:
                watcher.ended = True
            self.systemd.close()
            for watcher in watchers:
                watcher.join(5)
            self.caller = self.systemd = self.census = None

    def passed(self):
        """Names of the fail points that were passed and that fired."""
        names = {"passed": set(), "fired": set()}
        with contextlib.suppress(OSError):
            for line in self.trace.read_text().splitlines():
                names[line.split()[0]].add(line.split()[1])
        return names

    def close(self):
        with contextlib.suppress(Broken):
            self.end_daemon(signal.SIGKILL)
        for pid in self.qemus():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        self.libvirtd.end()
        for pid in self.qemus():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        super().close()


class Census(threading.Thread):
    """Counts QEMUs a few times a second: one too many may be gone again when the dust has settled."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.most, self.seen, self.ended = world, 0, set(), False

    def run(self):
        while not self.ended:
            now = self.world.qemus()
            self.most = max(self.most, len(now))
            self.seen.update(now)
            time.sleep(0.2)


class Figures:
    """Descriptors, threads and private memory of a process, at rest: the least of a few looks, because what the last command
    left open is closed within a turn or two of the loop."""

    def __init__(self, pid, looks=10):
        seen = []
        for _ in range(looks):
            time.sleep(0.05)
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            seen.append((len(os.listdir(f"/proc/{pid}/fd")), int(re.search(r"^Threads:\s+(\d+)", status, re.M)[1]),
                         int(re.search(r"^RssAnon:\s+(\d+)", status, re.M)[1])))
        self.descriptors, self.threads, self.kib = (min(s[i] for s in seen) for i in range(3))

    def __str__(self):
        return f"{self.descriptors} descriptors, {self.threads} threads, {self.kib} KiB"


def under_reaper():
    """QEMU makes itself a daemon, so its end is seen by libvirt when PID 1 has reaped it, which some PID 1 of a container does
    once in two seconds. Returns in a child whose orphans are reaped at once; the parent ends as the child does."""
    child = os.fork()
    if child == 0:
        return
    PR_SET_CHILD_SUBREAPER = 36
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda n, _: os.kill(child, n))
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)


def free_offset(slot):
    """Below the ports that the kernel gives to outgoing connections."""
    for i in range(60):
        offset = 12000 + (os.getpid() * 7 + slot * 13 + i) % 80 * 100
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in (22, 80, 81):
                held.enter_context(contextlib.closing(socket.create_server(("0.0.0.0", offset + port))))
            return offset
    return sys.exit("tests/faults: no free ports")


def remove(path):
    shutil.rmtree(path, ignore_errors=True)
