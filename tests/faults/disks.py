# SPDX-License-Identifier: Apache-2.0
"""The disk under the guest is full, or fails."""

import errno
import pathlib
import shutil
import subprocess
import time

from files import fill, inside
from registry import fault
from rig import GUEST, Broken

DONE, FAILED = "disk: done", "disk: failed"


def said(w):
    """By the guest, on its serial line, as kept. How often each."""
    text = "".join(p.read_text(errors="replace") for p in sorted(w.kept.parent.glob("console.log*")))
    return text.count(DONE), text.count(FAILED)


def disk_events(w, since):
    text = w.log.read_bytes()[since:].decode(errors="replace")
    return [line for line in text.splitlines() if "disk" in line]


def paused_by(w, words, pid):
    """The guest stands still, and a person is told why; nothing is done to it."""
    g = w.in_state("paused", seconds=20)
    g = w.until(lambda: (now := w.guest())["reason"] and now, 3, "a reason")
    if words not in g["reason"] or "disk.qcow2" not in g["reason"]:
        raise Broken(f"the reason: {g['reason']}")
    if g["want"] != "up" or g["healthy"] or w.qemus() != pid:
        raise Broken(f"want {g['want']}, healthy {g['healthy']}, QEMU {pid} became {w.qemus()}")
    w.until(lambda: w.service("web", GUEST)["verdict"] == "inconclusive", 5, "web is inconclusive")
    return g["reason"]


def resumed(w, pid, done):
    """By the daemon, within its 10 s and what a loaded machine takes; what the guest wrote meanwhile was only late."""
    began = time.monotonic()
    w.in_state("running", seconds=20)
    took = time.monotonic() - began
    w.until(lambda: said(w)[0] > done[0], 40, "the guest's write is done")
    if said(w)[1] > done[1] or w.guest()["reason"] or w.qemus() != pid:
        raise Broken(f"said {said(w)} after {done}, {w.guest()['reason']!r}, QEMU {pid} became {w.qemus()}")
    return took


@fault("disk-full", how="embedded: the guest's images on a tmpfs of 6 MiB, and the guest writes 8 MiB; then room; then filled again, and "
       "`stop` with Timeout=4s", begin="down", embedded=True,
       asserts="paused, with a reason that names the file and what to do; event and log; no restart; resumed within 20 s of there being "
       "room, and the guest's write succeeds; the stop of one that cannot write ends by its budget; qemu-img finds the disk sound")
def disk_full(w):
    w.end_daemon()
    images = w.state / "images" / GUEST
    w.start_daemon(more=f"cp -a {images} {w.dir}/images.keep; mount -t tmpfs -o size=6m,mode=711 tmpfs {images}; "
                   f"cp -a {w.dir}/images.keep/. {images}; chmod --reference={w.dir}/images.keep {images}; "
                   f"chown --reference={w.dir}/images.keep {images}")
    try:
        w.connected()
        w.up()
        pid, log, done, there = w.qemus(), w.log.stat().st_size, said(w), inside(w, images)
        w.type("W")
        reason = paused_by(w, "is full", pid)
        if not disk_events(w, log):
            raise Broken("the log says nothing")
        subprocess.run(["nsenter", "-t", str(w.daemon.pid), "-m", "mount", "-o", "remount,size=96m", str(images)], check=True)
        took = resumed(w, pid, done)
        fill(there)
        w.type("W")
        paused_by(w, "is full", pid)
        began = time.monotonic()
        words = w.do("stop", GUEST)
        stopped = time.monotonic() - began
        if "forced" not in words or not 3.5 < stopped < 25 or w.qemus() or w.guest()["want"] != "down":
            raise Broken(f"{stopped:.1f} s: {words}")
        (there / "filler").unlink()
        check = subprocess.run(["qemu-img", "check", "-q", str(there / "disk.qcow2")], capture_output=True, text=True, check=False)
        if check.returncode not in (0, 3):  # 3: clusters that nobody uses, no damage
            raise Broken(f"qemu-img check: {check.stdout}{check.stderr}")
    finally:
        for _ in w.qemus():
            w.do("kill", "--yes", GUEST)
        w.end_daemon()
        shutil.rmtree(w.dir / "images.keep")
        w.start_daemon()
        w.connected()
    return f"resumed after {took:.1f} s, stopped in {stopped:.1f} s; {reason}"[:200]


class Blkdebug:
    """QEMU's blkdebug between the qcow2 driver and its file, put there and taken away while the guest runs, by the second
    monitor, so that libvirt knows nothing of it. It fails one write: one that fails them all could not be taken away, because
    QEMU flushes before."""

    def __init__(self, w, error):
        self.w, self.error = w, error
        nodes = w.monitor("query-named-block-nodes", GUEST)
        self.disk = next(n for n in nodes if n["drv"] == "qcow2" and not n["ro"])
        base = pathlib.Path(self.disk["image"]["backing-image"]["filename"]).name
        self.file = next(n for n in nodes if n["drv"] == "file" and n["file"].endswith("/disk.qcow2"))["node-name"]
        self.base = next(n for n in nodes if n["drv"] != "file" and n["file"].endswith(f"/{base}"))["node-name"]

    def reopen(self, file):
        self.w.monitor_do({"execute": "blockdev-reopen", "arguments": {"options": [
            {"driver": "qcow2", "node-name": self.disk["node-name"], "read-only": False, "discard": "unmap",
             "file": file, "backing": self.base}]}})

    def __enter__(self):
        self.w.monitor_do({"execute": "blockdev-add", "arguments": {
            "driver": "blkdebug", "node-name": "faulty", "image": self.file,
            "inject-error": [{"event": "none", "iotype": "write", "errno": self.error,
                              "once": True}]}})
        self.reopen("faulty")
        return self

    def __exit__(self, *_):
        self.reopen(self.file)
        self.w.monitor_do({"execute": "blockdev-del", "arguments": {"node-name": "faulty"}})


@fault("disk-eio", how="QEMU's blkdebug under the guest's image, put there by its second monitor: EIO for one write of the guest's",
       asserts="the guest is told, and runs on; event and log say where to look; no restart; the next write, without blkdebug, succeeds")
def disk_eio(w):
    # What guests can provoke is told a few times a minute; a new daemon has told nothing yet.
    w.end_daemon()
    w.start_daemon()
    w.connected()
    pid, log, done = w.qemus(), w.log.stat().st_size, said(w)
    with Blkdebug(w, errno.EIO):
        w.type("W")
        w.until(lambda: said(w)[1] > done[1], 40, "the guest is told")
        told = w.until(lambda: disk_events(w, log), 3, "it is told in the log")
        time.sleep(1)
        g = w.guest()
        if g["state"] != "running" or g["reason"] or w.qemus() != pid:
            raise Broken(f"{g['state']}, {g['reason']!r}, QEMU {pid} became {w.qemus()}")
    if "the guest was told so" not in told[0]:
        raise Broken(told[0])
    w.type("W")
    w.until(lambda: said(w)[0] > done[0], 40, "the next write succeeds")
    if '"disk"' not in w.do("events", "--json", GUEST):
        raise Broken("no event of its disk")
    return told[0][:150]


@fault("disk-enospc-on-paper", how="the same with ENOSPC, while the file system has room: a quota, a thin volume",
       asserts="paused, with a reason; resumed by attempts that do not need to see room, and the guest's write succeeds")
def disk_on_paper(w):
    pid, done = w.qemus(), said(w)
    with Blkdebug(w, errno.ENOSPC):
        w.type("W")
        reason = paused_by(w, "could not grow", pid)
    took = resumed(w, pid, done)
    return f"resumed after {took:.1f} s; {reason}"[:200]
