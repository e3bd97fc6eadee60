# SPDX-License-Identifier: Apache-2.0
"""Figures of a host on which everything runs: how long `status` takes by socket, by bus and against virsh, how long a scrape
takes, and what the daemon costs while nothing happens.

    figures.py SECONDS     in the container, as root; prints one JSON object
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROUNDS, RUNS = 6, 10
TICK = os.sysconf("SC_CLK_TCK")


def timed(argv):
    """Milliseconds from asking for a process to having reaped it."""
    silent = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0), (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)]
    began = time.perf_counter()
    _, status = os.waitpid(os.posix_spawn(argv[0], argv, os.environ, file_actions=silent), 0)
    took = (time.perf_counter() - began) * 1000
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{' '.join(argv)}: exit {os.waitstatus_to_exitcode(status)}")
    return took


def scrape():
    said = subprocess.run(["curl", "-sf", "-o", "/dev/null", "-w", "%{time_total}", "http://localhost:9464/metrics"],
                          check=True, capture_output=True, text=True).stdout
    return float(said) * 1000


def kib(pid, file, key):
    return next(int(line.split()[1]) for line in pathlib.Path(f"/proc/{pid}/{file}").read_text().splitlines()
                if line.startswith(key + ":"))


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def cpu_ns(pid):
    """All threads', as the scheduler counts it: ticks are too coarse for a tenth of a percent."""
    return sum(int(t.read_text().split()[0]) for t in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))


# By the bus: there the sockets of the runtime directory are hidden, so that the command falls back to it.
if sys.argv[1] == "by-bus":
    print(json.dumps([timed(["/usr/bin/mediakitd", "status"]) for _ in range(RUNS)]))
    sys.exit()

took = {"socket": [], "bus": [], "domstats": [], "scrape": [], "scrape_cached": []}
pid = int(subprocess.run(["systemctl", "show", "-P", "MainPID", "mediakitd"], check=True, capture_output=True, text=True).stdout)
ticks, before, began = cpu(pid), cpu_ns(pid), time.monotonic()
time.sleep(float(sys.argv[1]))
seconds = time.monotonic() - began
idle = {"cpu_pct": (cpu_ns(pid) - before) / 1e7 / seconds, "cpu_ticks_pct": (cpu(pid) - ticks) * 100 / seconds, "seconds": seconds,
        "private_mib": kib(pid, "status", "RssAnon") / 1024, "pss_mib": kib(pid, "smaps_rollup", "Pss") / 1024,
        "rss_mib": kib(pid, "status", "VmRSS") / 1024, "threads": len(os.listdir(f"/proc/{pid}/task"))}
for _ in range(ROUNDS):
    hidden = f"mount -t tmpfs tmpfs /run/mediakitd && exec python3 {__file__} by-bus"
    took["bus"] += json.loads(subprocess.run(["unshare", "-m", "sh", "-c", hidden], check=True, capture_output=True, text=True).stdout)
    for _ in range(RUNS):
        took["socket"].append(timed(["/usr/bin/mediakitd", "status"]))
        took["domstats"].append(timed(["/usr/bin/virsh", "-c", "qemu:///system", "domstats", "vm-mediakit"]))
    for _ in range(3):
        time.sleep(0.7)  # what was asked of the daemon within the last half second is served again
        took["scrape"].append(scrape())
        took["scrape_cached"].append(scrape())
print(json.dumps({"idle": idle, **{name: {"median_ms": statistics.median(v), "min_ms": min(v), "max_ms": max(v)}
                                   for name, v in took.items()}}))
