# SPDX-License-Identifier: Apache-2.0
"""The status page in a real browser: headless Chromium, driven through its own debugging pipe, so that no library is needed.

The page, its headers and the shapes of both documents are the server's own; what they say is made up here, so that there is
something to show, some of it hostile."""

import base64
import copy
import http.server
import json
import os
import shutil
import struct
import subprocess
import tempfile
import threading
import time
import zlib

HOSTILE = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
MARK = "<b>bold</b> & 'quoted'"


def find():
    return next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)


class Chromium:
    """One page. Every wait has a deadline."""

    def __init__(self, program, home):
        self.to, theirs = os.pipe()[::-1]
        from_fd, their_out = os.pipe()

        def hand_over():
            os.dup2(os.dup(theirs), 60), os.dup2(os.dup(their_out), 61)
            os.dup2(60, 3), os.dup2(61, 4)

        argv = [program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-extensions", f"--user-data-dir={home}", "about:blank"]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        preexec_fn=hand_over, pass_fds=[3, 4], start_new_session=True)
        os.close(theirs), os.close(their_out)
        os.set_blocking(from_fd, False)
        self.source, self.data, self.id, self.session, self.events = from_fd, b"", 0, None, []
        targets = self.do("Target.getTargets", timeout=60)["targetInfos"]
        page = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = self.do("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.do(f"{domain}.enable")

    def read(self, end):
        while b"\0" not in self.data:
            if time.monotonic() > end or self.process.poll() is not None:
                raise TimeoutError("Chromium does not answer")
            try:
                self.data += os.read(self.source, 1 << 20)
            except BlockingIOError:
                time.sleep(0.01)
        one, _, self.data = self.data.partition(b"\0")
        return json.loads(one)

    def do(self, method, timeout=30, **params):
        self.id += 1
        call = {"id": self.id, "method": method, "params": params}
        if self.session:
            call["sessionId"] = self.session
        os.write(self.to, json.dumps(call).encode() + b"\0")
        end = time.monotonic() + timeout
        while True:
            said = self.read(end)
            if said.get("id") == self.id:
                if "error" in said:
                    raise RuntimeError(f"{method}: {said['error']}")
                return said["result"]
            self.events.append(said)

    def value(self, expression):
        return self.do("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def until(self, expression, seconds=20):
        end = time.monotonic() + seconds
        while not self.value(expression):
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    def look(self, width, dark):
        """A window that wide, and what the operating system is said to prefer; the picture."""
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
        self.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        return base64.b64decode(self.do("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"])

    def said(self, method):
        return [e["params"] for e in self.events if e.get("method") == method]

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.to), os.close(self.source)


def pixels(png):
    """Of an 8-bit PNG without interlace, as Chromium makes them: rows of bytes, and bytes a pixel."""
    width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
    step, data, at = {2: 3, 6: 4}[colour], b"", 8
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at:at + 8])
        data += png[at + 8:at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    raw, rows, before = zlib.decompress(data), [], bytes(width * step)
    for y in range(height):
        kind, row = raw[y * (width * step + 1)], bytearray(raw[y * (width * step + 1) + 1:(y + 1) * (width * step + 1)])
        for x in range(width * step):
            left, up = row[x - step] if x >= step else 0, before[x]
            corner = before[x - step] if x >= step else 0
            if kind == 4:
                p = left + up - corner
                best = min((abs(p - left), 0, left), (abs(p - up), 1, up), (abs(p - corner), 2, corner))[2]
            else:
                best = (0, left, up, (left + up) // 2)[kind]
            row[x] = (row[x] + best) & 255
        rows.append(bytes(row))
        before = rows[-1]
    assert depth == 8
    return rows, step


def brightness(png):
    rows, step = pixels(png)
    sample = [sum(row[x:x + 3]) / 3 for row in rows[::7] for x in range(0, len(row) - step, 11 * step)]
    return sum(sample) / len(sample)


def documents(status, past):
    """The server's documents, with a guest that has all there is to show and one whose texts are an attack."""
    status, past = copy.deepcopy(status), copy.deepcopy(past)
    now = int(time.time() * 1e6)
    guest, series = status["guests"][0], past["guests"][0]
    guest.update(name="vm-mediakit", state="ready", want="up", healthy=True, reason="", active_services=2, active_services_up=2,
                 started_at_usec=now - 3600 * 10**6, state_since_usec=now - 3500 * 10**6, accelerator="tcg", last_start="warm",
                 last_start_reason="")
    guest["memory"].update(actual_kib=6 << 20, configured_kib=6 << 20, rss_kib=1300 << 10)
    first = guest["services"][0]
    first.update(name="local-proofreader", state="up", up=True, watched=True, expect="active", verdict="ok", proven=True,
                 latency_usec=180000, verdict_at_usec=now - 5 * 10**6, reason="")
    second = dict(first, name="service-fs", state="down", up=False, verdict="refused", reason=MARK)
    third = dict(first, name="local-bim-orchestration", expect="pending", state="down", up=False, verdict="refused")
    guest["services"] = [first, second, third]
    n = len(series["actual_mib"])
    series.update(name="vm-mediakit", actual_mib=[6144 - 10 * (i % 30) for i in range(n)], rss_mib=[900 + 3 * i for i in range(n)],
                  usable_mib=[None] * 5 + [4000 + i for i in range(n - 5)])
    line = series["services"][0]
    series["services"] = [dict(line, name=s["name"], latency_usec=[90000 + 1000 * (i % 40) for i in range(n)],
                               effect=[0] * 3 + [1] * (n - 13) + [3] * 4 + [2] * 2 + [1] * 4) for s in guest["services"]]
    evil = copy.deepcopy(guest)
    evil.update(name=HOSTILE, healthy=False, state="crashed", reason=HOSTILE, last_start="cold", last_start_reason=HOSTILE,
                saved_at_usec=now, last_exit={"cause": HOSTILE, "words": HOSTILE, "at_usec": now})
    for service in evil["services"]:
        service.update(name=HOSTILE, verdict=HOSTILE, reason=HOSTILE * 4, purpose=HOSTILE, blocked_by=HOSTILE)
    status["guests"].append(evil)
    return status, past


def serve(page, headers, state):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            state["asked"].append(self.path)
            body = {"/": page, "/status.json": state["status"], "/history.json": state["history"]}.get(self.path)
            self.send_response(200 if body else 404)
            for name, value in headers:
                if name.lower() not in ("content-length", "content-type", "date", "connection", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Type", "text/html; charset=utf-8" if self.path == "/" else "application/json")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test(program, ours, check, pictures):
    """`ours`: the server under test, which has ask(path) -> (answer, text). Pictures are written where that is a directory."""
    page, text = ours.ask("/")
    status, past = documents(json.loads(ours.ask("/status.json")[1]), json.loads(ours.ask("/history.json")[1]))
    state = {"asked": [], "status": json.dumps(status).encode(), "history": json.dumps(past).encode()}
    made_up = serve(text.encode(), page.getheaders(), state)
    origin = f"http://127.0.0.1:{made_up.server_address[1]}"
    home = tempfile.mkdtemp(prefix="mediakit-chromium-")
    browser = None
    try:
        browser = Chromium(program, home)
        look(browser, origin, state, check, pictures)
        # And the server itself, with whatever the daemon behind it says.
        browser.events.clear()
        browser.do("Page.navigate", url=f"http://localhost:{ours.port}/")
        check(browser.until("document.querySelectorAll('article').length === 1"), "the real server's guest is shown")
        check(not complaints(browser), f"the browser does not complain of the real server: {complaints(browser)}")
    finally:
        if browser:
            browser.close()
        made_up.shutdown()
        made_up.server_close()
        shutil.rmtree(home, ignore_errors=True)


def complaints(browser):
    """Refusals by the policy, errors of the script, whatever else the browser logs."""
    logged = [e["entry"]["text"] for e in browser.said("Log.entryAdded") if "favicon" not in e["entry"].get("url", "")]
    return logged + [e["exceptionDetails"]["text"] for e in browser.said("Runtime.exceptionThrown")]


def look(browser, origin, state, check, pictures):
    browser.do("Page.navigate", url=origin + "/")
    check(browser.until("document.querySelectorAll('article').length === 2 && document.querySelectorAll('svg').length === 4"),
          "two guests are shown, with their plots")
    body = browser.value("document.body.innerText")
    for words in ("vm-mediakit", "healthy", "local-proofreader", "180 ms", "refused", MARK, "6.0 GiB", "pending", "up to", "warm, from its save",
                  "cold, though it was saved", "the next start goes on from there"):
        check(words in body, f"the page says {words}")
    check(HOSTILE in browser.value("document.body.textContent"), "a hostile text is text")
    check(browser.value("document.querySelectorAll('img, main script, b').length") == 0, "and makes no element")
    check("owned" not in browser.value("document.title"), "and nothing runs")
    check(browser.value("document.querySelectorAll('button, input, form, a[href], select, textarea').length") == 0,
          "there is nothing to press")
    drawn = browser.value("[...document.querySelectorAll('svg path')].every(p => p.getBBox().width > 0) && "
                          "document.querySelectorAll('svg path.curve').length >= 6 && document.querySelectorAll('rect.miss').length > 0")
    check(drawn, "plots have curves, and marks where it failed")
    kept = {}
    for width, dark in ((1200, False), (1200, True), (1040, False), (760, False), (390, False), (320, True)):
        kept[width, dark] = browser.look(width, dark)
        wide = browser.value("document.documentElement.scrollWidth")
        check(wide <= width, f"at {width} pixels nothing has to be scrolled sideways: {wide}")
        cut = browser.value("[...document.querySelectorAll('td, dd, .why, h2')].filter(e => e.getBoundingClientRect().right > "
                            "e.closest('article').getBoundingClientRect().right + 1).length")
        check(cut == 0, f"at {width} pixels nothing is cut off: {cut}")
        if pictures:
            with open(os.path.join(pictures, f"page-{width}-{'dark' if dark else 'light'}.png"), "wb") as f:
                f.write(kept[width, dark])
    light, dark = brightness(kept[1200, False]), brightness(kept[1200, True])
    check(light > 190 and dark < 70, f"light is light and dark is dark: {light:.0f}, {dark:.0f}")
    small = browser.value("Math.min(...[...document.querySelectorAll('td, dd, .why')].filter(e => e.innerText)"
                          ".map(e => parseFloat(getComputedStyle(e).fontSize)))")
    check(small >= 12, f"the smallest text has {small} pixels")
    # What changes is shown without the page being loaded again.
    browser.value("window.mark = 1")
    changed = json.loads(state["status"])
    changed["guests"] = changed["guests"][:1]
    changed["guests"][0].update(healthy=False, state="paused", reason="its disk is full")
    state["status"] = json.dumps(changed).encode()
    check(browser.until("document.body.innerText.includes('its disk is full') && document.querySelectorAll('article').length === 1")
          and browser.value("window.mark") == 1, "a change is shown without a reload")
    elsewhere = [e["request"]["url"] for e in browser.said("Network.requestWillBeSent")
                 if not e["request"]["url"].startswith((origin + "/", "data:"))]
    check(not elsewhere, f"nothing is fetched from elsewhere: {elsewhere}")
    check({e["request"]["method"] for e in browser.said("Network.requestWillBeSent")} == {"GET"}, "and it only asks")
    check(not complaints(browser), f"the browser does not complain: {complaints(browser)}")
    state["status"] = None
    check(browser.until("!document.getElementById('trouble').hidden"), "a server that fails is told of")
