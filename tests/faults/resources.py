# SPDX-License-Identifier: Apache-2.0
"""Clocks that jump, descriptors that run out."""

import contextlib
import os
import re
import resource
import socket
import subprocess
import time

import client
from registry import fault
from rig import GUEST, HERE, Broken


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat", encoding="ascii", errors="replace").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@fault("clock-jumps", how="CLOCK_REALTIME as the daemon reads it (`tests/faults/clock.c`, preloaded): an hour ahead, back, an hour "
       "behind, back", begin="up",
       asserts="no state of guest or service changes; no restart; no timer storm: under a fifth of a CPU")
def clock(w):
    library, offset = w.dir / "clock.so", w.dir / "shift"
    subprocess.run([os.environ.get("CC", "gcc").split()[-1], "-shared", "-fPIC", "-o", str(library), str(HERE / "clock.c")], check=True)
    offset.write_text("0")
    w.end_daemon()
    w.start_daemon(environ={"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(offset)})
    w.connected()
    w.in_state("running")
    # Judged, and no longer starting: what changes from here on is the clock's doing.
    w.until(lambda: w.service("web", GUEST)["state"] not in ("unknown", "starting"), 30, "web's state has settled")
    pid, before, log = w.qemus(), w.service("web", GUEST)["state"], w.log.stat().st_size
    began, used = time.monotonic(), cpu_seconds(w.daemon.pid)
    told = []
    for jump in ("3600", "0", "-3600", "0"):
        offset.write_text(jump)
        shifted = w.until(lambda: abs((at := w.service("web", GUEST)["verdict_at_usec"] / 1e6 - time.time()) - float(jump)) < 60
                          and at, 10, f"a verdict by a clock {jump} s off", every=0.2)
        g = w.guest()
        told.append(shifted)
        if g["state"] != "running" or g["services"][0]["state"] != before:
            raise Broken(f"{jump}: {g['state']}, web {g['services'][0]['state']}")
    share = (cpu_seconds(w.daemon.pid) - used) / (time.monotonic() - began)
    if not (told[0] > 3000 and told[2] < -3000):
        raise Broken(f"the clock did not jump: verdicts at {told}")
    if w.qemus() != pid or share > 0.2 or " -> " in w.log.read_bytes()[log:].decode(errors="replace"):
        raise Broken(f"QEMU {pid} became {w.qemus()}, {share:.2f} CPUs")
    w.end_daemon()
    w.start_daemon()
    w.connected()
    return f"{share * 100:.1f} % of a CPU"


@fault("descriptors-out", how="RLIMIT_NOFILE set to what is in use, while callers connect and probes go on; then given back", begin="up",
       asserts="the caller who is connected is served throughout; no restart of anything; all is well when there are descriptors again")
def descriptors(w):
    pid, daemon = w.qemus(), w.daemon.pid
    limits = resource.prlimit(daemon, resource.RLIMIT_NOFILE)
    highest = max(int(fd) for fd in os.listdir(f"/proc/{daemon}/fd"))
    resource.prlimit(daemon, resource.RLIMIT_NOFILE, (highest + 2, limits[1]))
    used, began, held = cpu_seconds(daemon), time.monotonic(), []
    # New callers cannot be let in, and nobody can be blamed for it but the limit.
    refusals, answers = len(w.caller.refusals), w.caller.answers
    try:
        for _ in range(20):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(0.2)
            with contextlib.suppress(OSError):
                s.connect(str(w.run / "status"))
            held.append(s)
        time.sleep(3)
    finally:
        for s in held:
            s.close()
        share = (cpu_seconds(daemon) - used) / (time.monotonic() - began)
        resource.prlimit(daemon, resource.RLIMIT_NOFILE, limits)
    served = w.caller.answers - answers
    if w.daemon.poll() is not None or w.qemus() != pid:
        raise Broken(f"the daemon ended with {w.daemon.poll()}, QEMU {w.qemus()}")
    if len(w.caller.refusals) > refusals or served < 10:
        raise Broken(f"{served} answers to the caller who was connected; {w.caller.refusals[-1:]}")
    if share > 0.5:
        raise Broken(f"{share:.2f} CPUs while descriptors were out")
    with contextlib.closing(client.Line(w.run / "status", timeout=2)) as line:
        line.call()
    w.do("stop", GUEST)
    w.up()
    return f"{served} answers, {share * 100:.0f} % of a CPU"


@fault("store-slow", how="fail point `file-sync:sleep=6`: a disk that takes 6 s for a sync", begin="up",
       asserts="control calls and the watchdog as ever; a stop is done meanwhile")
def slow(w):
    w.end_daemon()
    w.start_daemon(failpoint="file-sync:sleep=6")
    w.connected()
    w.gate.touch()
    began = time.monotonic()
    said = w.do("stop", GUEST)
    took = time.monotonic() - began
    w.settled(12)
    if took > 5:
        raise Broken(f"the stop took {took:.1f} s")
    return f"{took:.1f} s: {re.split(chr(10), said)[0]}"
