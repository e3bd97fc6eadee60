# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the daemon, and of the provisioner, at each fail point."""

import os
import shutil
import signal
import subprocess
import time

import bed
from registry import fault
from rig import GUEST, HAS_QEMU, Broken

ADOPTED = 5.0  # and the median of `cycles` is held to 2 s


def armed(w, order, at_once=False):
    """Puts a daemon that dies there in the place of the one that runs; from the opening of the gate on."""
    w.end_daemon(signal.SIGKILL)
    w.start_daemon(failpoint=order, answer=not at_once)
    if not at_once:
        w.connected()
    w.down()
    w.gate.touch()


def told(asking):
    """Who waited for the daemon that died learns that there was no answer, or had it before. True: it had it."""
    out = asking.communicate(timeout=15)[0].strip()
    if asking.returncode not in (bed.EXIT_NO_DAEMON, bed.EXIT_OK):
        raise Broken(f"who waited got exit {asking.returncode}: {out}")
    return asking.returncode == bed.EXIT_OK


def again(w):
    """The next daemon."""
    w.start_daemon()
    w.connected()


def start(w, order):
    armed(w, order)
    asking = w.ask("start", GUEST)
    w.died(15, order)
    done, kept, before, began = told(asking), w.kept_state()["want"], w.qemus(), time.monotonic()
    if done and not (kept == "up" and before):
        raise Broken(f"it was called started; kept: {kept}, QEMU {before}")
    again(w)
    if kept == "up":
        # What it said while nobody listened is lost, so it may be taken for one that boots.
        w.in_state("running", "booting", seconds=15)
    took = time.monotonic() - began
    w.settled()
    if kept != "up":
        w.up()
    elif before and w.qemus() != before:
        raise Broken(f"QEMU {before} became {w.qemus()}")
    return f"kept: {kept}; QEMU {'was' if before else 'was not'} there; right again after {took:.2f} s"


def stop(w, order, *argv):
    armed(w, order)
    asking = w.ask(*argv or ("stop", GUEST))
    w.died(15, order)
    done, kept, began = told(asking), w.kept_state()["want"], time.monotonic()
    if done and (kept != "down" or w.qemus()):
        raise Broken(f"it was called stopped; kept: {kept}, QEMU {w.qemus()}")
    again(w)
    if kept == "down":
        w.until(lambda: not w.qemus() and w.guest()["state"] not in HAS_QEMU, 20, "the stop that was kept is brought to its end")
    took = time.monotonic() - began
    w.settled()
    return f"kept: {kept}; right again after {took:.2f} s"


def kill(w, order):
    return stop(w, order, "kill", "--yes", GUEST)


def crash(w, order):
    armed(w, order)
    os.kill(w.qemus()[0], signal.SIGKILL)
    w.died(10, order)
    began = time.monotonic()
    again(w)
    # Nobody wanted it down: it is started again, once.
    w.in_state("running")
    took = time.monotonic() - began
    w.settled()
    return f"running again after {took:.2f} s"


def kept(w, order, trigger, at_once=False):
    """Nothing of this may touch the guest."""
    pid, began = w.qemus(), None
    armed(w, order, at_once)
    asking = trigger(w) if trigger else None
    w.died(10, order)
    if asking:
        told(asking)
    began = time.monotonic()
    again(w)
    w.in_state("running", seconds=ADOPTED)
    took = time.monotonic() - began
    w.settled()
    if w.qemus() != pid:
        raise Broken(f"QEMU {pid} became {w.qemus()}")
    return f"the same QEMU, adopted after {took:.2f} s"


def launch(w, order):
    return kept(w, order, None, at_once=True)


def known_start(w):
    """Nobody saves a guest of which it is not kept what it was started with, as after a fault of the state file."""
    if w.guest()["last_start"] == "unknown":
        w.do("kill", "--yes", GUEST)
        w.up()


def saved(w, order):
    """In the course of a save: what is not whole is not used."""
    known_start(w)
    armed(w, order)
    asking = w.ask("stop", GUEST, "--save")
    if "kill" in order:
        w.died(15, order)
    else:  # libvirt was not asked yet
        w.until(lambda: w.kept_state()["state"] == "saving", 10, "it is kept that it is being saved")
        w.end_daemon(signal.SIGKILL)
    if told(asking):
        raise Broken("it was called saved")
    had, kept_want, began = w.qemus(), w.kept_state()["want"], time.monotonic()
    again(w)
    words = f"kept: {kept_want}; QEMU {'was' if had else 'was not'} there"
    if kept_want != "down":
        w.in_state("running")
        w.settled()
        if w.qemus() != had:
            raise Broken(f"QEMU {had} became {w.qemus()}")
        return words
    w.until(lambda: not w.qemus() and w.guest()["state"] not in HAS_QEMU, 20, "the stop that was kept is brought to its end")
    took = time.monotonic() - began
    w.settled()
    w.do("start", GUEST)
    return f"{words}; down after {took:.2f} s; then {came_back(w, 'warm' if had else 'cold')}"


def came_back(w, wanted):
    """How the run that is there began, and that its save cannot be used once more."""
    w.until(w.qemus, 15, "a QEMU")
    g = w.in_state("running", "booting", seconds=15)
    left = list(w.state.rglob("saved.json"))
    if left or g["saved_at_usec"]:
        raise Broken(f"a save is left: {left}, {g['saved_at_usec']}")
    if g["last_start"] not in (wanted, "unknown"):
        raise Broken(f"it came back {g['last_start']}: {g['last_start_reason']}")
    return f"{g['last_start']} ({g['last_start_reason']})"


def restored(w, order, wanted, touch=False):
    """In the course of the start that uses a save, or throws it away. Memory tells how it came back, not the daemon."""
    known_start(w)
    w.type("D")
    before = w.memory()
    w.do("stop", GUEST, "--save")
    if touch:
        os.utime(w.state / "images" / GUEST / "disk.qcow2")
    armed(w, order)
    asking = w.ask("start", GUEST)
    w.died(15, order)
    told(asking)
    had, kept_want, began = w.qemus(), w.kept_state()["want"], time.monotonic()
    again(w)
    if kept_want != "up" and not had:
        w.do("start", GUEST)
    words = came_back(w, wanted)
    took = time.monotonic() - began
    w.settled()
    if had and w.qemus() != had:
        raise Broken(f"QEMU {had} became {w.qemus()}")
    w.until(lambda: "running" in w.monitor("query-status", GUEST)["status"], 10, "it runs")
    if wanted == "cold":
        w.until(lambda: w.memory() != before, 20, "it booted")
    elif w.memory() != before:
        raise Broken("it booted, and did not go on from its save")
    w.do("kill", "--yes", GUEST)  # it is deaf, or does not know that anybody listens
    w.up()
    if w.guest()["last_start"] != "cold" or w.guest()["last_start_reason"]:
        raise Broken(f"the start after it: {w.guest()['last_start']}, {w.guest()['last_start_reason']}")
    return f"kept: {kept_want}; QEMU {'was' if had else 'was not'} there; right again after {took:.2f} s, {words}"


for name, order in (("save", "save:kill"), ("save-done", "save-done:kill"), ("save-kept", "save:sleep=5")):
    fault(f"daemon-killed-save-{name}", how=f"fail point `{order}` in the course of a `stop --save`"
          + ("" if "kill" in order else "; killed once it is kept that it is being saved"),
          asserts="the next daemon finds the same QEMU or none, and where that was kept saves it; a start after it uses no save "
                  "that nobody recorded; none is left")(lambda w, order=order: saved(w, order))
for point, wanted in (("ticket-take", "warm"), ("ticket-taken", "cold"), ("created", "warm"), ("resumed", "warm")):
    fault(f"daemon-killed-restore-{point}", how=f"fail point `{point}:kill` in the course of the start of a saved guest",
          asserts=f"the next daemon starts it, {wanted} by the guest's own memory, or finds the same QEMU; no save is left, the "
                  "start after it boots")(lambda w, point=point, wanted=wanted: restored(w, f"{point}:kill", wanted))
fault("daemon-killed-restore-save-drop", how="the disk is touched; fail point `save-drop:kill` in the course of the start",
      asserts="as above: it boots")(lambda w: restored(w, "save-drop:kill", "cold", touch=True))


SAVING = ("state-save", "file-write", "file-sync", "file-rename", "file-sync-dir", "file-done", "state-saved")
# In the course of what it dies, how the guest is before, and where.
for course, begin, points in (
        (start, "down", ("want", "wanted", *SAVING, "lock", "locked", "start-submit", "define", "defined", "created", "resume",
                         "resumed", "start-answered", "console-append", "console-appended", "events-append", "events-appended")),
        (stop, "up", ("want", "wanted", *SAVING, "acpi", "acpi-done", "exit-recorded", "unlock", "unlocked")),
        (kill, "up", ("destroy", "destroyed")),
        (crash, "up", ("exit-recorded", "retry-scheduled")),
        (launch, "up", ("lock", "locked"))):
    for point in points:
        fault(f"daemon-killed-{course.__name__}-{point}", begin=begin,
              how=f"fail point `{point}:kill` in the course of a {course.__name__}",
              asserts="who waited is told that nobody answers, unless it was done; the next daemon finds the same QEMU, or none, "
                      "and does what was kept as wanted")(lambda w, course=course, point=point: course(w, f"{point}:kill"))


# The provisioner -----------------------------------------------------------------------------------------------------

PROVISIONING = ("provision-stage", "provision-rename", "provision-renamed", "copy-sync", "file-write", "file-sync",
                "file-rename", "file-sync-dir", "file-done", "lock", "locked")


def provision(w, point):
    """Dies at the first pass, then at the second, until it comes through; then everything must be there, and nothing else."""
    state, n = w.dir / "state2", 0
    argv = [bed.MEDIAKITD, "provision", GUEST, f"--config={w.config}", f"--state={state}"]
    while True:
        n += 1
        r = subprocess.run(argv, env=dict(w.environ, MEDIAKIT_FAILPOINT=f"{point}:kill:{n}",
                                          MEDIAKIT_FAILPOINT_TRACE=str(w.trace)), capture_output=True, text=True, timeout=60,
                           check=False)
        if r.returncode != -signal.SIGKILL:
            break
        # What a run left behind is swept by the next, so each dies on what its forerunner did.
        if n % 3 == 0:
            shutil.rmtree(state)
    if r.returncode != 0:
        raise Broken(f"after {n - 1} deaths: exit {r.returncode}: {r.stderr.strip()}")
    r = subprocess.run(argv, env=w.environ, capture_output=True, text=True, timeout=60, check=False)
    left = [p.name for p in state.rglob("*") if p.name.endswith(".tmp") or ".tmp." in p.name]
    disk = state / "images" / GUEST / "disk.qcow2"
    image = subprocess.run(["qemu-img", "check", "-q", str(disk)], capture_output=True, text=True, check=False)
    shutil.rmtree(state)
    if r.returncode != 0 or left or image.returncode != 0:
        raise Broken(f"exit {r.returncode}: {r.stderr.strip()}; left behind: {left}; {image.stderr.strip()}")
    if n == 1:
        raise Broken("it never died")
    return f"{n - 1} deaths, then whole"


for point in PROVISIONING:
    fault(f"provisioner-killed-{point}", begin="any", how=f"fail point `{point}:kill:N`, N = 1, 2, … until it comes through",
          asserts="the next run completes; qemu-img finds the disk sound; no temporary file is left")(
              lambda w, point=point: provision(w, point))
