# SPDX-License-Identifier: Apache-2.0
"""P9: more than the memory budget allows, from many senders at once. What is refused is refused with a hint, what is
answered with success is there, and the counters account for every request."""
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

import otlp_messages as otlp
from otlp_client import Client
from waiting import FACTOR, SLOW, wait_until

SENDERS = 64
ROUNDS = 4
ROUNDS_MAX = 40  # until somebody was refused: a slow machine's senders take a while to be too many
ITEMS = 1600  # about 1.5 MB, of which ten fit into the smallest budget


@pytest.mark.parametrize("encoding", ["grpc", "protobuf", "json"])
def test_p09_overload_is_refused_with_a_hint(running, encoding):
    culprit = running.start(memory_max_bytes="16MiB")
    filler = {"filler": "x" * 800}
    body = running.client(culprit, encoding).encode(otlp.traces([otlp.span(values=filler) for _ in range(ITEMS)]))
    gate = threading.Barrier(SENDERS)
    overloaded = threading.Event()

    def send(_):
        client = Client(culprit, encoding)
        gate.wait(timeout=30 * FACTOR)
        answers = []
        while len(answers) < ROUNDS or (len(answers) < ROUNDS_MAX and not overloaded.is_set()):
            answers.append(client.traces(body, deadline=60))
            if not answers[-1].ok:
                overloaded.set()
        client.close()
        return answers

    with ThreadPoolExecutor(SENDERS) as pool:
        answers = [answer for found in pool.map(send, range(SENDERS)) for answer in found]
    taken = [answer for answer in answers if answer.ok]
    refused = [answer for answer in answers if not answer.ok]
    # Under a sanitizer gRPC takes requests no faster than it works them off: nobody has to be refused there.
    assert taken and (refused or SLOW), f"{len(taken)} taken, {len(refused)} refused"
    for answer in refused:
        if encoding == "grpc":
            assert answer.code == grpc.StatusCode.UNAVAILABLE, answer
        else:
            assert answer.code in (429, 503), answer
        assert answer.retry_s >= 1, answer
    metrics = culprit.metrics()
    transport = "grpc" if encoding == "grpc" else "http"
    assert metrics.sum("culprit_received_requests_total", signal="traces", transport=transport) == len(answers)
    assert metrics.sum("culprit_refused_requests_total", signal="traces") == len(refused)
    assert metrics.sum("culprit_received_items_total", signal="traces") == len(taken) * ITEMS
    # It recovers by itself, and nothing of the budget is left charged.
    wait_until(lambda: culprit.api("/status")["memory"]["in_flight_bytes"] == 0, 10, "an empty budget")
    assert running.client(culprit, encoding).traces(otlp.several("traces", 1)).ok
    received, stored, _ = culprit.stop()
    assert stored == len(taken) * ITEMS + 1 and received >= stored
