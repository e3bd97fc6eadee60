#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the fuzzers that are not hand-made files: rows for the two that speak D-Bus (bus_wire.h), answers
for the prober, a serial line. tests/fuzz/record_bus adds real messages. `make fuzz-corpus` runs both.

    make_corpus.py CORPUS"""

import pathlib
import struct
import sys

corpus = pathlib.Path(sys.argv[1])


def write(target, name, data):
    (corpus / target).mkdir(parents=True, exist_ok=True)
    (corpus / target / name).write_bytes(data)


def elf(needs=(("libc.so.6", ("GLIBC_2.2.5", "GLIBC_2.38")),), machine=62, symbol=b"__isoc23_strtol", kind=3,
        interpreter=b"/lib64/ld-linux-x86-64.so.2", change=lambda h: h):
    """The smallest dynamic program: one segment of everything, addresses being offsets, and two sections for the names."""
    strings, at = b"\0", {}

    def name(s):
        nonlocal strings
        s = s if isinstance(s, bytes) else s.encode()
        if s not in at:
            at[s], strings = len(strings), strings + s + b"\0"
        return at[s]
    need, index = b"", 2
    for i, (library, versions) in enumerate(needs):
        aux = b""
        for k, v in enumerate(versions):
            aux += struct.pack("<IHHII", 0, 0, index, name(v), 16 if k + 1 < len(versions) else 0)
            index += 1
        need += struct.pack("<HHIII", 1, len(versions), name(library), 16, 16 + len(aux) if i + 1 < len(needs) else 0) + aux
    symbols = b"\0" * 24 + struct.pack("<IBBHQQ", name(symbol), 0x12, 0, 0, 0, 0)
    versym = struct.pack("<HH", 0, index - 1)
    o_interp = 64 + 3 * 56
    o_dyn = o_interp + len(interpreter) + 1
    o_dyn += -o_dyn % 8
    n_dyn = len(needs) + 6
    o_str = o_dyn + 16 * n_dyn
    o_need = o_str + len(strings) + -len(strings) % 8
    o_sym = o_need + len(need)
    o_sym += -o_sym % 8
    o_ver = o_sym + len(symbols)
    o_sect = o_ver + len(versym) + 4
    total = o_sect + 3 * 64
    dyn = [(1, name(library)) for library, _ in needs]
    dyn += [(5, o_str), (10, len(strings)), (6, o_sym), (0x6ffffffe, o_need), (0x6fffffff, len(needs)), (0, 0)]
    out = bytearray(total)

    def put(offset, data):
        out[offset:offset + len(data)] = data
    put(0, b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, 64, o_sect, 0, 64, 56, 3, 64, 3, 0))
    put(64, struct.pack("<IIQQQQQQ", 3, 4, o_interp, o_interp, 0, len(interpreter) + 1, len(interpreter) + 1, 1))
    put(120, struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, total, total, 4096))
    put(176, struct.pack("<IIQQQQQQ", 2, 4, o_dyn, o_dyn, 0, 16 * n_dyn, 16 * n_dyn, 8))
    put(o_interp, interpreter)
    put(o_dyn, b"".join(struct.pack("<QQ", *d) for d in dyn))
    put(o_str, strings)
    put(o_need, need)
    put(o_sym, symbols)
    put(o_ver, versym)
    put(o_sect + 64, struct.pack("<IIQQQQIIQQ", 0, 11, 2, o_sym, o_sym, len(symbols), 0, 1, 8, 24))
    put(o_sect + 128, struct.pack("<IIQQQQIIQQ", 0, 0x6fffffff, 2, o_ver, o_ver, len(versym), 1, 0, 2, 2))
    return bytes(change(out))


def patched(offset, form, value):
    def change(out):
        struct.pack_into(form, out, offset, value)
        return out
    return change


write("elf", "needs-2.38", elf())
write("elf", "needs-2.34", elf((("libc.so.6", ("GLIBC_2.34",)), ("libssl.so.3", ("OPENSSL_3.0.0",)))))
write("elf", "private", elf((("libc.so.6", ("GLIBC_PRIVATE",)),)))
write("elf", "arm64", elf(machine=183, interpreter=b"/lib/ld-linux-aarch64.so.1"))
write("elf", "musl", elf(interpreter=b"/lib/ld-musl-x86_64.so.1"))
write("elf", "riscv", elf(machine=243))
write("elf", "object", elf(kind=1))
for size in (4, 16, 40, 64, 100, 232, 300, 400, 500, 600):
    write("elf", f"cut-{size}", elf()[:size])
write("elf", "phoff", elf(change=patched(32, "<Q", 2 ** 63)))
write("elf", "phnum", elf(change=patched(56, "<H", 0xffff)))
write("elf", "shoff", elf(change=patched(40, "<Q", 2 ** 64 - 1)))
write("elf", "load-offset", elf(change=patched(128, "<Q", 2 ** 64 - 8)))
write("elf", "load-size", elf(change=patched(152, "<Q", 2 ** 64 - 1)))
write("elf", "dynamic-size", elf(change=patched(208, "<Q", 2 ** 64 - 1)))
write("elf", "interp-escape", elf(interpreter=b"/lib/\x1b[31mld.so"))
write("elf", "name-escape", elf((("lib\x1b[2Jc.so.6", ("GLIBC_2.2.5",)),)))
write("elf", "many-versions", elf((("libc.so.6", tuple(f"GLIBC_2.{i}" for i in range(200))),)))
write("elf", "many-libraries", elf(tuple((f"lib{i}.so", ("V_1",)) for i in range(80))))
write("elf", "version-loop", elf().replace(struct.pack("<HHI", 1, 2, 1), struct.pack("<HHI", 1, 65535, 1)))

# As in bus_wire.h: kind (0 call, 1 answer, 2 error, 3 signal), path, interface, member, signature.
def row(kind, path, interface, member, signature, reply=0, body=b""):
    return bytes([kind, 0, path, interface, member, signature, 1, reply]) + struct.pack("<H", len(body)) + body


def text(s):
    return struct.pack("<I", len(s)) + s + b"\0"


# Every method of every interface on an object that has it, in one conversation.
calls = b"".join(row(0, path, interface, member, 0)
                 for path, interface in ((0, 4), (3, 5), (0, 1), (5, 2), (0, 3)) for member in range(30))
arguments = (row(0, 3, 5, 11, 2, body=struct.pack("<Q", 1 << 20))
             + row(0, 3, 5, 25, 20, body=struct.pack("<QQ", 1 << 20, 60_000_000))
             + row(0, 3, 5, 23, 18, body=struct.pack("<QQI", 0, 0, 9)) + row(0, 0, 4, 23, 18, body=struct.pack("<QQI", 1, 0, 9))
             + row(0, 3, 5, 20, 1, body=text(b"memory")) + row(0, 3, 5, 13, 3, body=struct.pack("<I", 64))
             + row(0, 3, 0, 1, 1, body=text(b"com.pointsav.MediaKit1.Guest"))
             + row(0, 0, 0, 2, 5, body=text(b"com.pointsav.MediaKit1.Manager").ljust(36, b"\0") + text(b"Version")))
for door in range(2):
    write("bus", f"rows-calls-{door}", bytes([door, 1]) + calls)
    write("bus", f"rows-arguments-{door}", bytes([door | 4, 1]) + arguments)
    write("bus", f"rows-in-pieces-{door}", bytes([door | 32, 1]) + arguments)
write("bus", "rows-signals", b"\0\1" + row(3, 0, 7, 18, 0) + row(1, 0, 0, 0, 0, 1) + row(2, 0, 8, 0, 1, 7, text(b"x")))
write("bus", "no-handshake", b"\2\0l\1\0\1")
write("bus", "handshake-without-end", b"\2\0\0AUTH EXTERNAL " + b"3" * 4000)
write("bus", "large-body", b"\0\0l\1\0\1\xff\xff\xff\x07\1\0\0\0\0\0\0\0")

# What the meter measures: the handshake and messages as they go over the wire.
hello = b"\0AUTH ANONYMOUS\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n"


def header(order, fields, body):
    return (b"l" if order == "<" else b"B") + b"\1\0\1" + struct.pack(order + "III", body, 1, fields)


write("dbusmeter", "handshake", hello)
write("dbusmeter", "handshake-too-long", b"\0" + b"AUTH x\r\n" * 600)
write("dbusmeter", "no-null", hello[1:])
write("dbusmeter", "nearly-begin", b"\0BEGIN\n\rBEGIN\r \nBEGIN\r\r\n\r\nBEGIN\r\n")
for name, order in (("little", "<"), ("big", ">")):
    write("dbusmeter", f"messages-{name}", hello + (header(order, 9, 3) + bytes(19)) * 3 + header(order, 0, 0))
    write("dbusmeter", f"largest-{name}", hello + header(order, 0, 65520) + bytes(65520) + header(order, 0, 65521))
    write("dbusmeter", f"too-large-{name}", hello + header(order, 0, 0x7ffffff))
    write("dbusmeter", f"goes-round-{name}", hello + header(order, 0xfffffff9, 0xfffffff0))
write("dbusmeter", "no-message", hello + b"GET / HTTP/1.1\r\n\r\n")

errors = row(2, 0, 8, 0, 1, 1, text(b"no")) + row(2, 0, 8, 0, 1, 2, text(b"no"))
removed = row(3, 0, 1, 17, 10, body=text(b"/com/pointsav/MediaKit1/guest/a").ljust(36, b"\0") + struct.pack("<I", 0))
write("client", "nothing", b"\0")
write("client", "errors", b"\1" + errors)
write("client", "empty-answers", b"\1" + row(1, 0, 0, 0, 7, 1, struct.pack("<I", 0)) + row(1, 0, 0, 0, 11, 2, bytes(8)))
event = struct.pack("<QQQI", 1, 2, 3, 4)
for word in (b"a", b"service", b"web", b"", b"up -> down"):
    event += text(word).ljust(-(-(len(word) + 5) // 4) * 4, b"\0")
write("client", "signals-first", b"\1" + row(3, 0, 4, 24, 19, body=event) + removed + errors)
# sd-bus believes it, and asks for memory that is not there.
write("client", "large-answer", b"\0l\2\1\1\xff\xff\xff\x06\1\0\0\0\0\0\0\0")
write("client", "large-answer-to-events", b"\x02l\2\1\1\xff\xff\xff\x02\1\0\0\0\0\0\0\0" + bytes(4096))

ok = b"\xa1fstatusbok"
head = b"HTTP/1.1 200 OK\r\nContent-Type: application/cbor\r\n"
answers = {
    "ok": head + b"Content-Length: %d\r\n\r\n" % len(ok) + ok,
    "to-the-end": head + b"\r\n" + ok,
    "chunked": head + b"Transfer-Encoding: chunked\r\n\r\n%x;a=b\r\n" % len(ok) + ok + b"\r\n0\r\nTrailer: x\r\n\r\n",
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + head + b"Content-Length: %d\r\n\r\n" % len(ok) + ok,
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "two-types": head + b"Content-Type: text/html\r\n\r\n" + ok,
    "plain": b"HTTP/1.0 200 OK\r\n\r\n200 ok",
    "not-found": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "no-status": b"HTTP/1.1 999 What\r\n\r\n",
    "http2": b"HTTP/2 200\r\n\r\n",
    "http09": b"<html>",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://10.0.2.2:22/\r\n\r\n",
    "folded": b"HTTP/1.1 200 OK\r\nContent-Type:\r\n application/cbor\r\n\r\n" + ok,
    "folded-again": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n d\r\n\r\n",
    # The first line of the second answer goes on with the last line of the first.
    "folded-onto-the-answer-before": head + b"\r\n" + ok + b"\x1eHTTP/1.1 200 OK\r\n folded: y\r\n z\r\n\r\n",
    "length-too-long": head + b"Content-Length: 99\r\n\r\n" + ok,
    "length-huge": head + b"Content-Length: 99999999999999999999\r\n\r\n" + ok,
    "cut-in-headers": head,
    "long-line": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20000 + b"\r\n\r\n",
    "large-body": head + b"\r\n" + b"\0" * 10000,
    "gzip": head + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08",
    "nothing": b"",
    "cookie": head + b"Set-Cookie: a=b\r\n\r\n" + ok,
}
for name, data in answers.items():
    write("http", name, data)

boot = ("Linux version 6.12.0 (gcc)\n[    0.1] Run /init as init process\nLoading, please wait...\n"
        "[    2.0] EXT4-fs (vda1): mounted filesystem\n[  OK  ] Reached target\nCloud-init v. 25.1 running\n"
        "\rvm-mediakit login: ").encode()
lines = {
    "boot": boot,
    "panic": b"Linux version 6.12\n[ 1.0] Oops: int3: 0000 [#1]\n[ 1.1] Kernel panic - not syncing: x\x1b[31m\xff\n",
    "panic-after-root": boot + b"\nKernel panic - not syncing\n",
    "long-line": b"x" * 300 + b"Kernel panic - not syncing\n",
    "finished": boot + b"\nmediakit: cloud-init finished, instance iid-0123456789abcdef0123, up 41 seconds\n",
    "no-newline": b"Kernel panic - not syncing",
    "controls": bytes(range(256)) * 2,
}
for name, data in lines.items():
    write("console", name, data)
