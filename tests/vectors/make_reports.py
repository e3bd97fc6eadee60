#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# Writes reports.h: health reports encoded by python3-cbor2, so that our decoder is never tested
# against an encoder of our own. Run by hand when a case is added: ./make_reports.py > reports.h
import cbor2

BOOT = "8c7f4d1e-52f0-4f5e-9d7a-0c3c1b1f2a99"
NONCE = "00c0ffee00c0ffee"
FULL = {
    "status": "degraded", "service": "local-proofreader", "version": "1.4.2", "boot_id": BOOT,
    "nonce": NONCE, "uptime": 86461, "message": "Wörterbuch wird geladen",
    "checks": {"disk": "ok", "dictionary": "degraded", "peer": "failing"},
}
OK = {"status": "ok"}


def pairs(*items, indefinite=False):
    """A map from (key, value) pairs, which may repeat a key; bytes objects in Raw go in as they are."""
    head = b"\xbf" if indefinite else bytes([0xA0 + len(items)])
    body = b"".join(enc(k) + enc(v) for k, v in items)
    return head + body + (b"\xff" if indefinite else b"")


class Raw(bytes):
    pass


def enc(value):
    return bytes(value) if isinstance(value, Raw) else cbor2.dumps(value)


def chunked(*chunks):
    return Raw(b"\x7f" + b"".join(cbor2.dumps(c) for c in chunks) + b"\xff")


def long_head(text, width):
    """A text whose length takes 1, 2, 4 or 8 bytes although fewer would do."""
    data = text.encode()
    info = {1: 24, 2: 25, 4: 26, 8: 27}[width]
    return Raw(bytes([0x60 | info]) + len(data).to_bytes(width, "big") + data)


def nested(levels):
    """An array in an array, `levels` of them."""
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def sized(size):
    """A good report of exactly `size` bytes, filled up under an unknown key."""
    pad = size - len(cbor2.dumps({**OK, "pad": b"x" * 3000})) + 3000
    return cbor2.dumps({**OK, "pad": b"x" * pad})


def with_key(key, value):
    return cbor2.dumps({**OK, key: value})


STATUS_OK = ("status", "ok")
CASES = [
    # What is a report
    ("status alone", cbor2.dumps(OK), "ok"),
    ("status starting", cbor2.dumps({"status": "starting"}), "ok"),
    ("status failing", cbor2.dumps({"status": "failing"}), "ok"),
    ("everything", cbor2.dumps(FULL), "ok"),
    ("everything, canonical order", cbor2.dumps(FULL, canonical=True), "ok"),
    ("indefinite map", pairs(*FULL.items(), indefinite=True), "ok"),
    ("chunked value", pairs(("status", chunked("deg", "", "raded"))), "ok"),
    ("chunked key", pairs((chunked("sta", "tus"), "ok")), "ok"),
    ("chunked message", pairs(STATUS_OK, ("message", chunked(*["x" * 64] * 4))), "ok"),
    ("long heads", pairs((long_head("status", 8), long_head("ok", 4))), "ok"),
    ("uptime in nine bytes", pairs(STATUS_OK, ("uptime", Raw(b"\x1b" + b"\0" * 7 + b"\x07"))), "ok"),
    ("uptime 0", with_key("uptime", 0), "ok"),
    ("uptime largest", with_key("uptime", 2**64 - 1), "ok"),
    ("service of 40", with_key("service", "s" * 40), "ok"),
    ("version of 64", with_key("version", "v" * 64), "ok"),
    ("message empty", with_key("message", ""), "ok"),
    ("message of 256", with_key("message", "m" * 256), "ok"),
    ("message of 256 bytes in 128 characters", with_key("message", "ä" * 128), "ok"),
    ("message right to left", with_key("message", "שלום"), "ok"),
    ("checks empty", with_key("checks", {}), "ok"),
    ("checks of 16", with_key("checks", {f"c{i}": "ok" for i in range(16)}), "ok"),
    ("check name of 64", with_key("checks", {"n" * 64: "ok"}), "ok"),
    ("checks indefinite", pairs(STATUS_OK, ("checks", Raw(pairs(("a", "ok"), indefinite=True)))), "ok"),
    ("unknown keys", cbor2.dumps({**OK, "a": [1.5, None, True, {"b": b"\0"}], "c": -1}), "ok"),
    ("unknown tag", with_key("x", cbor2.CBORTag(7, "y")), "ok"),
    ("unknown simple value", with_key("x", cbor2.CBORSimpleValue(16)), "ok"),
    ("unknown map with strange keys", with_key("x", {1: 2, None: 3}), "ok"),
    ("unknown map with a key twice", pairs(STATUS_OK, ("x", Raw(pairs(("a", 1), ("a", 2))))), "ok"),
    ("unknown key with a control character", with_key("a\x1b[2J", 1), "ok"),
    ("unknown key that is empty", with_key("", 1), "ok"),
    ("unknown key that begins like ours", with_key("statuses", "great"), "ok"),
    ("unknown key, case differs", with_key("Status", "great"), "ok"),
    ("8 levels", with_key("x", nested(7)), "ok"),
    ("256 items", with_key("x", [0] * 251), "ok"),
    ("4096 bytes", sized(4096), "ok"),
    # What is none
    ("no bytes", b"", "empty"),
    ("4097 bytes", sized(4097), "too-large"),
    ("9 levels", with_key("x", nested(8)), "too-deep"),
    ("9 levels of tags", pairs(STATUS_OK, ("x", Raw(b"\xc1" * 8 + b"\0"))), "too-deep"),
    ("257 items", with_key("x", [0] * 252), "too-many-items"),
    ("257 items in chunks", pairs(STATUS_OK, ("x", chunked(*[""] * 252))), "too-many-items"),
    ("an array of 2^27 in five bytes", b"\x9a\x07\xff\xff\xff", "truncated"),
    ("that array under a key", pairs(STATUS_OK, ("x", Raw(b"\x9a\x07\xff\xff\xff"))), "truncated"),
    ("a map of 2^64-1 pairs", b"\xbb" + b"\xff" * 8, "truncated"),
    ("a map of 2^63 pairs", b"\xbb\x80" + b"\0" * 7, "truncated"),
    ("a text of 2^64-1 bytes", pairs(STATUS_OK, ("x", Raw(b"\x7b" + b"\xff" * 8))), "truncated"),
    ("a text one byte short", pairs(STATUS_OK, ("x", Raw(b"\x62a"))), "truncated"),
    ("a byte left over", cbor2.dumps(OK) + b"\0", "trailing-bytes"),
    ("a second report", cbor2.dumps(OK) * 2, "trailing-bytes"),
    ("a break left over", cbor2.dumps(OK) + b"\xff", "trailing-bytes"),
    ("a newline left over", cbor2.dumps(OK) + b"\n", "trailing-bytes"),
    ("an array", cbor2.dumps(["status", "ok"]), "not-a-map"),
    ("a number", cbor2.dumps(200), "not-a-map"),
    ("a text", cbor2.dumps("ok"), "not-a-map"),
    ("a tagged map", cbor2.dumps(cbor2.CBORTag(55799, OK)), "not-a-map"),
    ("plain text", b"200 ok\n", "trailing-bytes"),
    ("JSON", b'{"status": "ok"}', "truncated"),
    ("HTML", b"<!DOCTYPE html>", "not-well-formed"),
    ("empty map", cbor2.dumps({}), "missing-status"),
    ("no status", cbor2.dumps({"service": "x"}), "missing-status"),
    ("status in another case", cbor2.dumps({"Status": "ok"}), "missing-status"),
    ("key is a number", cbor2.dumps({"status": "ok", 1: 2}), "key-not-text"),
    ("key is bytes", cbor2.dumps({"status": "ok", b"status": "ok"}), "key-not-text"),
    ("key is a tagged text", pairs((cbor2.CBORTag(1, "status"), "ok")), "key-not-text"),
    ("key is null", cbor2.dumps({None: 1, "status": "ok"}), "key-not-text"),
    ("key twice", pairs(STATUS_OK, STATUS_OK), "duplicate-key"),
    ("key twice, apart", pairs(STATUS_OK, ("uptime", 1), ("status", "failing")), "duplicate-key"),
    ("unknown key twice", pairs(STATUS_OK, ("x", 1), ("x", 1)), "duplicate-key"),
    ("empty key twice", pairs(STATUS_OK, ("", 1), (chunked(), 1)), "duplicate-key"),
    ("key twice, chunked", pairs(STATUS_OK, (chunked("s", "tatus"), "ok")), "duplicate-key"),
    ("key twice, long head", pairs(STATUS_OK, (long_head("status", 2), "ok")), "duplicate-key"),
    ("long key twice", pairs(STATUS_OK, ("k" * 300, 1), (chunked("k" * 150, "k" * 150), 1)), "duplicate-key"),
    ("check twice", pairs(STATUS_OK, ("checks", Raw(pairs(("a", "ok"), ("a", "failing"))))), "duplicate-key"),
    ("check key is a number", with_key("checks", {1: "ok"}), "key-not-text"),
    ("bad UTF-8 in a message", pairs(STATUS_OK, ("message", Raw(b"\x62\xc3\x28"))), "bad-utf8"),
    ("bad UTF-8 under an unknown key", pairs(STATUS_OK, ("x", Raw(b"\x61\xff"))), "bad-utf8"),
    ("bad UTF-8 in a key", pairs(STATUS_OK, (Raw(b"\x61\x80"), 1)), "bad-utf8"),
    ("surrogate", pairs(STATUS_OK, ("x", Raw(b"\x63\xed\xa0\x80"))), "bad-utf8"),
    ("overlong slash", pairs(STATUS_OK, ("x", Raw(b"\x62\xc0\xaf"))), "bad-utf8"),
    ("above U+10FFFF", pairs(STATUS_OK, ("x", Raw(b"\x64\xf4\x90\x80\x80"))), "bad-utf8"),
    ("character split over chunks", pairs(STATUS_OK, ("x", Raw(b"\x7f\x61\xc3\x61\xa4\xff"))), "bad-utf8"),
    ("status is a number", cbor2.dumps({"status": 0}), "wrong-type"),
    ("status is true", cbor2.dumps({"status": True}), "wrong-type"),
    ("status is null", cbor2.dumps({"status": None}), "wrong-type"),
    ("status is bytes", cbor2.dumps({"status": b"ok"}), "wrong-type"),
    ("status is bytes in chunks", pairs(("status", Raw(b"\x5f\x42ok\xff"))), "wrong-type"),
    ("status is a list", cbor2.dumps({"status": ["ok"]}), "wrong-type"),
    ("status is tagged", cbor2.dumps({"status": cbor2.CBORTag(6, "ok")}), "wrong-type"),
    ("status is simple(16)", cbor2.dumps({"status": cbor2.CBORSimpleValue(16)}), "wrong-type"),
    ("service is a number", with_key("service", 9092), "wrong-type"),
    ("version is a float", with_key("version", 1.5), "wrong-type"),
    ("message is null", with_key("message", None), "wrong-type"),
    ("nonce is a number", with_key("nonce", 1), "wrong-type"),
    ("boot_id is a UUID tag", with_key("boot_id", cbor2.CBORTag(37, b"x" * 16)), "wrong-type"),
    ("uptime is negative", with_key("uptime", -1), "wrong-type"),
    ("uptime is most negative", with_key("uptime", -2**64), "wrong-type"),
    ("uptime is a float", with_key("uptime", 1.0), "wrong-type"),
    ("uptime is a big number", with_key("uptime", 2**64), "wrong-type"),
    ("uptime is a text", with_key("uptime", "1"), "wrong-type"),
    ("checks is a list", with_key("checks", ["ok"]), "wrong-type"),
    ("checks is null", with_key("checks", None), "wrong-type"),
    ("a check is true", with_key("checks", {"a": True}), "wrong-type"),
    ("status unknown", cbor2.dumps({"status": "great"}), "out-of-range"),
    ("status empty", cbor2.dumps({"status": ""}), "out-of-range"),
    ("status in capitals", cbor2.dumps({"status": "OK"}), "out-of-range"),
    ("status with NUL", cbor2.dumps({"status": "ok\0"}), "out-of-range"),
    ("status cut", cbor2.dumps({"status": "o"}), "out-of-range"),
    ("status with escapes", cbor2.dumps({"status": "\x1b[2J\u202e" * 40}), "out-of-range"),
    ("status of 300", cbor2.dumps({"status": "ok" * 150}), "out-of-range"),
    ("service empty", with_key("service", ""), "out-of-range"),
    ("service of 41", with_key("service", "s" * 41), "out-of-range"),
    ("service of 42 bytes in 21 characters", with_key("service", "ä" * 21), "out-of-range"),
    ("version empty", with_key("version", ""), "out-of-range"),
    ("version of 65", with_key("version", "v" * 65), "out-of-range"),
    ("boot_id of 35", with_key("boot_id", BOOT[1:]), "out-of-range"),
    ("boot_id of 37", with_key("boot_id", BOOT + "\n"), "out-of-range"),
    ("nonce of 15", with_key("nonce", NONCE[1:]), "out-of-range"),
    ("nonce of 17", with_key("nonce", NONCE + "0"), "out-of-range"),
    ("message of 257", with_key("message", "m" * 257), "out-of-range"),
    ("message of 257 in chunks", pairs(STATUS_OK, ("message", chunked("m" * 256, "m"))), "out-of-range"),
    ("message of 3000 in chunks", pairs(STATUS_OK, ("message", chunked(*["m" * 1000] * 3))), "out-of-range"),
    ("checks of 17", with_key("checks", {f"c{i}": "ok" for i in range(17)}), "out-of-range"),
    ("a check is starting", with_key("checks", {"a": "starting"}), "out-of-range"),
    ("a check is unknown", with_key("checks", {"\x1b" * 60: "\x1b" * 60}), "control-character"),
    ("a check has a strange status", with_key("checks", {"c" * 64: "\x1b" * 60}), "out-of-range"),
    ("check name empty", with_key("checks", {"": "ok"}), "out-of-range"),
    ("check name of 65", with_key("checks", {"n" * 65: "ok"}), "out-of-range"),
    ("message with newline", with_key("message", "a\nb"), "control-character"),
    ("message with NUL", with_key("message", "a\0b"), "control-character"),
    ("message with escape", with_key("message", "\x1b[31mred"), "control-character"),
    ("message with DEL", with_key("message", "\x7f"), "control-character"),
    ("message with C1", with_key("message", "\x9b31m"), "control-character"),
    ("message with line separator", with_key("message", "a\u2028b"), "control-character"),
    ("message with override", with_key("message", "\u202etxt.exe"), "control-character"),
    ("message with isolate", with_key("message", "\u2066a"), "control-character"),
    ("service with tab", with_key("service", "a\tb"), "control-character"),
    ("version with NUL", with_key("version", "1\0"), "control-character"),
    ("nonce with newline", with_key("nonce", NONCE[:15] + "\n"), "control-character"),
    ("boot_id with newline", with_key("boot_id", BOOT[:35] + "\n"), "control-character"),
    ("check name with newline", with_key("checks", {"a\n": "ok"}), "control-character"),
]

print("/* SPDX-License-Identifier: Apache-2.0 */")
print("/* Written by make_reports.py with python3-cbor2; do not edit. */")
print("/* clang-format off */")
print("static const struct { const char *name, *hex, *expect; } report_vectors[] = {")
for name, data, expect in CASES:
    print(f'\t{{ "{name}",')
    text = data.hex()
    for i in range(0, max(len(text), 1), 88):
        print(f'\t\t"{text[i:i + 88]}"' + ("," if i + 88 >= len(text) else ""))
    print(f'\t\t"{expect}" }},')
print("};")
print("/* clang-format on */")
