# SPDX-License-Identifier: Apache-2.0
"""Time from the start command to all eight ports healthy: the predecessor's QEMU command against `mediakitd start`, a
first boot (a fresh overlay of the same base, the same seed) and a later one (that overlay, after a clean shutdown); and for
ours a warm start of it (after `stop --save`), which is held against the predecessor's later boot: it has nothing else.

Judged by the same eyes (ports.py). The two take turns, and turns in who comes first; one guest runs at a time. Our daemon is
up before, as it is on a host that has booted; the predecessor has nothing that could be. A predecessor's boot that panics is
taken again and told; ours is started again by the product, and the time that takes counts."""

import shutil
import time

import figures
import ours
import ports
import predecessor

LIMIT = 600  # seconds for one boot
TAKES = 5    # boots of the predecessor in a row that may panic
AIMS = {"first": 0.9, "later": 0.6, "warm": 0.25}
AGAINST = {"first": "first", "later": "later", "warm": "later"}


class Boot:
    """What one boot took: seconds to the ports, seconds to our own word `healthy`, CPU seconds of QEMU until the ports."""

    def __init__(self, seconds, cpu, healthy=None, noisy=False):
        self.seconds, self.cpu, self.healthy, self.noisy = seconds, cpu, healthy, noisy


def boot(contender, offset):
    """Starts it and watches the ports; the caller has made the disk."""
    noisy = figures.wait_quiet() > figures.NOISE_MAX
    ours.wait_free(offset)
    watch = ports.Watch(offset)
    try:
        contender.start()
        while not watch.done():
            contender.check()
            if time.monotonic() - watch.began > LIMIT:
                raise RuntimeError(f"not healthy within {LIMIT} s: {sorted(set(ports.SERVICES) - set(watch.took))}")
            time.sleep(0.05)
        result = Boot(watch.seconds(), figures.cpu_seconds(contender.pid()), noisy=noisy)
        if isinstance(contender, ours.Ours):
            contender.wait_healthy()
            result.healthy = time.monotonic() - watch.began
        return result
    finally:
        watch.close()


class Bench:
    def __init__(self, directory, offset, cleanup):
        self.offset = offset
        self.boots = {(who, which): [] for who in ("predecessor", "ours") for which in AIMS}
        self.saves = []
        self.panics, self.restarts, self.unclean = 0, 0, 0
        self.ours = ours.Ours(directory / "ours", offset)
        cleanup.callback(self.ours.close)
        # That cloud-init is skipped where it has nothing to do is our seed's doing; the predecessor's had nothing like it.
        every = self.ours.config / f"guests.d/{ours.GUEST}.conf.d/70-every.conf"
        every.write_text("[CloudInit]\nEveryBoot=yes\n")
        self.ours.provision()
        seed = directory / "seed.iso"
        shutil.copy(self.ours.images() / "seed.iso", seed)
        every.unlink()
        self.ours.provision()
        self.predecessor = predecessor.Predecessor(directory / "predecessor", self.ours.base(), seed, offset)
        cleanup.callback(self.predecessor.kill)
        self.ours.start_daemon()
        cleanup.callback(self.ours.end_daemon)
        cleanup.callback(self.ours.kill)

    def note(self, who, which, result, remark=""):
        self.boots[who, which].append(result)
        words = f"{who}, {which} boot: {result.seconds:.1f} s to eight ports, QEMU took {result.cpu:.1f} s of CPU"
        if result.healthy:
            words += f", healthy by its own word at {result.healthy:.1f} s"
        figures.say(words + remark)

    def boot_predecessor(self, which):
        for _ in range(TAKES):
            try:
                result = boot(self.predecessor, self.offset)
                break
            except predecessor.Panic as panic:
                self.predecessor.kill()
                self.panics += 1
                figures.say(f"the predecessor's boot came to nothing, {panic}; taken again")
                if which == "first":
                    self.predecessor.fresh_disk()
        else:
            raise RuntimeError(f"{TAKES} boots of the predecessor in a row came to nothing")
        self.note("predecessor", which, result)
        if not self.predecessor.stop():
            self.unclean += 1
            figures.say("the predecessor did not shut down in time; its power was cut")

    def boot_ours(self, which):
        before = self.ours.starts()
        result = boot(self.ours, self.offset)
        again = self.ours.starts() - before - 1
        self.restarts += max(0, again)
        self.note("ours", which, result, f", {again} boots started again" if again > 0 else "")
        # A guest is not stopped in the second in which it came up: cloud-init's end is on its disk.
        self.ours.settle()

    def boot_warm(self):
        began = time.monotonic()
        self.ours.save()
        self.saves.append(time.monotonic() - began)
        result = boot(self.ours, self.offset)
        if (kind := self.ours.guest()["last_start"]) != "warm":
            raise RuntimeError(f"the start after stop --save was {kind}: {self.ours.guest()['last_start_reason']}")
        self.note("ours", "warm", result)

    def turn(self, who):
        if who == "predecessor":
            self.predecessor.fresh_disk()
            self.boot_predecessor("first")
            self.boot_predecessor("later")
            return
        self.ours.fresh_disk()
        self.boot_ours("first")
        self.ours.stop()
        self.boot_ours("later")
        self.boot_warm()
        self.ours.stop()

    def run(self, rounds):
        # Read once, so that the first to boot does not pay for the disk.
        self.ours.base().read_bytes()
        for n in range(rounds):
            figures.say(f"round {n + 1} of {rounds}")
            for who in (("predecessor", "ours"), ("ours", "predecessor"))[n % 2]:
                self.turn(who)

    def seconds(self, who, which, field="seconds"):
        return [getattr(b, field) for b in self.boots[who, which]]

    def report(self):
        if not any(self.boots.values()):
            return
        for which, aim in AIMS.items():
            other = AGAINST[which]
            theirs, our = self.seconds("predecessor", other), self.seconds("ours", which)
            figures.head(f"{which} {'start' if which == 'warm' else 'boot'}, seconds")
            figures.row("predecessor, to eight ports" + (f" ({other})" if other != which else ""), theirs, "{:.1f}")
            figures.row("ours, to eight ports", our, "{:.1f}")
            figures.row("ours, healthy by its own word", self.seconds("ours", which, "healthy"), "{:.1f}")
            cpu = [self.seconds("predecessor", other, "cpu"), self.seconds("ours", which, "cpu")]
            figures.row("predecessor, CPU of QEMU", cpu[0], "{:.1f}")
            figures.row("ours, CPU of QEMU", cpu[1], "{:.1f}")
            ratio = figures.ratios(our, theirs)
            if ratio:
                figures.row("ours/predecessor, time", ratio, note=figures.verdict(figures.spread(ratio)[1], aim))
                figures.row("ours/predecessor, CPU", figures.ratios(cpu[1], cpu[0]))
        figures.head("stop --save, seconds")
        figures.row("ours", self.saves, "{:.1f}")
        noisy = sum(b.noisy for boots in self.boots.values() for b in boots)
        print(f"\nThe predecessor panicked and was taken again: {self.panics}. Ours was started again by the product, time "
              f"included: {self.restarts}.\nShut down unclean: {self.unclean}. Begun while others were busy: {noisy}.")


def measure(directory, cleanup):
    bench = Bench(directory, figures.number("OFFSET", 10000), cleanup)
    try:
        bench.run(figures.number("ROUNDS", 3))
    finally:
        bench.report()


ours.run("bench-boot", measure)
