# SPDX-License-Identifier: Apache-2.0
"""A guest saved and gone on with, as both the guest tests and those of a save's bad days look at it."""

import json
import time

GUEST = "vm-mediakit"
# Says in the guest that it lives: how often it went round, and the id of its process.
# A file, because systemd-run would take the dollars for its own.
TICKER = ("systemctl -q is-active ticker || { printf '%s\\n' 'n=0; while sleep 0.5; do n=$((n+1)); echo $$ $n >/run/ticker.new; "
          "mv /run/ticker.new /run/ticker; done' | sudo tee /run/ticker.sh >/dev/null; "
          "sudo systemd-run -q --unit=ticker sh /run/ticker.sh; }")


def file_of(bed, guest=GUEST):
    return bed.dir / "libvirt/lib/qemu/save" / f"{guest}.save"


def ticket_of(bed, guest=GUEST):
    return bed.state / "private" / guest / "saved.json"


def last_event(bed, words):
    return next((e["text"] for e in reversed(bed.events()) if words in e["text"]), "")


class Alive:
    """What must be as before after a warm start: the boot, and a process in it that counts."""

    def __init__(self, bed):
        bed.ssh(TICKER)
        bed.wait(lambda: bed.ssh("cat /run/ticker", check=False), 20, "a process in the guest counts")
        self.boot_id, (self.pid, self.count) = bed.ssh("cat /proc/sys/kernel/random/boot_id"), self.ticks(bed)

    @staticmethod
    def ticks(bed):
        return [int(n) for n in bed.ssh("cat /run/ticker").split()]


def save(bed, t):
    """`stop --save`; what is left of the guest."""
    began = time.monotonic()
    r = bed.mediakitd("stop", GUEST, "--save")
    t.need(r.returncode == 0 and "saved in " in r.stdout + r.stderr, "stop --save", f"{(r.stdout + r.stderr).strip()}; "
           f"{time.monotonic() - began:.1f} s")
    t.check(not bed.qemu_pids() and file_of(bed).exists() and ticket_of(bed).exists(),
            "QEMU is gone, its memory and what that fits are on the disk", f"{file_of(bed).stat().st_size >> 20} MiB")


def start(bed):
    """(words, seconds) of a start, which must succeed."""
    began = time.monotonic()
    r = bed.mediakitd("start", GUEST)
    words = (r.stdout + r.stderr).strip()
    if r.returncode != 0:
        raise RuntimeError(f"start: exit {r.returncode}: {words}")
    return words, time.monotonic() - began


def nothing_left(bed, t):
    t.check(not file_of(bed).exists() and not ticket_of(bed).exists(), "nothing of the save is left to be used again")


def warm(bed, t, down=10):
    """Saved, down for so long, and up again: the boot it was, its processes, its clock, its services."""
    before = Alive(bed)
    save(bed, t)
    saved = json.loads(ticket_of(bed).read_text())
    t.check(saved["boot_id"] == before.boot_id, "of that boot")
    time.sleep(down)  # so that its clock is seen to be put right
    began = time.monotonic()
    words, seconds = start(bed)
    t.check("running (warm" in words, "start goes on from there, and says so", f"{words}; {seconds:.1f} s")
    r = bed.mediakitd("wait", GUEST, "--for=healthy", "--timeout=120s")
    t.need(r.returncode == 0, "it is healthy", f"{time.monotonic() - began:.1f} s after the start was asked for")
    after = Alive(bed)
    t.check((after.boot_id, after.pid) == (before.boot_id, before.pid) and after.count > before.count,
            "the same boot, and a process in it goes on", f"{before.count} -> {after.count}")
    said = bed.wait(lambda: last_event(bed, "its clock is"), 60, "a word on its clock")
    # Asking takes its own time, seconds on a busy host: its answer lies between the two ends of that.
    asked = time.time()
    at = float(bed.ssh("date +%s.%N"))
    lag = max(0.0, asked - at, at - time.time())
    t.check(lag < 2 and "its clock is right" in said, "its clock is right", f"{lag:.1f} s off; {said}")
    nothing_left(bed, t)
