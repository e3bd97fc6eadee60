# SPDX-License-Identifier: Apache-2.0
"""A caller of the system bus who means no good. Without a D-Bus library, so that it can be rude: messages by hand, as the
specification has them, little-endian.

    stranger.py malformed|oversized|flood     prints one JSON object
"""

import contextlib
import json
import os
import socket
import struct
import sys
import threading
import time

NAME, ROOT = "com.pointsav.MediaKit1", "/com/pointsav/MediaKit1"
GUEST_PATH, GUEST, MANAGER = ROOT + "/guest/vm_2dmediakit", NAME + ".Guest", NAME + ".Manager"
PROPERTIES, OBJECTS = "org.freedesktop.DBus.Properties", "org.freedesktop.DBus.ObjectManager"
RETURN, ERROR = 2, 3
NO_REPLY = 1


def padded(data, to):
    return data + b"\0" * (-len(data) % to)


def text(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<I", len(raw)) + raw + b"\0"


def message(path, interface, member, serial, signature="", body=b"", to=NAME, kind=1, flags=0, length=None):
    fields = b""
    for code, type_, value in ((1, b"o", path), (2, b"s", interface), (3, b"s", member), (6, b"s", to)):
        if value:
            fields = padded(fields, 8) + struct.pack("<B", code) + b"\1" + type_ + b"\0" + text(value)
    if kind == RETURN:
        fields = padded(fields, 8) + b"\5\1u\0" + struct.pack("<I", 1)
    if signature:
        fields = padded(fields, 8) + b"\x08\1g\0" + struct.pack("<B", len(signature)) + signature.encode() + b"\0"
    head = struct.pack("<cBBBIII", b"l", kind, flags, 1, len(body) if length is None else length, serial, len(fields))
    return padded(head + fields, 8) + body


class Line:
    """One connection. EOFError where the bus cut it."""

    def __init__(self, timeout=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect("/run/dbus/system_bus_socket")
        self.data, self.serial = b"", 1
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
        while b"\r\n" not in self.data:
            self.more()
        self.data = self.data.partition(b"\r\n")[2]
        bus = "org.freedesktop.DBus"
        self.socket.sendall(b"BEGIN\r\n" + message("/org/freedesktop/DBus", bus, "Hello", 1, to=bus))
        self.answer(1)

    def more(self):
        got = self.socket.recv(1 << 20)
        if not got:
            raise EOFError
        self.data += got

    def receive(self):
        while True:
            if len(self.data) >= 16:
                body, _, fields = struct.unpack("<III", self.data[4:16])
                size = 16 + (fields + 7) // 8 * 8 + body
                if len(self.data) >= size:
                    whole, self.data = self.data[:size], self.data[size:]
                    return whole
            self.more()

    def answer(self, serial):
        """To that message: its type and the name of the error."""
        while True:
            whole = self.receive()
            if whole[1] in (RETURN, ERROR) and b"\5\1u\0" + struct.pack("<I", serial) in whole:
                at = whole.find(b"\4\1s\0")
                name = whole[at + 8:at + 8 + struct.unpack("<I", whole[at + 4:at + 8])[0]].decode() if at > 0 else ""
                return whole[1], name

    def ask(self, *args, **more):
        self.serial += 1
        self.socket.sendall(message(*args[:3], self.serial, *args[3:], **more))
        return self.answer(self.serial)

    def close(self):
        self.socket.close()


def deep(n):
    """A variant in a variant, n deep."""
    return b"".join(b"\1v\0" for _ in range(n)) + b"\1y\0\7"


# What is sent, and what may come back: an error, a return, or the end of the connection by the bus itself.
MALFORMED = {
    "no such method": ((GUEST_PATH, GUEST, "Explode"), {}, "error"),
    "no such interface": ((GUEST_PATH, NAME + ".Gest", "Start"), {}, "error"),
    "no such object": ((ROOT + "/guest/_2e_2e", GUEST, "Start"), {}, "error"),
    "a path of 60000 bytes": ((ROOT + "/a" * 30000, GUEST, "Start"), {}, "error"),
    "an argument too many": ((GUEST_PATH, GUEST, "Start", "s", text("now")), {}, "error"),
    "an argument too few": ((GUEST_PATH, GUEST, "SetBalloon"), {}, "error"),
    "a text for a number": ((GUEST_PATH, GUEST, "SetBalloon", "s", text("3G")), {}, "error"),
    "variants 60 deep": ((ROOT, MANAGER, "Ping", "v", deep(60)), {}, "error"),
    "variants 200 deep": ((ROOT, MANAGER, "Ping", "v", deep(200)), {}, "cut"),
    "an unknown property": ((GUEST_PATH, PROPERTIES, "Get", "ss", padded(text(GUEST), 4) + text("Colour")), {}, "error"),
    "a property set": ((GUEST_PATH, PROPERTIES, "Set", "ssv", padded(text(GUEST), 4) + padded(text("State"), 1) + b"\1y\0\1"),
                       {}, "error"),
    "escape sequences": ((GUEST_PATH, GUEST, "Why", "s", text("\x1b[2J\x07")), {}, "error"),
    "a topic of 1 MiB": ((GUEST_PATH, GUEST, "Why", "s", text("x" * (1 << 20))), {}, "error"),
    "all numbers at their ends": ((ROOT, MANAGER, "ListEvents", "ttu", b"\xff" * 20), {}, "return"),
    "text that is no UTF-8": ((GUEST_PATH, GUEST, "Why", "s", text(b"\xff\xfe")), {}, "cut"),
    "a body shorter than it says": ((GUEST_PATH, GUEST, "Why", "s", text("health")), {"length": 3}, "cut"),
    "an answer nobody asked for": ((None, None, None), {"kind": RETURN}, "nothing"),
    "the bus's own farewell": (("/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local", "Disconnected"), {"kind": 4}, "cut"),
}


def malformed():
    seen, wrong = {}, {}
    for what, (args, more, wanted) in MALFORMED.items():
        line = Line()
        with contextlib.closing(line):
            try:
                if wanted == "nothing":
                    line.socket.sendall(message(*args, 9, **more))
                    kind, name = line.ask(ROOT, MANAGER, "Ping")
                    came = "nothing" if kind == RETURN else name
                else:
                    kind, name = line.ask(*args, **more)
                    came = "return" if kind == RETURN else "error"
                    seen[what] = name or came
            except (EOFError, ConnectionError):
                came = "cut"
            seen.setdefault(what, came)
            if came != wanted:
                wrong[what] = [came, seen[what]]
    with contextlib.closing(Line()) as line:
        if line.ask(ROOT, MANAGER, "Ping")[0] != RETURN:
            wrong["afterwards"] = "no answer to Ping"
    return {"seen": seen, "wrong": wrong}


def oversized():
    """Sixteen messages of 16 MiB, to what is read, to what is written, to what takes no argument."""
    much, came = bytes(16 << 20), []
    for _ in range(4):
        for path, interface, member, signature, body in (
                (GUEST_PATH, GUEST, "Why", "s", text("x" * len(much))), (GUEST_PATH, GUEST, "Stop", "ay", struct.pack("<I", len(much)) + much),
                (ROOT, OBJECTS, "GetManagedObjects", "ay", struct.pack("<I", len(much)) + much),
                (GUEST_PATH, GUEST, "SetBalloon", "ay", struct.pack("<I", len(much)) + much)):
            with contextlib.closing(Line()) as line:
                try:
                    kind, name = line.ask(path, interface, member, signature, body)
                    came.append("return" if kind == RETURN else name)
                except (EOFError, ConnectionError):
                    came.append("cut")
    return {"came": came, "sent_mib": 16 * len(came)}


def flood():
    """Eight connections for six seconds, as fast as the bus takes it; half of them want no answer and read none."""
    end, sent, cut = time.monotonic() + 6, [0] * 8, [0] * 8

    def one(i):
        calls = [(ROOT, MANAGER, "Ping"), (ROOT, OBJECTS, "GetManagedObjects"), (GUEST_PATH, GUEST, "Stop")]
        while time.monotonic() < end:
            try:
                with contextlib.closing(Line(timeout=4)) as line:
                    while time.monotonic() < end:
                        batch = b"".join(message(*calls[n % 3], n + 2, flags=NO_REPLY if i % 2 else 0) for n in range(60))
                        line.socket.sendall(batch)
                        sent[i] += 60
                        if i % 4 == 0:
                            with contextlib.suppress(BlockingIOError):
                                line.socket.recv(1 << 20, socket.MSG_DONTWAIT)
            except (EOFError, OSError):
                cut[i] += 1

    threads = [threading.Thread(target=one, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return {"sent": sum(sent), "cut": sum(cut)}


print(json.dumps({"malformed": malformed, "oversized": oversized, "flood": flood}[sys.argv[1]]()))
