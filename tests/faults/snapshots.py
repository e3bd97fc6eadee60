# SPDX-License-Identifier: Apache-2.0
"""A copy of a running guest's disk: the daemon dies at each step of it, or a step fails."""

import json
import subprocess
import time

from daemon_dies import again, armed, told
from registry import fault
from rig import GUEST, Broken


def there(w):
    """The copies that are whole, by their names; that there is nothing else."""
    directory = w.state / "images" / GUEST / "snapshots"
    files = sorted(p.name for p in directory.iterdir()) if directory.is_dir() else []
    names = {name.partition(".")[0] for name in files}
    if sorted(f"{name}{suffix}" for name in names for suffix in (".json", ".qcow2")) != files:
        raise Broken(f"half a copy: {files}")
    listed = json.loads(w.do("snapshot", GUEST, "--list", "--json"))["snapshots"]
    if names != {s["name"] for s in listed}:
        raise Broken(f"it says {listed}, and there are {files}")
    for s in listed:
        r = subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", s["path"]], capture_output=True, text=True, check=False)
        if r.returncode != 0:
            raise Broken(f"{s['name']}: {r.stdout}{r.stderr}")
    return names


def rests(w):
    w.until(lambda: w.guest()["snapshot"]["phase"] == "none", 15, "the copy is ended")
    jobs = w.monitor("query-block-jobs", GUEST)
    if jobs:
        raise Broken(f"QEMU copies on: {jobs}")


def goes_on(w, pid, before):
    """The guest was not touched, and the next copy is made."""
    rests(w)
    if w.qemus() != pid or "running" not in w.monitor("query-status", GUEST)["status"]:
        raise Broken(f"QEMU {pid} became {w.qemus()}, {w.monitor('query-status', GUEST)}")
    w.do("snapshot", GUEST)
    new = there(w) - before
    if len(new) != 1:
        raise Broken(f"a next copy made {sorted(new)}")


def killed(w, order, trigger, wanted):
    """`wanted`: how many copies there are more, by what the one who died had done."""
    pid, before = w.qemus(), there(w)
    armed(w, order)
    asking = w.ask("snapshot", GUEST, *trigger(before))
    w.died(15, order)
    if told(asking):
        raise Broken("it was called done")
    began = time.monotonic()
    again(w)
    rests(w)
    took, after = time.monotonic() - began, there(w)
    if len(after) - len(before) != wanted or not (after <= before or before <= after):
        raise Broken(f"there were {sorted(before)}, now {sorted(after)}")
    w.in_state("running")
    goes_on(w, pid, after)
    return f"right again after {took:.2f} s, with {len(after)} after {len(before)}"


def deleted(w, order, wanted):
    if not there(w):
        w.do("snapshot", GUEST)
    return killed(w, order, lambda names: [f"--delete={min(names)}"], wanted)


def fails(w, point, error, words):
    """Once, so that the same daemon makes the next one."""
    w.end_daemon()
    w.start_daemon(failpoint=f"{point}:{error}")
    w.connected()
    pid, before = w.qemus(), there(w)
    w.gate.touch()
    said = w.do("snapshot", GUEST, status=1)
    if words not in said:
        raise Broken(f"it does not say {words!r}: {said}")
    if there(w) != before:
        raise Broken(f"there were {sorted(before)}, now {sorted(there(w))}")
    goes_on(w, pid, before)
    return said.splitlines()[-1]


@fault("snapshot-daemon-ended", how="SIGTERM while fail point `snapshot-begun:sleep=1` holds the call in which QEMU begins to copy",
       asserts="the daemon waits for that, and no more than 3 s; who waited is told; no half of a copy is left, before there is a next "
       "daemon, and QEMU copies nothing; the same QEMU, which runs; the next daemon makes the next copy")
def ended(w):
    w.end_daemon()
    w.start_daemon(failpoint="snapshot-begun:sleep=1")
    w.connected()
    pid, before, half = w.qemus(), there(w), w.state / "images" / GUEST / "snapshots"
    w.gate.touch()
    asking = w.ask("snapshot", GUEST)
    w.until(lambda: "snapshot-begun" in w.passed()["fired"], 10, "QEMU begins")
    began = time.monotonic()
    w.end_daemon()
    took, said = time.monotonic() - began, asking.communicate(timeout=15)[0]
    if asking.returncode != 1 or "the daemon is ending" not in said or not 0.3 < took < 4 or w.daemon.returncode != 0:
        raise Broken(f"after {took:.2f} s exit {w.daemon.returncode}, who waited got {asking.returncode}: {said}")
    left, jobs = [p.name for p in half.iterdir() if p.suffix == ".part"], w.monitor("query-block-jobs", GUEST)
    if left or jobs:
        raise Broken(f"left: {left}, {jobs}")
    again(w)
    goes_on(w, pid, before)
    return f"ended after {took:.2f} s"


KILLED = "who waited is told that nobody answers; the next daemon ends what QEMU copies and leaves no half of a copy, {}; the same " \
         "QEMU, which runs; the next copy is made"
for point, wanted in (("target", 0), ("begin", 0), ("begun", 0), ("sync", 0), ("rename", 0), ("renamed", 1)):
    fault(f"daemon-killed-snapshot-{point}", how=f"fail point `snapshot-{point}:kill` in the course of a `snapshot`",
          asserts=KILLED.format("and that one whole" if wanted else "and nothing of that one"))(
              lambda w, point=point, wanted=wanted: killed(w, f"snapshot-{point}:kill", lambda names: [], wanted))
for n, wanted in ((1, 0), (2, -1)):
    fault(f"daemon-killed-snapshot-delete-{n}", how=f"fail point `snapshot-delete:kill:{n}` in the course of a `snapshot --delete=`",
          asserts=KILLED.format("and that one whole" if wanted == 0 else "and nothing of that one"))(
              lambda w, n=n, wanted=wanted: deleted(w, f"snapshot-delete:kill:{n}", wanted))
for point, error, words in (("sync", "eio", "Input/output error"), ("rename", "enospc", "No space left")):
    fault(f"snapshot-{point}-{error}", how=f"fail point `snapshot-{point}:{error}` in the course of a `snapshot`",
          asserts="exit 1, with the reason; no half of a copy, and none less; the same QEMU, which runs; the same daemon makes the next")(
              lambda w, point=point, error=error, words=words: fails(w, f"snapshot-{point}", error, words))
