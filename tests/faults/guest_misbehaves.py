# SPDX-License-Identifier: Apache-2.0
"""What a guest does at night: panics, hangs, does not hear the power button, reboots, powers itself off, floods; and ports that
are taken."""

import contextlib
import socket
import time

from registry import fault
from rig import GUEST, Broken
from others_die import last_exit, noticed


@fault("guest-panic", how="it writes to pvpanic", begin="up",
       asserts="noticed within 1 s as guest-panic; QEMU ended, and the guest started again by policy, once")
def panic(w):
    before, first = last_exit(w), w.qemus()[0]
    began = time.monotonic()
    w.type("P")
    _, g = noticed(w, before)
    if g["last_exit"]["cause"] != "guest-panic":
        raise Broken(str(g["last_exit"]))
    w.until(lambda: first not in w.qemus(), 20, "the panicked QEMU is gone")
    w.in_state("running", seconds=30)
    if len(w.census.seen - {first}) != 1:
        raise Broken(f"QEMUs: {w.census.seen}")
    return f"running again after {time.monotonic() - began:.1f} s"


def forced(w, key):
    w.type(key)
    began = time.monotonic()
    said = w.do("stop", GUEST)
    took = time.monotonic() - began
    if "forced" not in said or not 3.5 < took < 20 or w.qemus():
        raise Broken(f"{took:.1f} s: {said}")
    return f"{took:.1f} s: {said.splitlines()[0]}"


@fault("guest-hangs", how="its one CPU is halted with interrupts off; `stop` with Timeout=4s", begin="up",
       asserts="forced when the budget is over, and said so")
def hangs(w):
    return forced(w, "H")


@fault("guest-deaf", how="it takes no notice of the power button; `stop` with Timeout=4s", begin="up", asserts="the same")
def deaf(w):
    return forced(w, "D")


@fault("guest-obeys", how="nothing: the control of the two above", begin="up", asserts="a clean stop, by ACPI")
def obeys(w):
    said = w.do("stop", GUEST)
    if "clean, ACPI" not in said:
        raise Broken(said)
    return said.splitlines()[0]


@fault("guest-reboots", how="it resets itself", begin="up",
       asserts="the same QEMU; seen as a boot; no fault is counted, nothing is restarted by us")
def reboots(w):
    pid, before = w.qemus(), w.guest()["started_at_usec"]
    w.type("R")
    w.until(lambda: w.guest()["started_at_usec"] not in (None, before), 5, "the reboot is seen")
    w.in_state("running")
    if w.qemus() != pid:
        raise Broken(f"QEMU {pid} became {w.qemus()}")
    return "the same QEMU"


@fault("guest-powers-off", how="it powers itself off", begin="up",
       asserts="guest-poweroff, no fault; it stays down, as its policy says")
def powers_off(w):
    before = last_exit(w)
    w.type("S")
    _, g = noticed(w, before)
    if g["last_exit"]["cause"] != "guest-poweroff":
        raise Broken(str(g["last_exit"]))
    time.sleep(2)
    if w.qemus():
        raise Broken("it was started again")
    return g["last_exit"]["words"]


@fault("guest-floods", how="it writes to its serial line without end, 3 s", begin="up",
       asserts="the log on disk is bounded; a clean or forced stop afterwards")
def floods(w):
    w.type("F")
    time.sleep(3)
    logs = [p for p in w.kept.parent.glob("console.log*")]
    size = sum(p.stat().st_size for p in logs)
    if size > 2 * 1024 * 1024 + 65536:
        raise Broken(f"{size} bytes in {logs}")
    w.do("kill", "--yes", GUEST)
    return f"{size // 1024} KiB kept"


@fault("port-taken", how="somebody listens on the host port of a service", begin="down",
       asserts="`start` names port, service and owner; no QEMU; no fault is counted")
def port_taken(w):
    before = last_exit(w)
    with contextlib.closing(socket.create_server(("127.0.0.1", w.offset + 80))):
        said = w.do("start", GUEST, status=1)
        if f":{w.offset + 80} (web)" not in said or "pid" not in said or w.qemus() or last_exit(w) != before:
            raise Broken(said)
    return said.splitlines()[-1]


@fault("port-taken-between", how="the port is taken while fail point `define:sleep` holds the start: after the check, before QEMU "
       "binds", begin="down",
       asserts="the caller gets QEMU's words; nothing half-started stays; started by policy once the port is free")
def port_between(w):
    w.end_daemon()
    w.start_daemon(failpoint="define:sleep=1")
    w.connected()
    w.gate.touch()
    asking = w.ask("start", GUEST)
    w.until(lambda: "define" in w.passed()["fired"], 10, "define")
    with contextlib.closing(socket.create_server(("127.0.0.1", w.offset + 80))):
        out = asking.communicate(timeout=30)[0].strip()
        w.gate.unlink()
        if asking.returncode != 1 or w.qemus():
            raise Broken(f"exit {asking.returncode}, QEMU {w.qemus()}: {out}")
    w.in_state("running", seconds=20)
    return out.splitlines()[-1][:150]
