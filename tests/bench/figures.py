# SPDX-License-Identifier: Apache-2.0
"""What the measurements share: figures and their spread, tables, and a machine that is quiet before they begin."""

import os
import pathlib
import statistics
import sys
import time

TICK = os.sysconf("SC_CLK_TCK")
NOISE_MAX = 0.10  # of all CPUs: what an idle machine's daemons take is far below, one busy program far above


def number(name, default):
    """A whole number from the environment, where make hands over an empty text for what nobody set."""
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or int(text) < 1:
        sys.exit(f"bench: {name}={text}: a whole number above zero is wanted")
    return int(text)


def say(words):
    print(f"bench: {words}", file=sys.stderr, flush=True)


def spread(values):
    return (min(values), statistics.median(values), max(values)) if values else None


def row(name, values, form="{:.2f}", note=""):
    """One line of a table: min, median, max and how many."""
    cells = [form.format(v) for v in spread(values)] if values else ["-"] * 3
    print(f"{name:<34}" + "".join(f"{c:>10}" for c in cells) + f"{len(values):>5}  {note}".rstrip(), flush=True)


def head(title):
    print(f"\n{title:<34}{'min':>10}{'median':>10}{'max':>10}{'n':>5}", flush=True)


def ratios(ours, theirs):
    """Of what was measured in the same round, so that what slows a whole round cancels out."""
    return [a / b for a, b in zip(ours, theirs) if b]


def verdict(value, limit):
    return f"aim <= {limit:g}: " + ("met" if value <= limit else "MISSED")


def cpu_seconds(pid):
    """User and system time of a process and of all its threads; 0 where it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK
    except OSError:
        return 0.0


def busy(seconds, beside=None):
    """The share of all CPUs that was in use over so many seconds, by others than the process `beside`."""
    def read():
        n = [int(f) for f in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return sum(n), n[3] + n[4] + (cpu_seconds(beside) * TICK if beside else 0)
    all_before, free_before = read()
    time.sleep(seconds)
    everything, free = read()
    return 1 - (free - free_before) / max(1, everything - all_before)


def wait_quiet(beside=None):
    """Waits, but not for ever, until others leave the machine alone. The share of CPU they still take."""
    end = time.monotonic() + number("QUIET", 120)
    share = busy(3, beside)
    while share > NOISE_MAX and time.monotonic() < end:
        share = busy(3, beside)
    if share > NOISE_MAX:
        say(f"the machine is not quiet: others take {share:.0%} of its CPUs, so times mean little")
    return share
