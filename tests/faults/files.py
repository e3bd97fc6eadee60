# SPDX-License-Identifier: Apache-2.0
"""State files that are not what we wrote, disks that are full, and disks that fail."""

import os
import pathlib
import random
import shutil
import signal
import time

from registry import fault
from rig import GUEST, Broken

VICTIM = "what is here is somebody else's\n"


def spoiled(w, spoil, told, kept_want=False):
    """Spoils the state file while nobody looks. A guest that runs is adopted whatever the file says, and nobody starts one."""
    pid = w.qemus()
    w.end_daemon(signal.SIGKILL)
    log = w.log.stat().st_size
    spoil(w.kept)
    w.start_daemon()
    w.connected()
    g = w.in_state("running", "booting")
    time.sleep(1.2)  # the state is saved within a second
    said = w.log.read_bytes()[log:].decode(errors="replace")
    if w.qemus() != pid:
        raise Broken(f"QEMU {pid} became {w.qemus()}")
    if told not in said:
        raise Broken(f"the log does not say {told!r}")
    if kept_want and g["want"] != "up":
        raise Broken(f"want {g['want']}")
    return next((line for line in said.splitlines() if told in line), "")[:160]


CANNOT = "its state file cannot be used"


@fault("state-torn", how="state.json cut in half", begin="up", asserts="told; the guest adopted; the file is sound again within 5 s")
def torn(w):
    return spoiled(w, lambda p: os.truncate(p, p.stat().st_size // 2), CANNOT)


@fault("state-empty", how="state.json of 0 bytes", begin="up", asserts="the same")
def empty(w):
    return spoiled(w, lambda p: os.truncate(p, 0), CANNOT)


@fault("state-random", how="state.json of 4 KiB at random", begin="up", asserts="the same")
def at_random(w):
    return spoiled(w, lambda p: p.write_bytes(random.Random(4).randbytes(4096)), CANNOT)


@fault("state-huge", how="state.json of 1 GiB (sparse)", begin="up", asserts="the same")
def huge(w):
    return spoiled(w, lambda p: os.truncate(p, 1 << 30), CANNOT)


@fault("state-future", how='state.json with "version": 99', begin="up", asserts="told as that of a newer mediakitd; otherwise the same")
def future(w):
    return spoiled(w, lambda p: p.write_text(p.read_text().replace('"version": 1', '"version": 99').replace('"version":1', '"version":99')),
                   "by a newer mediakitd")


@fault("state-not-ours", how="state.json that belongs to nobody", begin="up", asserts="not believed; otherwise the same")
def not_ours(w):
    return spoiled(w, lambda p: os.chown(p, 65534, 65534), CANNOT)


@fault("state-missing", how="state.json removed", begin="up", asserts="the guest adopted; the file is there again within 5 s")
def missing(w):
    return spoiled(w, lambda p: p.unlink(), "connected")


@fault("state-symlink", how="state.json and state.json.tmp symbolic links to a file of somebody else's", begin="up",
       asserts="neither read nor written through; otherwise the same")
def symlink(w):
    victim = w.dir / "victim"
    victim.write_text(VICTIM)

    def spoil(path):
        path.unlink()
        path.symlink_to(victim)
        pathlib.Path(f"{path}.tmp").symlink_to(victim)
    said = spoiled(w, spoil, CANNOT)
    if victim.read_text() != VICTIM or w.kept.is_symlink():
        raise Broken("written through the link")
    return said


@fault("state-fifo", how="a FIFO in the place of state.json", begin="up", asserts="the daemon does not wait for it; otherwise the same")
def fifo(w):
    def spoil(path):
        path.unlink()
        os.mkfifo(path)
    return spoiled(w, spoil, CANNOT)


def obstacle(w, path):
    """A directory where the file goes: it cannot be written, which is told; when it is gone, it is written."""
    pid = w.qemus()
    w.end_daemon(signal.SIGKILL)
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "something").touch()
    w.start_daemon()
    w.connected()
    w.in_state("running", "booting")
    trouble = w.until(lambda: w.status()["daemon"]["store_trouble"], 5, "the trouble is told")
    if w.qemus() != pid:
        raise Broken(f"QEMU {pid} became {w.qemus()}")
    shutil.rmtree(path)
    # Tried again with the next thing that is to be written.
    w.do("stop", GUEST)
    w.settled()
    w.until(lambda: not w.status()["daemon"]["store_trouble"], 5, "the trouble is over")
    return trouble[-100:]


@fault("state-directory", how="a directory in the place of state.json", begin="up",
       asserts="told, and put aside; the guest adopted; the file is there within 5 s")
def directory(w):
    def spoil(path):
        path.unlink()
        path.mkdir()
        (path / "something").touch()
    said = spoiled(w, spoil, CANNOT)
    shutil.rmtree(w.kept.parent / "state.json.bad")
    return said


@fault("state-tmp-directory", how="a directory in the place of state.json.tmp", begin="up",
       asserts="told in `status`; the guest adopted and untouched; written once it is gone")
def tmp_directory(w):
    return obstacle(w, pathlib.Path(f"{w.kept}.tmp"))


@fault("console-symlink", how="console.log a symbolic link to a file of somebody else's", begin="down",
       asserts="not written through; the guest starts; the log is written once the link is gone")
def console_symlink(w):
    victim, log = w.dir / "victim2", w.kept.parent / "console.log"
    victim.write_text(VICTIM)
    log.unlink(missing_ok=True)
    log.symlink_to(victim)
    w.up()
    time.sleep(1)
    if victim.read_text() != VICTIM:
        raise Broken("written through the link")
    log.unlink(missing_ok=True)
    w.do("stop", GUEST)
    w.up()
    w.until(log.exists, 5, "the log is written again")
    return "untouched"


# Full disks, and disks that fail --------------------------------------------------------------------------------------


def store_fails(w, trouble):
    """While nothing can be written: a stop and a start are done all the same, and the trouble is told."""
    w.do("stop", GUEST)
    said = w.until(lambda: w.status()["daemon"]["store_trouble"], 5, "the trouble is told")
    w.do("start", GUEST)
    w.in_state("running")
    if trouble not in said:
        raise Broken(f"told: {said}")
    return said


def fails_at(w, order, trouble):
    w.end_daemon()
    w.start_daemon(failpoint=order)
    w.connected()
    w.gate.touch()
    text = w.kept.read_bytes()
    said = store_fails(w, trouble)
    if w.kept.read_bytes() != text:
        raise Broken("the old state did not stand")
    if pathlib.Path(f"{w.kept}.tmp").exists():
        raise Broken("a temporary file is left")
    w.gate.unlink()
    w.do("stop", GUEST)
    w.settled()
    w.until(lambda: not w.status()["daemon"]["store_trouble"], 5, "the trouble is over")
    return said[-90:]


for name, order, words in (("write-eio", "file-write:eio:1+", "Input/output error"),
                           ("sync-eio", "file-sync:eio:1+", "Input/output error"),
                           ("sync-enospc", "file-sync:enospc:1+", "No space left"),
                           ("save-enomem", "state-save:enomem:1+", "Cannot allocate")):
    fault(f"state-{name}", how=f"fail point `{order}`", begin="up",
          asserts="told in `status`; the old file stands; stop and start are done; written once it is over")(
              lambda w, order=order, words=words: fails_at(w, order, words))


@fault("console-eio", how="fail point `console-append:eio:1+`", begin="down", asserts="the guest starts and stops; the state is kept all the same")
def console_eio(w):
    w.end_daemon()
    w.start_daemon(failpoint="console-append:eio:1+")
    w.connected()
    w.gate.touch()
    w.up()
    w.settled()
    if "console-append" not in w.passed()["fired"]:
        raise Broken("nothing was injected")
    w.do("stop", GUEST)
    return "started and stopped"


def inside(w, path):
    """As the daemon sees it, in its mount namespace."""
    return pathlib.Path(f"/proc/{w.daemon.pid}/root{path}")


def fill(path):
    with open(path / "filler", "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(4096))
        except OSError:
            return


@fault("state-disk-full", how="a tmpfs of 1 MiB over the guest's private directory, filled to the last block", begin="up",
       asserts="told in `status`; stop and start are done; written when there is room again")
def disk_full(w):
    w.end_daemon()
    private = w.kept.parent
    w.start_daemon(more=f"cp {w.kept} {w.dir}/keep; mount -t tmpfs -o size=1m,mode=700 tmpfs {private}; cp {w.dir}/keep {w.kept}")
    w.connected()
    w.in_state("running")
    there = inside(w, private)
    fill(there)
    said = store_fails(w, "No space left")
    (there / "filler").unlink()
    w.do("stop", GUEST)
    w.until(lambda: not w.status()["daemon"]["store_trouble"], 5, "the trouble is over")
    # Outside the namespace lies what was there before: the next daemon is to find what this one kept.
    shutil.copy(there / "state.json", w.dir / "keep")
    w.end_daemon()
    shutil.copy(w.dir / "keep", w.kept)
    w.start_daemon()
    w.connected()
    return said[-60:]


@fault("log-disk-full", how="the daemon's stderr is a file on a full tmpfs", begin="up",
       asserts="it goes on: a stop and a start are done")
def log_full(w):
    w.end_daemon()
    log = w.dir / "logs"
    log.mkdir(exist_ok=True)
    w.start_daemon(more=f"mount -t tmpfs -o size=64k tmpfs {log}; dd if=/dev/zero of={log}/filler bs=4k 2>/dev/null || :; "
                        f"exec 2>>{log}/daemon.log")
    w.connected()
    w.do("stop", GUEST)
    w.up()
    return "stopped and started"
