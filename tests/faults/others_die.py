# SPDX-License-Identifier: Apache-2.0
"""kill -9 of QEMU, of libvirtd, and of both."""

import os
import signal
import subprocess
import time

from registry import fault
from rig import GUEST, Broken

NOTICED = 1.0


def noticed(w, before):
    """Until the end is told, with its cause. Seconds."""
    began = time.monotonic()

    def look():
        g = w.guest()
        return g["last_exit"] and g["last_exit"]["at_usec"] != before and g
    g = w.until(look, 5, "the end of QEMU is noticed", every=0.01)
    return time.monotonic() - began, g


def last_exit(w):
    e = w.guest()["last_exit"]
    return e["at_usec"] if e else None


@fault("qemu-killed-running", how="SIGKILL", begin="up",
       asserts="noticed within 1 s as qemu-crashed; started again by policy, after at least the first back-off (1 s), once")
def qemu_running(w):
    before, first = last_exit(w), w.qemus()[0]
    began = time.monotonic()
    os.kill(first, signal.SIGKILL)
    took, g = noticed(w, before)
    if took > NOTICED or g["last_exit"]["cause"] != "qemu-crashed":
        raise Broken(f"after {took:.2f} s: {g['last_exit']}")
    w.until(w.qemus, 10, "it is started again")
    back = time.monotonic() - began
    w.in_state("running")
    if back < 1:
        raise Broken(f"started again after {back:.2f} s already")
    if len(w.census.seen - {first}) > 1:
        raise Broken(f"more than one new QEMU: {w.census.seen}")
    return f"noticed after {took:.2f} s, there again after {back:.2f} s"


def at_step(w, point):
    """Held at that step of its start, and killed there."""
    w.end_daemon(signal.SIGKILL)
    w.start_daemon(failpoint=f"{point}:sleep=1")
    w.connected()
    w.gate.touch()
    asking = w.ask("start", GUEST)
    pid = w.until(w.qemus, 10, "QEMU is there")[0]
    w.until(lambda: point in w.passed()["fired"], 10, point)
    w.gate.unlink()
    os.kill(pid, signal.SIGKILL)
    said = asking.communicate(timeout=30)[0].strip().splitlines()
    w.in_state("running")
    return f"{asking.returncode}: {said[-1] if said else ''}; then started by policy"


@fault("qemu-killed-created", how="SIGKILL while fail point `created:sleep` holds the start", begin="down",
       asserts="the caller is told; nothing half-started stays; started again by policy")
def qemu_created(w):
    return at_step(w, "created")


@fault("qemu-killed-resume", how="SIGKILL while fail point `resume:sleep` holds the start", begin="down",
       asserts="as above")
def qemu_resume(w):
    return at_step(w, "resume")


@fault("qemu-killed-stopping", how="SIGKILL while a guest that is deaf to the button is being stopped", begin="up",
       asserts="the stop ends, within 2 s of the kill, as stopped; not started again")
def qemu_stopping(w):
    w.type("D")
    asking = w.ask("stop", GUEST)
    w.in_state("stopping", seconds=3)
    os.kill(w.qemus()[0], signal.SIGKILL)
    began = time.monotonic()
    out = asking.communicate(timeout=20)[0].strip()
    took = time.monotonic() - began
    g = w.in_state("stopped", seconds=2)
    time.sleep(1.5)
    if asking.returncode != 0 or took > 2 or w.qemus() or w.guest()["want"] != "down":
        raise Broken(f"exit {asking.returncode} after {took:.2f} s: {out}; {w.guest()['state']}")
    return f"{took:.2f} s: {g['last_exit']['words']}"


def libvirtd_returns(w):
    w.libvirtd.start()
    w.until(lambda: w.status()["daemon"]["connected"], 15, "connected again")


@fault("libvirtd-killed", how="SIGKILL; started again a second later", begin="up",
       asserts="QEMU is untouched; `status` says libvirt is away and answers; probing goes on meanwhile; connected again within "
               "the back-off; events arrive again (a kill of QEMU is noticed)")
def libvirtd_killed(w):
    pid = w.qemus()
    w.libvirtd.end(signal.SIGKILL)
    w.until(lambda: not w.status()["daemon"]["connected"], 5, "it is told that libvirt is away")
    judged = w.service("web", GUEST)["verdict_at_usec"]
    w.until(lambda: w.service("web", GUEST)["verdict_at_usec"] != judged, 8, "services are judged meanwhile")
    if w.guest()["state"] != "running":
        raise Broken(f"with libvirt away it is {w.guest()['state']}")
    began = time.monotonic()
    libvirtd_returns(w)
    took = time.monotonic() - began
    if w.qemus() != pid:
        raise Broken(f"QEMU {pid} became {w.qemus()}")
    w.in_state("running")
    w.connected()
    before = last_exit(w)
    os.kill(pid[0], signal.SIGKILL)
    seconds, _ = noticed(w, before)
    if seconds > NOTICED:
        raise Broken(f"after the reconnection a death was noticed only after {seconds:.2f} s")
    w.in_state("running")
    return f"connected again {took:.2f} s after libvirtd's start, then a death noticed in {seconds:.2f} s"


@fault("libvirtd-killed-during-start", how="SIGKILL while fail point `created:sleep` holds the start; started again",
       begin="down", asserts="one QEMU, and it runs in the end")
def libvirtd_in_start(w):
    w.end_daemon(signal.SIGKILL)
    w.start_daemon(failpoint="created:sleep=1")
    w.connected()
    w.gate.touch()
    asking = w.ask("start", GUEST)
    w.until(lambda: "created" in w.passed()["fired"], 10, "created")
    w.gate.unlink()
    w.libvirtd.end(signal.SIGKILL)
    libvirtd_returns(w)
    out = asking.communicate(timeout=60)[0].strip().splitlines()
    w.in_state("running", seconds=30)
    return f"{asking.returncode}: {out[-1] if out else ''}"


@fault("libvirtd-and-qemu-killed", how="SIGKILL of both; libvirtd started again", begin="up",
       asserts="the domain is found crashed, and the guest started again by policy, once")
def both(w):
    first, before = w.qemus()[0], last_exit(w)
    w.libvirtd.end(signal.SIGKILL)
    os.kill(first, signal.SIGKILL)
    time.sleep(0.5)
    libvirtd_returns(w)
    _, g = noticed(w, before)
    cause = g["last_exit"]["cause"]
    w.in_state("running")
    if len(w.census.seen - {first}) != 1:
        raise Broken(f"QEMUs: {w.census.seen}")
    return f"{cause}, and running again"


@fault("everything-killed", how="SIGKILL of the daemon, libvirtd and QEMU; both daemons started again", begin="up",
       asserts="the same")
def everything(w):
    first = w.qemus()[0]
    w.end_daemon(signal.SIGKILL)
    w.libvirtd.end(signal.SIGKILL)
    os.kill(first, signal.SIGKILL)
    time.sleep(0.3)
    w.libvirtd.start()
    w.start_daemon()
    w.until(lambda: w.status()["daemon"]["connected"] and w.qemus(), 15, "connected, and a new QEMU there")
    g = w.in_state("running")
    if len(w.census.seen - {first}) != 1:
        raise Broken(f"QEMUs: {w.census.seen}")
    return f"{g['last_exit']['cause']}, and running again"


@fault("daemon-killed-embedded", how="SIGKILL of the daemon that has QEMU's driver inside it", begin="up", embedded=True,
       asserts="the same QEMU, adopted, its state as before")
def embedded(w):
    pid = w.qemus()
    w.end_daemon(signal.SIGKILL)
    began = time.monotonic()
    w.start_daemon()
    w.connected()
    w.in_state("running")
    took = time.monotonic() - began
    if w.qemus() != pid:
        raise Broken(f"QEMU {pid} became {w.qemus()}")
    return f"adopted after {took:.2f} s"


@fault("qemu-killed-embedded", how="SIGKILL of QEMU, under the driver inside the daemon", begin="up", embedded=True,
       asserts="noticed within 1 s; started again by policy")
def embedded_qemu(w):
    before = last_exit(w)
    os.kill(w.qemus()[0], signal.SIGKILL)
    took, g = noticed(w, before)
    if took > NOTICED or g["last_exit"]["cause"] != "qemu-crashed":
        raise Broken(f"after {took:.2f} s: {g['last_exit']}")
    w.in_state("running")
    return f"noticed after {took:.2f} s"


@fault("saved-by-another", how="`virsh managedsave`; then a start", begin="up",
       asserts="noticed as saved by somebody else, not started again; the start boots, says why, and removes the save")
def saved_by_another(w):
    before = last_exit(w)
    r = subprocess.run(w.libvirtd.inside("virsh", "-q", "-c", "qemu:///system", "managedsave", GUEST), capture_output=True, text=True,
                       timeout=60, check=False)
    if r.returncode != 0:
        raise Broken(f"virsh: {r.stderr.strip()}")
    _, g = noticed(w, before)
    if g["last_exit"]["cause"] != "saved" or "not by this run" not in g["last_exit"]["words"]:
        raise Broken(f"{g['last_exit']}")
    w.settled()
    said = w.do("start", GUEST)
    if "cold: mediakitd has no record of it" not in said:
        raise Broken(said)
    w.in_state("running")
    w.do("kill", "--yes", GUEST)
    w.up()
    if w.guest()["last_start_reason"]:
        raise Broken(f"the save was there still: {w.guest()['last_start_reason']}")
    return said
