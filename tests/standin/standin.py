# SPDX-License-Identifier: Apache-2.0
"""A stand-in for one service of the guest: it answers GET /healthz with the CBOR report.

    main.py SERVICE PORT     serve
    main.py --compile        only import everything, which leaves the bytecode on disk

Eight of these start while an emulated CPU boots the guest, so what is imported is what is paid for:
raw sockets through _socket, no socket, http, re, enum or site module. The encoder is cbor2's own
pure-Python one, so that the decoder under test never reads what our own code has written.

/run/standin/SERVICE.mode, read again for each request, says how to misbehave:
    ok (or no file), degraded, starting, failing     that status
    503-STATUS       the same report under status line 503
    unproven         a report without service, nonce and boot_id
    wrong-service, wrong-nonce, stale-boot           a report that is not this one's
    plain            200 with text/plain "ok"
    500              an error page
    malformed        a report that lacks its last bytes
    hang             take the connection, never answer
    trickle          one byte a second
"""

import posix
import sys
import time

import _socket

STATUSES = ("ok", "degraded", "starting", "failing")
STATUS_LINES = {200: "OK", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}
REQUEST_MAX = 8192
REQUEST_SECONDS = 3
VERSION = "0.1-standin"

# Connections of the mode "hang", kept open until the service ends.
held = []


class Nothing(type):
    """A class that can be subscripted, called and inherited from, and is no more than that."""

    def __getitem__(cls, key):
        return cls


class Anything(metaclass=Nothing):
    def __new__(cls, *args, **kwargs):
        return cls if cls is Anything else object.__new__(cls)


class Managed:
    """What contextlib.contextmanager makes of a generator, where no exception passes through it."""

    def __init__(self, generator):
        self.generator = generator

    def __enter__(self):
        return next(self.generator)

    def __exit__(self, *error):
        next(self.generator, None)


def make_stubs():
    """The modules cbor2's encoder imports and, for a map of texts and integers, does not use.

    Importing the real ones costs twice what the interpreter's own start does, in each of the eight."""
    import _collections
    import _datetime

    def same(function, *args):
        return function

    def module(name, **names):
        stub = type(sys)(name)
        stub.__dict__.update(names)
        stub.__getattr__ = lambda name: Anything
        return stub

    return {
        "re": module("re", compile=lambda pattern: Anything(), Pattern=Nothing),
        "datetime": _datetime,
        "functools": module("functools", wraps=lambda wrapped: same, total_ordering=same),
        "contextlib": module(
            "contextlib", contextmanager=lambda function: lambda *args: Managed(function(*args))
        ),
        "reprlib": module("reprlib", recursive_repr=lambda *args: same),
        "threading": module("threading"),
        "typing": module("typing", TYPE_CHECKING=False, cast=lambda kind, value: value),
        "collections.abc": module("collections.abc"),
        "collections": module(
            "collections",
            OrderedDict=_collections.OrderedDict,
            defaultdict=_collections.defaultdict,
            namedtuple=lambda name, fields: type(name, (tuple,), {}),
        ),
    }


def import_encoder():
    """cbor2's encoder alone, whatever its version calls the module: the package's __init__ would pull
    in the decoder, and email with it."""
    package = type(sys)("cbor2")
    package.__path__ = [sys.path[0] + "/cbor2"]
    sys.modules["cbor2"] = package
    try:
        from cbor2._encoder import dumps
    except ImportError:
        from cbor2.encoder import dumps
    return dumps


def load_encoder():
    """With the stubs where they suffice, and in full for a cbor2 that wants more."""
    before = dict(sys.modules)
    try:
        sys.modules.update(make_stubs())
        dumps = import_encoder()
        if dumps({"a": 1}) == b"\xa1aa\x01":
            return dumps
    except Exception:
        pass
    finally:
        sys.modules.clear()
        sys.modules.update(before)
    return import_encoder()


def read_text(path, default):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return default


def make_report(service, mode, nonce, started):
    status = mode if mode in STATUSES else "ok"
    report = {
        "status": status,
        "service": service,
        "version": VERSION,
        "boot_id": read_text("/proc/sys/kernel/random/boot_id", ""),
        "uptime": int(time.monotonic() - started),
        "message": "" if status == "ok" else "told to be " + status,
        "checks": {"self": status if status != "starting" else "degraded"},
    }
    if nonce:
        report["nonce"] = nonce
    if mode == "wrong-service":
        report["service"] = "someone-else"
    elif mode == "wrong-nonce":
        report["nonce"] = "f" * 16
    elif mode == "stale-boot":
        report["boot_id"] = "00000000-0000-4000-8000-000000000000"
    elif mode == "unproven":
        for key in ("service", "nonce", "boot_id"):
            report.pop(key, None)
    return report


def make_answer(service, mode, path, nonce, started, dumps):
    """(status, content type, body) for one request."""
    if path != "/healthz":
        return 404, "text/plain", b"no such page\n"
    if mode == "plain":
        return 200, "text/plain", b"ok"
    if mode == "500":
        return 500, "text/plain", b"told to fail\n"
    status = 200
    if mode.startswith("503-"):
        status, mode = 503, mode[4:]
    body = dumps(make_report(service, mode, nonce, started))
    if mode == "malformed":
        body = body[:-3]
    return status, "application/cbor", body


def read_request(connection):
    """(path, nonce), or None where no whole request came."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(4096)
        data += more
        if not more or len(data) > REQUEST_MAX:
            return None
    lines = data.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    nonce = ""
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "mediakit-nonce":
            nonce = value.strip()
    return (words[1] if len(words) == 3 else "", nonce)


def send_slowly(connection, data):
    """In a child, so that the service goes on taking connections."""
    if posix.fork() == 0:
        try:
            for byte in data:
                connection.sendall(bytes((byte,)))
                time.sleep(1)
        finally:
            posix._exit(0)


def serve_one(connection, service, started, dumps):
    connection.settimeout(REQUEST_SECONDS)
    request = read_request(connection)
    if not request:
        return
    path, nonce = request
    mode = read_text("/run/standin/%s.mode" % service, "ok") or "ok"
    if mode == "hang":
        held.append(connection.detach())
        return
    status, kind, body = make_answer(service, mode, path, nonce, started, dumps)
    head = "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    data = (head % (status, STATUS_LINES[status], kind, len(body))).encode() + body
    if mode == "trickle":
        send_slowly(connection, data)
    else:
        connection.sendall(data)
        connection.shutdown(_socket.SHUT_WR)


def listen(port):
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(64)
    return listener


def serve(service, port):
    started = time.monotonic()
    listener = listen(port)
    dumps = load_encoder()
    while True:
        # A child of send_slowly that has ended is collected here; there is no other.
        try:
            while posix.waitpid(-1, posix.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        connection = _socket.socket(fileno=listener._accept()[0])
        try:
            serve_one(connection, service, started, dumps)
        except OSError:
            # The peer went away or said nothing: its loss, and no reason to stop serving.
            pass
        finally:
            connection.close()


def main():
    if sys.argv[1] == "--compile":
        load_encoder()
    else:
        serve(sys.argv[1], int(sys.argv[2]))
