# SPDX-License-Identifier: Apache-2.0
"""From nothing but a package mirror to a healthy guest: `mediakitd bake trixie` (nginx and build-essential inside),
`provision`, and the first boot under TCG until all services answer and cloud-init is done. The mirror is the one that the
machine's own apt uses."""

import shutil
import subprocess
import time

import figures
import ours
import ports
from ours import testbed

AIM = 240  # seconds; the predecessor's runbook says 60 to 90 minutes
SUITE = "trixie"


class Round:
    def __init__(self, directory, offset, cleanup):
        self.took, self.dir, self.offset, self.cleanup = {}, directory, offset, cleanup

    def stage(self, name, run):
        began = time.monotonic()
        result = run()
        self.took[name] = time.monotonic() - began
        figures.say(f"{name}: {self.took[name]:.1f} s")
        return result

    def bake(self, image):
        with open(self.dir / "bake.log", "wb") as log:
            done = subprocess.run([testbed.MEDIAKITD, "bake", SUITE, str(image)], stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log, timeout=1800, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"bake: exit {done.returncode}: {(self.dir / 'bake.log').read_text()[-500:]}")

    def boot(self, guest):
        watch = ports.Watch(self.offset)
        try:
            guest.start()
            guest.wait_healthy()
            while not watch.done():
                time.sleep(0.05)
        finally:
            watch.close()

    def run(self):
        image = self.dir / "image"
        self.stage("bake", lambda: self.bake(image))
        guest = ours.Ours(self.dir / "bed", self.offset, image, SUITE)
        self.cleanup.callback(guest.close)
        self.stage("provision", guest.provision)
        guest.start_daemon()
        self.cleanup.callback(guest.kill)
        self.stage("first boot", lambda: self.boot(guest))
        guest.stop()
        guest.end_daemon()
        return self.took


def measure(directory, cleanup):
    rounds = []
    for n in range(figures.number("ROUNDS", 1)):
        figures.wait_quiet()
        place = directory / str(n)
        place.mkdir(mode=0o711)
        rounds.append(Round(place, figures.number("OFFSET", 10000), cleanup).run())
        shutil.rmtree(place / "image")
    figures.head("from a package mirror to healthy, seconds")
    for name in rounds[0]:
        figures.row(name, [r[name] for r in rounds], "{:.1f}")
    whole = [sum(r.values()) for r in rounds]
    figures.row("all", whole, "{:.1f}", note=figures.verdict(figures.spread(whole)[1], AIM))


ours.run("bench-first", measure)
