# SPDX-License-Identifier: Apache-2.0
"""SIGSTOP of QEMU and of libvirtd: they are there and do not answer."""

import os
import signal
import socket
import time

from registry import fault
from rig import GUEST, Broken


def thawed(w, pid):
    os.kill(pid, signal.SIGCONT)


@fault("qemu-stopped", how="SIGSTOP for 4 s, then SIGCONT", begin="up",
       asserts="no restart; services are judged; running as before when it goes on")
def qemu(w):
    pid = w.qemus()[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(4)
        g = w.guest()
    finally:
        thawed(w, pid)
    if w.qemus() != [pid] or g["state"] != "running":
        raise Broken(f"{g['state']}: {g['reason']}")
    w.in_state("running")
    return f"{g['state']}, web {g['services'][0]['verdict']}"


@fault("qemu-stopped-kill", how="SIGSTOP, then `mediakitd kill`", begin="up",
       asserts="ended within 45 s (libvirt itself waits 10 s for SIGTERM), the caller answered")
def qemu_kill(w):
    os.kill(w.qemus()[0], signal.SIGSTOP)
    began = time.monotonic()
    said = w.do("kill", "--yes", GUEST)
    took = time.monotonic() - began
    if took > 45 or w.qemus():
        raise Broken(f"{took:.1f} s, QEMU {w.qemus()}: {said}")
    return f"{took:.1f} s"


@fault("qemu-stopped-stop", how="SIGSTOP, then `mediakitd stop` with Timeout=8s: more than the 5 s after which a call counts as "
       "lost", begin="up",
       asserts="the ladder goes straight to its end: forced, within the budget and the dozen seconds that libvirt takes")
def qemu_stop(w):
    w.configure(shutdown="8s")
    w.do("reload")
    os.kill(w.qemus()[0], signal.SIGSTOP)
    began = time.monotonic()
    said = w.do("stop", GUEST, timeout=90)
    took = time.monotonic() - began
    w.configure()
    w.do("reload")
    if took > 8 + 17 or w.qemus() or "forced" not in said:
        raise Broken(f"{took:.1f} s, QEMU {w.qemus()}: {said}")
    return f"{took:.1f} s: {said.splitlines()[0]}"


@fault("libvirtd-stopped", how="SIGSTOP while connected, SIGCONT after 3 s", begin="up",
       asserts="`status` answers throughout, with a growing age; nothing happens to the guest")
def libvirtd(w):
    pid = w.qemus()
    w.libvirtd.process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(3)
        state = w.guest()["state"]
    finally:
        w.libvirtd.process.send_signal(signal.SIGCONT)
    if w.qemus() != pid or state != "running":
        raise Broken(f"{state}, QEMU {w.qemus()}")
    w.until(lambda: w.status()["daemon"]["connected"], 20, "connected again")
    w.in_state("running")
    return state


@fault("libvirtd-stopped-long", how="SIGSTOP while connected until keepalive gives up, then a request, then SIGCONT", begin="up",
       asserts="keepalive closes the connection and `status` says so; a stop asked for meanwhile is answered, and done afterwards")
def libvirtd_long(w):
    w.libvirtd.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    try:
        w.until(lambda: not w.status()["daemon"]["connected"], 25, "keepalive gives up")
        took = time.monotonic() - began
        asking = w.ask("stop", GUEST)
        time.sleep(1)
    finally:
        w.libvirtd.process.send_signal(signal.SIGCONT)
    out = asking.communicate(timeout=60)[0].strip().splitlines()
    w.until(lambda: not w.qemus(), 20, "it is stopped in the end")
    return f"given up after {took:.1f} s; stop: exit {asking.returncode}, {out[0] if out else ''}"


@fault("libvirtd-stopped-connecting", how="SIGSTOP before the daemon begins: the socket accepts and nobody answers", begin="up",
       asserts="the daemon serves its sockets; the attempt is abandoned by its deadline; connected after SIGCONT, the guest "
               "adopted")
def libvirtd_connecting(w):
    pid = w.qemus()
    w.end_daemon(signal.SIGKILL)
    w.libvirtd.process.send_signal(signal.SIGSTOP)
    try:
        answered = w.start_daemon()
        began = time.monotonic()
        w.until(lambda: w.status()["daemon"]["connection_message"], 25, "the attempt is abandoned")
        gave_up = time.monotonic() - began
    finally:
        w.libvirtd.process.send_signal(signal.SIGCONT)
    began = time.monotonic()
    w.until(lambda: w.status()["daemon"]["connected"], 60, "connected")
    w.in_state("running")
    if w.qemus() != pid:
        raise Broken(f"QEMU {pid} became {w.qemus()}")
    return f"answered after {answered:.2f} s, gave up after {gave_up:.1f} s, connected {time.monotonic() - began:.1f} s after SIGCONT"


@fault("libvirtd-deaf-socket", how="in libvirtd's place a socket that accepts and never answers", begin="up",
       asserts="as above, and the real one is found when it is back")
def deaf(w):
    pid = w.qemus()
    w.end_daemon(signal.SIGKILL)
    w.libvirtd.end(signal.SIGTERM)
    w.libvirtd.socket.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(w.libvirtd.socket))
        os.chmod(w.libvirtd.socket, 0o777)
        s.listen(50)
        w.start_daemon()
        time.sleep(2)
        if w.status()["daemon"]["connected"]:
            raise Broken("connected to nobody")
    w.libvirtd.socket.unlink()
    w.libvirtd.start()
    w.until(lambda: w.status()["daemon"]["connected"], 60, "connected")
    w.in_state("running")
    if w.qemus() != pid:
        raise Broken(f"QEMU {pid} became {w.qemus()}")
    return "found again"
