# SPDX-License-Identifier: Apache-2.0
"""What each lever on a cold boot under TCG does: the same disk booted with one thing of the domain's description changed, to
all eight ports. Each boot gets a fresh overlay of a disk that was shut down clean, so that all start from the same bytes; in
each round every lever has its turn, in another order. Ratios are against the description as it is, in the same round.

LEVERS=word… takes those with one of the words in their name; ROUNDS=3."""

import os
import random
import re
import subprocess
import time

import figures
import ours
import ports

LIMIT = 300  # seconds for one boot; a kernel that panicked is seen by that, and taken again
TAKES = 3


def without(pattern):
    return lambda xml: replaced(xml, pattern, "")


def replaced(xml, pattern, by):
    """Exactly what is meant, or the lever means nothing."""
    xml, n = re.subn(pattern, by, xml, flags=re.DOTALL)
    if n != 1:
        raise RuntimeError(f"{pattern}: found {n} times in the description")
    return xml


def cpu(text):
    return lambda xml: replaced(xml, r"<cpu mode='maximum'>.*?</cpu>", text)


def model(name):
    return cpu(f"<cpu mode='custom' match='exact' check='none'><model fallback='forbid'>{name}</model></cpu>")


def cache(attributes):
    return lambda xml: replaced(xml, r"type='qcow2' discard", f"type='qcow2' {attributes} discard")


def blocks(mib):
    return lambda xml: replaced(xml, "<acpi/>", f"<acpi/><tcg><tb-cache unit='MiB'>{mib}</tb-cache></tcg>")


def more_cmdline(words):
    return lambda xml: replaced(xml, "</cmdline>", f" {words}</cmdline>")


LEVERS = {
    "as it is": lambda xml: xml,
    "cloud-init at every boot": more_cmdline("cloud-init=enabled"),
    "no data-source hint": lambda xml: without(r"<smbios mode='sysinfo'/>")(without(r"<sysinfo.*?</sysinfo>")(xml)),
    "no data-source hint, cloud-init": lambda xml: LEVERS["no data-source hint"](more_cmdline("cloud-init=enabled")(xml)),
    "no virtio-rng": without(r"<rng.*?</rng>"),
    "machine pc": lambda xml: replaced(replaced(xml, "machine='q35'", "machine='pc'"), "bus=pcie.0", "bus=pci.0"),
    "CPU qemu64": model("qemu64"),
    "CPU Nehalem (x86-64-v2)": model("Nehalem"),
    "CPU max with five-level paging": cpu("<cpu mode='maximum'/>"),
    "translation cache 64 MiB": blocks(64),
    "translation cache 128 MiB": blocks(128),
    "translation cache 256 MiB": blocks(256),
    "translation cache 512 MiB": blocks(512),
    "translation cache 2048 MiB": blocks(2048),
    "cache none": cache("cache='none'"),
    "cache none, io_uring": cache("cache='none' io='io_uring'"),
    "cache unsafe (never to be used)": cache("cache='unsafe'"),
    "no free page reporting": lambda xml: replaced(xml, "freePageReporting='on'", "freePageReporting='off'"),
    "firmware, not direct": lambda xml: replaced(xml, r"<kernel>.*?</cmdline>", "<boot dev='hd'/>"),
}


class Bench:
    def __init__(self, directory, offset, cleanup):
        self.dir, self.offset = directory, offset
        self.guest = ours.Ours(directory / "bed", offset)
        cleanup.callback(self.guest.close)
        self.took, self.cpu, self.again = {}, {}, 0

    def prepare(self):
        """A disk on which all has been done that a first boot does, and its description."""
        guest = self.guest
        guest.provision()
        guest.start_daemon()
        for _ in range(2):
            guest.start()
            guest.wait_healthy()
            guest.settle()
            if (cause := guest.stop()) != "operator":
                raise RuntimeError(f"the first boots did not end clean: {cause}")
        guest.end_daemon()  # the embedded driver has one user at a time
        xml = guest.command("xml", f"--config={guest.config}", ours.GUEST)
        self.disk = guest.images() / "disk.qcow2"
        self.overlay = guest.images() / "lever.qcow2"
        return xml.replace(str(self.disk), str(self.overlay))

    def virsh(self, *words):
        done = subprocess.run(["virsh", "-q", "-c", f"qemu:///embed?root={self.guest.dir}/libvirt", *words],
                              capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise RuntimeError(f"virsh {words[0]}: {done.stderr.strip()}")

    def attempt(self, xml):
        self.overlay.unlink(missing_ok=True)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(self.disk), "-F", "qcow2",
                        str(self.overlay)], check=True)
        (self.dir / "lever.xml").write_text(xml)
        ours.wait_free(self.offset)
        watch = ports.Watch(self.offset)
        try:
            self.virsh("create", str(self.dir / "lever.xml"))
            pid = self.guest.pid()
            # Not what virsh takes: from QEMU's own beginning.
            ticks = int(open(f"/proc/{pid}/stat", encoding="ascii").read().rpartition(")")[2].split()[19])
            lead = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / figures.TICK
            began = time.monotonic() - lead
            while not watch.done():
                if time.monotonic() - watch.began > LIMIT:
                    return None
                time.sleep(0.05)
            return watch.began + watch.seconds() - began, figures.cpu_seconds(pid)
        finally:
            watch.close()
            self.end()

    def end(self):
        """The next user of the embedded driver may find that it cannot have this QEMU back, and end it itself."""
        if not self.guest.pid():
            return
        try:
            self.virsh("destroy", ours.GUEST)
        except RuntimeError:
            if self.guest.pid():
                raise

    def boot(self, name, xml):
        for _ in range(TAKES):
            result = self.attempt(xml)
            if result:
                break
            self.again += 1
            figures.say(f"{name}: not up within {LIMIT} s; taken again")
        else:
            raise RuntimeError(f"{name}: {TAKES} boots came to nothing")
        figures.say(f"{name}: {result[0]:.1f} s, {result[1]:.1f} s of CPU")
        self.took.setdefault(name, []).append(result[0])
        self.cpu.setdefault(name, []).append(result[1])

    def run(self, rounds, levers):
        xml = self.prepare()
        ways = {name: levers[name](xml) for name in levers}
        self.attempt(ways["as it is"])  # the host's page cache is warm from here on
        for n in range(rounds):
            figures.say(f"round {n + 1} of {rounds}")
            for name in random.Random(n).sample(list(ways), len(ways)):
                self.boot(name, ways[name])

    def report(self):
        base = "as it is"
        if not self.took.get(base):
            return
        for what, of in (("seconds to eight ports", self.took), ("QEMU's CPU until then, seconds", self.cpu)):
            figures.head(what)
            for name, values in of.items():
                ratio = figures.ratios(values, of[base])
                figures.row(name, values, "{:.1f}", note=f"{figures.spread(ratio)[1]:.2f} of as it is" if ratio else "")
        print(f"\nBoots that came to nothing and were taken again: {self.again}.")


def measure(directory, cleanup):
    words = os.environ.get("LEVERS", "").split()
    levers = {n: f for n, f in LEVERS.items() if n == "as it is" or not words or any(w in n for w in words)}
    bench = Bench(directory, figures.number("OFFSET", 10000), cleanup)
    try:
        bench.run(figures.number("ROUNDS", 3), levers)
    finally:
        bench.report()


ours.run("bench-levers", measure)
