# SPDX-License-Identifier: Apache-2.0
"""The one judge of both contenders: a fresh question to each forward, again and again, until each service has answered
a valid report. Decoded by python3-cbor2, none of ours."""

import http.client
import io
import threading
import time

import cbor2

SERVICES = {
    "local-knowledge-documentation": 9090,
    "local-proofreader": 9092,
    "local-knowledge-projects": 9093,
    "local-knowledge-corporate": 9095,
    "local-bim-orchestration": 9096,
    "service-fs": 9100,
    "local-marketing-pointsav": 9101,
    "local-marketing": 9102,
}
TIMEOUT = 2.0  # of one question
# Between two to the same port, whether the first is answered or not: one that came before the guest's network is up is
# held by QEMU for all of its time, and would make the judge that coarse.
PAUSE = 0.4


def healthy(service, host_port):
    """Whether one question got a valid report of that service that says ok."""
    connection = http.client.HTTPConnection("127.0.0.1", host_port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/healthz", headers={"Accept": "application/cbor"})
        answer = connection.getresponse()
        body = io.BytesIO(answer.read(4097))
        report = cbor2.load(body)
        return (answer.status == 200 and answer.getheader("Content-Type") == "application/cbor"
                and not body.read(1) and report.get("status") == "ok" and report.get("service") == service)
    except (OSError, http.client.HTTPException, ValueError, AttributeError, cbor2.CBORDecodeError):
        return False
    finally:
        connection.close()


class Watch:
    """Asks from its making on; `took` is seconds per service since then."""

    def __init__(self, offset):
        self.took, self.began, self.ended = {}, time.monotonic(), threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(s, p + offset), daemon=True)
                        for s, p in SERVICES.items()]
        for thread in self.threads:
            thread.start()

    def ask(self, service, port):
        questions = []
        while not self.ended.is_set() and service not in self.took:
            questions.append(threading.Thread(target=self.question, args=(service, port), daemon=True))
            questions[-1].start()
            self.ended.wait(PAUSE)
            questions = [q for q in questions if q.is_alive()]
        for question in questions:
            question.join()

    def question(self, service, port):
        if healthy(service, port):
            self.took.setdefault(service, time.monotonic() - self.began)

    def done(self):
        return len(self.took) == len(SERVICES)

    def seconds(self):
        """Until the last of them answered."""
        return max(self.took.values())

    def close(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def taken(offset):
    """The host ports of ours that somebody listens on already."""
    import socket
    found = []
    for port in (22, *SERVICES.values()):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port + offset))
            except OSError:
                found.append(port + offset)
    return found
