# SPDX-License-Identifier: Apache-2.0
"""On a system libvirtd of the bench's own, with the stand-in guest and its services probed as configured: what the daemon
holds in memory, and how long `mediakitd status` takes against `virsh domstats`, each as a whole process, in pairs."""

import os
import time

import figures
import ours
import sysvirt

RUNS = 50
AIM_STATUS = 5.0  # ms
AIM_ANON = 4.0    # MiB
AIM_PSS = 12.0    # MiB


def timed(argv, environ, silent):
    """Milliseconds from asking for a process to having reaped it, and its exit status."""
    began = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, environ, file_actions=[(os.POSIX_SPAWN_DUP2, silent, 1),
                                                              (os.POSIX_SPAWN_DUP2, silent, 2)])
    _, status = os.waitpid(pid, 0)
    return (time.perf_counter() - began) * 1000, os.waitstatus_to_exitcode(status)


def latency(bed, uri):
    """Pairs, so that both meet the same guest and the same machine."""
    contenders = {
        "mediakitd status": [ours.testbed.MEDIAKITD, "status"],
        "virsh domstats": ["/usr/bin/virsh", "-c", uri, "domstats", ours.GUEST],
        "true, the cost of any process": ["/bin/true"],
    }
    took = {name: [] for name in contenders}
    silent = os.open(os.devnull, os.O_WRONLY)
    for _ in range(RUNS):
        for name, argv in contenders.items():
            ms, code = timed(argv, bed.environ, silent)
            if code != 0:
                raise RuntimeError(f"{name}: exit {code}")
            took[name].append(ms)
    os.close(silent)
    figures.head("latency, ms")
    for name, values in took.items():
        note = figures.verdict(figures.spread(values)[1], AIM_STATUS) if name == "mediakitd status" else ""
        figures.row(name, values, note=note)
    figures.row("status/domstats", figures.ratios(took["mediakitd status"], took["virsh domstats"]))


def memory(bed, seconds):
    """Looked at ten times over, because what is in flight at one moment is not what the daemon holds."""
    pid = bed.daemon.pid
    time.sleep(seconds)
    anon, pss, rss = [], [], []
    for _ in range(10):
        anon.append(sysvirt.kib(pid, "status", "RssAnon") / 1024)
        pss.append(sysvirt.kib(pid, "smaps_rollup", "Pss") / 1024)
        rss.append(sysvirt.kib(pid, "status", "VmRSS") / 1024)
        time.sleep(1)
    figures.head(f"daemon, {seconds} s after healthy, MiB")
    figures.row("RssAnon", anon, note=figures.verdict(figures.spread(anon)[1], AIM_ANON))
    figures.row("PSS", pss, note=figures.verdict(figures.spread(pss)[1], AIM_PSS))
    figures.row("RSS", rss)
    print(f"threads {sysvirt.entries(pid, 'task')}, descriptors {sysvirt.entries(pid, 'fd')}; PSS is lower where other "
          "processes map the same libraries")


def cpu(bed, seconds):
    before = figures.cpu_seconds(bed.daemon.pid)
    time.sleep(seconds)
    used = figures.cpu_seconds(bed.daemon.pid) - before
    print(f"daemon's CPU over {seconds} s with ten services watched: {used * 1000 / seconds:.1f} ms a second")


def measure(directory, cleanup):
    offset = figures.number("OFFSET", 10000)
    bed = ours.Ours(directory / "ours", offset)
    cleanup.callback(bed.close)
    # Where the bed looks for QEMU's pid file when it cleans up.
    libvirt = sysvirt.SystemLibvirt(bed.dir / "libvirt")
    cleanup.callback(libvirt.close)
    libvirt.start()
    bed.write("mediakitd.conf", f"[Daemon]\nConnection={libvirt.uri}\nStateDirectory={bed.state}\n"
              f"RuntimeDirectory={bed.run}\n")
    bed.provision()
    ours.wait_free(offset)
    bed.start_daemon()
    cleanup.callback(bed.end_daemon)
    cleanup.callback(bed.kill)
    bed.start()
    bed.wait_healthy()
    figures.say("the guest is healthy")
    memory(bed, figures.number("WATCH", 60))
    figures.wait_quiet(beside=bed.pid())
    latency(bed, libvirt.uri)
    cpu(bed, 20)
    bed.stop()


ours.run("bench-status", measure)
