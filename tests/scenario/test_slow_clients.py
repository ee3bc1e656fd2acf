# SPDX-License-Identifier: Apache-2.0
"""Clients that hold on to a place by sending next to nothing, beside honest ones, fast and slow."""
import select
import socket
import threading
import time

import otlp_messages as otlp
from waiting import FACTOR, wait_until

GRACE_S = 10  # net/http_server: how long a body may stand still
MIB = 1 << 20
COUNT = 40


class Loris:
    """A request that says it is large. Some say a byte now and then, some nothing more."""

    def __init__(self, address, path, talks):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20 * FACTOR)
        self.socket.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                            f"Content-Length: {60 * MIB}\r\n\r\n".encode() + b"\n" * 100)
        self.talks = talks

    def is_closed(self):
        try:
            if self.talks:
                self.socket.send(b"\n")
            return bool(select.select([self.socket], [], [], 0)[0]) and self.socket.recv(1) == b""
        except ConnectionError:
            return True


def slowly(client, message, pieces, pause_s, stop):
    """The body of an honest request over a bad line."""
    body = message.SerializeToString()
    host, port = client.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20 * FACTOR) as line:
        line.sendall(f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                     f"Content-Length: {len(body)}\r\n\r\n".encode())
        size = len(body) // pieces + 1
        for at in range(0, len(body), size):
            line.sendall(body[at:at + size])
            stop.wait(pause_s)
        return line.recv(100)


def test_slow_bodies_are_cut_off_and_nobody_else_is(running):
    culprit = running.start()
    client = running.client(culprit, "protobuf")
    noise = otlp.traces([otlp.span(values={"noise": "x" * 2000}) for _ in range(50)])
    answers, stop = [], threading.Event()
    # A body of some 100 KiB at 7 KiB/s takes longer than the grace.
    patient = threading.Thread(target=lambda: answers.append(slowly(client, noise, 30, GRACE_S * 1.4 / 30, stop)))
    patient.start()
    try:
        paths = ["/v1/traces", "/v1/logs", "/api/1/envelope/", "/nothing"]
        waiting = [Loris(culprit.http, paths[i % 4], talks=i % 8 < 4) for i in range(COUNT)]
        began = time.monotonic()

        def all_closed():
            # 60 MiB were announced 40 times, of a budget of 256: an honest request finds room.
            assert client.traces(otlp.several("traces", 1)).ok
            assert culprit.metrics().sum("culprit_memory_in_flight_bytes") < 64 * MIB
            waiting[:] = [loris for loris in waiting if not loris.is_closed()]
            return not waiting

        wait_until(all_closed, 25, "the end of every slow client")
        assert time.monotonic() - began > GRACE_S * 0.8
        patient.join(20 * FACTOR)
    finally:
        stop.set()
    assert answers and answers[0].startswith(b"HTTP/1.1 200"), answers
    metrics = culprit.metrics()
    assert metrics.sum("culprit_http_dropped_total", listener="http", reason="slow") == COUNT
    assert metrics.sum("culprit_http_dropped_total", listener="http", reason="overdue") == 0
    wait_until(lambda: culprit.metrics().sum("culprit_memory_in_flight_bytes") == 0, 10, "the memory given back")
