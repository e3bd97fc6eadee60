# SPDX-License-Identifier: Apache-2.0
"""A caller of the daemon's sockets that does not use our own client: so that it can be rude, and so that what is measured is
the daemon. D-Bus by hand, as its specification has it: little-endian, method calls without arguments."""

import socket
import struct
import threading
import time

PATH, MANAGER = "/com/pointsav/MediaKit1", "com.pointsav.MediaKit1.Manager"


def padded(data, to):
    return data + b"\0" * (-len(data) % to)


def message(path, interface, member, serial, body=b"", signature=None):
    """One method call."""
    fields = b""
    for code, kind, text in ((1, b"o", path), (2, b"s", interface), (3, b"s", member)):
        raw = text.encode()
        fields = padded(fields, 8) + struct.pack("<B", code) + b"\1" + kind + b"\0" + struct.pack("<I", len(raw)) + raw + b"\0"
    if signature:
        fields = padded(fields, 8) + b"\x08\1g\0" + struct.pack("<B", len(signature)) + signature + b"\0"
    return padded(struct.pack("<cBBBIII", b"l", 1, 0, 1, len(body), serial, len(fields)) + fields, 8) + body


def ping(serial):
    return message(PATH, MANAGER, "Ping", serial)


def everything(serial):
    return message(PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", serial)


class Line:
    """One connection. OSError where there is nobody, EOFError where it was cut."""

    def __init__(self, path, timeout=10.0):
        self.socket = socket.socket(socket.AF_UNIX)
        self.serial, self.data = 0, b""
        try:
            self.socket.settimeout(timeout)
            self.socket.connect(str(path))
            # All at once, as sd-bus itself does it: where BEGIN and the first call come in one read, its server (252) takes
            # no notice of the call until more comes.
            self.socket.sendall(b"\0AUTH ANONYMOUS 74657374\r\nBEGIN\r\n")
            while b"\r\n" not in self.data:
                self.more()
            if not self.data.startswith(b"OK "):
                raise OSError(f"refused: {self.data!r}")
            self.data = self.data.partition(b"\r\n")[2]
        except BaseException:
            self.socket.close()
            raise

    def more(self):
        got = self.socket.recv(65536)
        if not got:
            raise EOFError("the daemon closed the connection")
        self.data += got

    def receive(self):
        """The next message: its type (2 is a return, 3 an error, 4 a signal), and its whole."""
        while True:
            if len(self.data) >= 16:
                body, _, fields = struct.unpack("<III", self.data[4:16])
                size = 16 + (fields + 7) // 8 * 8 + body
                if len(self.data) >= size:
                    whole, self.data = self.data[:size], self.data[size:]
                    return whole[1], whole
            self.more()

    def call(self, make=everything):
        """Asks, and skips signals until the answer is there. Its size."""
        self.serial += 1
        self.socket.sendall(make(self.serial))
        end = time.monotonic() + self.socket.gettimeout()
        while True:
            kind, whole = self.receive()
            if kind == 4 and time.monotonic() > end:
                raise TimeoutError("signals, and no answer")
            if kind in (2, 3):
                if kind == 3:
                    raise OSError(f"an error came back: {whole[-120:]!r}")
                return len(whole)

    def close(self):
        self.socket.close()


class Caller(threading.Thread):
    """Asks for everything again and again, as `status` does, and keeps how long the slowest answer took. While the daemon is
    meant to be down, nobody answering is fine."""

    EVERY, LIMIT = 0.1, 2.0

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.slowest, self.answers, self.refusals = path, 0.0, 0, []
        self.is_down, self.ended, self.daemons = True, False, 0
        self.since = None  # when the question was put that is not answered yet

    def up(self):
        """There is a daemon, and it must answer."""
        self.is_down = False

    def down(self):
        """It is gone, or about to go, and with it every connection."""
        self.is_down, self.daemons = True, self.daemons + 1

    def run(self):
        line, whose = None, None
        while not self.ended:
            self.since, daemon, was_down = time.monotonic(), self.daemons, self.is_down
            try:
                if line and whose != daemon:
                    line.close()
                    line = None
                # One that is made while it is meant to be down may be of the daemon that is about to go: not kept.
                line, whose = line or Line(self.path), None if was_down else daemon
                line.call()
                if self.daemons == daemon and not was_down:
                    self.slowest = max(self.slowest, time.monotonic() - self.since)
                    self.answers += 1
            except (OSError, EOFError) as error:
                if line:
                    line.close()
                line = None
                if not (was_down or self.daemons != daemon or self.ended):
                    self.refusals.append(f"{type(error).__name__}: {error}")
            self.since = None
            time.sleep(self.EVERY)
        if line:
            line.close()

    def worst(self):
        """Seconds; a question that hangs at this moment counts."""
        since = None if self.is_down else self.since
        return max(self.slowest, time.monotonic() - since if since else 0.0)


class Systemd(threading.Thread):
    """The service manager, as the daemon sees it: receives its notifications, and measures the gaps between its pings."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(0.2)
        self.longest, self.last, self.ended, self.pings, self.seen = 0.0, None, False, 0, []

    def begin(self):
        """A daemon is about to be started."""
        self.last = None

    def run(self):
        while not self.ended:
            try:
                data = self.socket.recv(4096).decode(errors="replace").split("\n")
            except TimeoutError:
                continue
            except OSError:
                return
            now = time.monotonic()
            if "READY=1" in data:
                self.last = now
            if "WATCHDOG=1" in data and self.last is not None:
                self.longest, self.last = max(self.longest, now - self.last), now
                self.pings += 1
            self.seen += [word for word in data if not word.startswith("WATCHDOG")]

    def over(self):
        """The daemon is gone, or is meant to stand still."""
        self.last = None

    def worst(self):
        last = self.last
        return max(self.longest, time.monotonic() - last if last else 0.0)

    def close(self):
        self.ended = True
        self.socket.close()
