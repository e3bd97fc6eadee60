# SPDX-License-Identifier: Apache-2.0
"""Callers who mean no good, and services that answer anything but the truth."""

import contextlib
import socket
import struct
import threading
import time

import cbor2

import client
from registry import fault
from rig import GUEST, Broken


@fault("calls-10000-a-second", how="eight connections send calls as fast as they are taken, far more than the hundred a second of one user, 3 s",
       begin="up", asserts="another caller is answered within 2 s; memory flat")
def flood(w):
    end, sent, dropped = time.monotonic() + 3, [0] * 8, [0] * 8

    def one(i):
        many = b"".join(client.ping(n) for n in range(1, 201))
        while time.monotonic() < end:
            with contextlib.suppress(OSError, EOFError):
                line = client.Line(w.run / "status", timeout=2)
                try:
                    while time.monotonic() < end:
                        line.socket.sendall(many)
                        sent[i] += 200
                        line.socket.setblocking(False)
                        with contextlib.suppress(BlockingIOError):
                            if not line.socket.recv(1 << 20):
                                raise EOFError
                        line.socket.settimeout(2)
                finally:
                    dropped[i] += 1
                    line.close()
    threads = [threading.Thread(target=one, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    # They offer what the daemon takes from them, a hundred a second for a user and a burst of a thousand, and what fits the
    # sockets' buffers before that.
    if sum(sent) < 5000:
        raise Broken(f"only {sum(sent)} calls in 3 s: this proves nothing")
    return f"{sum(sent) // 3} calls/s, {sum(dropped)} connections; slowest answer to another {w.caller.worst() * 1000:.0f} ms"


@fault("callers-vanish", how="1000 callers who ask for everything and go without reading", begin="up",
       asserts="others are served; descriptors and memory flat")
def vanish(w):
    n = 0
    for i in range(1000):
        with contextlib.suppress(OSError, EOFError), contextlib.closing(client.Line(w.run / "status", timeout=2)) as line:
            line.socket.sendall(client.everything(1))
            n += 1
    return f"{n} of 1000 were let in"


@fault("messages-half", how="40 connections that stop in the middle of the handshake, of a header, of a body", begin="up",
       asserts="others are served")
def half(w):
    held = []
    try:
        for i in range(40):
            with contextlib.suppress(OSError, EOFError):
                if i % 3 == 0:
                    s = socket.socket(socket.AF_UNIX)
                    s.connect(str(w.run / "status"))
                    s.sendall(b"\0AUTH ANON")
                    held.append(s)
                else:
                    line = client.Line(w.run / "status", timeout=2)
                    whole = client.everything(1)
                    line.socket.sendall(whole[:7 if i % 3 == 1 else len(whole) - 3])
                    held.append(line.socket)
        time.sleep(2)
        with contextlib.closing(client.Line(w.run / "status", timeout=2)) as line:
            line.call()
    finally:
        for s in held:
            s.close()
    return f"{len(held)} held; slowest answer to another {w.caller.worst() * 1000:.0f} ms"


@fault("messages-oversized", how="headers that announce 100 MiB, and bodies of many MiB; rubbish in the place of a handshake",
       begin="up", asserts="others are served; memory flat")
def oversized(w):
    for size in (100 << 20, 0x7fffffff, 0xffffffff):
        for _ in range(5):
            with contextlib.suppress(OSError, EOFError), contextlib.closing(client.Line(w.run / "status", timeout=2)) as line:
                message = bytearray(client.everything(1))
                message[4:8] = struct.pack("<I", size)
                line.socket.sendall(message)
                for _ in range(8):
                    line.socket.sendall(bytes(1 << 20))
    for rubbish in (bytes(100000), b"\xff" * 100000, b"\0AUTH " + b"A" * 100000, b"GET / HTTP/1.1\r\n\r\n" * 1000):
        with contextlib.suppress(OSError), contextlib.closing(socket.socket(socket.AF_UNIX)) as s:
            s.settimeout(2)
            s.connect(str(w.run / "status"))
            s.sendall(rubbish)
    with contextlib.closing(client.Line(w.run / "status", timeout=2)) as line:
        line.call()
    return f"slowest answer to another {w.caller.worst() * 1000:.0f} ms"


# A hostile service ----------------------------------------------------------------------------------------------------


def reply(body, kind="application/cbor", status="200 OK", more=""):
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def endless(s, chunk):
    while True:
        s.sendall(chunk)


def trickle(s):
    for byte in reply(cbor2.dumps({"v": 1, "service": "web", "status": "ok"})):
        s.sendall(bytes([byte]))
        time.sleep(0.05)


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


GOOD = {"v": 1, "service": "web", "status": "ok"}
ANSWERS = {
    "silence": lambda s: time.sleep(2),
    "reset": reset,
    "half-closed": lambda s: s.shutdown(socket.SHUT_WR),
    "rubbish": lambda s: s.sendall(b"\xff\0" * 500),
    "endless header": lambda s: (s.sendall(b"HTTP/1.1 200 OK\r\nX: "), endless(s, b"a" * 65536)),
    "endless headers": lambda s: (s.sendall(b"HTTP/1.1 200 OK\r\n"), endless(s, b"X: y\r\n" * 5000)),
    "endless 100s": lambda s: endless(s, b"HTTP/1.1 100 Continue\r\n\r\n" * 2000),
    "endless body": lambda s: (s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/cbor\r\n\r\n"), endless(s, bytes(65536))),
    "endless trailers": lambda s: (s.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"),
                                   endless(s, b"X: y\r\n" * 5000)),
    "a byte at a time": trickle,
    "1 GiB array in 5 bytes": lambda s: s.sendall(reply(bytes.fromhex("9a07ffffff"))),
    "nested 800 deep": lambda s: s.sendall(reply(bytes.fromhex("9a000fffff") * 800)),
    "wrong service": lambda s: s.sendall(reply(cbor2.dumps(dict(GOOD, service="other")))),
    "status 500": lambda s: s.sendall(reply(cbor2.dumps(GOOD), status="500 Oops")),
    "redirect to a file": lambda s: s.sendall(reply(b"", status="302 Found", more="Location: file:///etc/passwd\r\n")),
    "escape sequences": lambda s: s.sendall(reply(cbor2.dumps(dict(GOOD, status="failing", reason="\x1b[2J\x07")))),
    "twice the same key": lambda s: s.sendall(reply(b"\xa2" + cbor2.dumps("v") + b"\1" + cbor2.dumps("v") + b"\1")),
}


def serve(server, answer, ended, asked):
    server.settimeout(0.1)
    while not ended.is_set():
        with contextlib.suppress(OSError):
            s, _ = server.accept()
            asked.append(time.time() * 1e6)
            with contextlib.closing(s):
                s.settimeout(3)
                s.recv(4096)
                answer(s)


@fault("probe-hostile", how=f"QEMU's forward is taken away through its second monitor, and a server of ours listens in its place: "
       f"{', '.join(ANSWERS)}", begin="up",
       asserts="none of them is `ok` or degraded; each judged within its time-out; control and watchdog as ever; memory flat")
def hostile(w):
    port, seen = w.offset + 80, {}
    command = {"execute": "human-monitor-command",
               "arguments": {"command-line": f"hostfwd_remove mediakit0 tcp:127.0.0.1:{port}"}}
    w.monitor_do(command)
    for name, answer in ANSWERS.items():
        ended, asked = threading.Event(), []
        with contextlib.closing(socket.create_server(("127.0.0.1", port), backlog=20)) as server:
            threads = [threading.Thread(target=serve, args=(server, answer, ended, asked), daemon=True) for _ in range(2)]
            for t in threads:
                t.start()
            s = w.until(lambda: asked and (s := w.service("web", GUEST))["verdict_at_usec"] > asked[0] and s, 8,
                        f"a verdict on: {name}")
            ended.set()
        for t in threads:
            t.join(5)
        seen[name] = s["verdict"]
        if s["up"] or s["verdict"] in ("ok", "degraded"):
            raise Broken(f"{name}: {s['verdict']}: {s['reason']}")
        if any(ord(c) < 32 for c in s["reason"] or ""):
            raise Broken(f"{name}: control characters in {s['reason']!r}")
    w.do("kill", "--yes", GUEST)  # its forward is gone
    return ", ".join(f"{n}: {v}" for n, v in seen.items())
