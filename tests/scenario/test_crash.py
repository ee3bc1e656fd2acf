# SPDX-License-Identifier: Apache-2.0
"""P14: kill -9 under load, again and again on the same data. Whatever was answered with success is at the backend at
least once, on the request page, and, if it was an error, in the inbox exactly once."""
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import otlp_messages as otlp
from otlp_client import Client
from waiting import FACTOR, wait_until

ROUNDS = int(os.environ.get("TEST_CRASH_ROUNDS", "60"))
SENDERS = 3
SPANS = 8  # in a request
ENCODINGS = ["grpc", "protobuf", "json"]


class Ledger:
    """What was sent and what was answered with success."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = {}  # trace id -> (number of spans, exception type or None)
        self.unknown = set()  # sent and never answered: may be there or not
        self.answers = 0

    def note(self, trace_id, entry, ok):
        with self.lock:
            self.answers += 1
            if ok:
                self.acknowledged[trace_id] = entry
            else:
                self.unknown.add(trace_id)


def make_request(number):
    """(signal, message, trace id, ledger entry): plain traces, traces with an exception, and logs with one."""
    trace_id = otlp.new_trace_id()
    kind = "Error" + trace_id.hex()  # an issue of its own, so that its count tells of this one error
    if number % 3 == 0:
        return "traces", otlp.several("traces", SPANS, trace_id), trace_id, (SPANS, None)
    if number % 3 == 1:
        spans = [otlp.span(trace_id) for _ in range(SPANS)]
        spans[3].events.append(otlp.exception_event(kind, "under load"))
        return "traces", otlp.traces(spans), trace_id, (SPANS, kind)
    values = {"exception.type": kind, "exception.message": "under load"}
    record = otlp.log("failed", severity=17, trace_id=trace_id, span_id=otlp.new_span_id(), values=values)
    return "logs", otlp.logs([record]), trace_id, (0, kind)


def send_until(stop, culprit, encoding, seed, ledger):
    client = Client(culprit, encoding)
    number = seed
    while not stop.is_set():
        number += 1
        signal, message, trace_id, entry = make_request(number)
        ok = False
        try:
            ok = client.send(signal, message, deadline=5).ok
        except OSError:  # the line broke with the process
            pass
        except Exception as error:  # http.client's, when an answer was cut in two
            assert type(error).__module__ == "http.client", repr(error)
        ledger.note(trace_id, entry, ok)
        if not ok and stop.wait(0.001):
            break
    client.close()


def crash_round(culprit, ledger, round_number):
    """Load from three doors, a kill somewhere in the middle of it."""
    stop = threading.Event()
    before = ledger.answers
    with ThreadPoolExecutor(SENDERS) as pool:
        senders = [pool.submit(send_until, stop, culprit, ENCODINGS[i], round_number * 1000 + i * 7, ledger)
                   for i in range(SENDERS)]
        # The moment is one of the load, not of the clock: after so many answers, at a random place in a request.
        target = before + random.randint(1, 60)
        wait_until(lambda: ledger.answers >= target, 10, "answers")
        time.sleep(random.random() * 0.003)  # not to wait for anything: to hit another instruction every time
        culprit.kill()
        stop.set()
        for sender in senders:
            sender.result(timeout=30 * FACTOR)


def all_issues(culprit):
    """Every issue's type and count."""
    counts, cursor = {}, {}
    while True:
        page = culprit.api("/issues", limit=200, sort="first_seen", **cursor)
        for issue in page["issues"]:
            assert issue["type"] not in counts, f"two issues of {issue['type']}"
            counts[issue["type"]] = issue["count"]
        if page["next"] is None:
            return counts
        cursor = {"cursor": page["next"]}


def test_p14_kill_9_under_load(running):
    backend = running.backend()
    ledger = Ledger()
    culprit = running.start(backend=backend, sampling_decision_wait="30ms", journal_segment_bytes="64KiB")
    for round_number in range(ROUNDS):
        crash_round(culprit, ledger, round_number)
        culprit.start()
    client = running.client(culprit)
    last = otlp.new_trace_id()
    assert client.traces(otlp.several("traces", 1, last)).ok
    assert len(ledger.acknowledged) >= ROUNDS

    spans = {trace_id: entry[0] for trace_id, entry in ledger.acknowledged.items() if entry[0]}

    def at_the_backend():
        counts = {}
        for trace_id, span_id in backend.span_counts():
            counts.setdefault(trace_id, set()).add(span_id)
        missing = [t.hex() for t, count in spans.items() if len(counts.get(t, ())) != count]
        assert not missing, f"{len(missing)} of {len(spans)} traces not whole: {missing[:3]}"
        return last in counts

    wait_until(at_the_backend, 30, "every acknowledged span at the backend")

    # The inbox: each acknowledged error once. One that was never answered may be there; then once, too.
    wait_until(lambda: culprit.api("/status")["inbox"]["lag_records"] == 0, 20, "the inbox to catch up")
    counts = all_issues(culprit)
    assert set(counts.values()) == {1}, {kind: count for kind, count in counts.items() if count != 1}
    expected = {kind for _, kind in ledger.acknowledged.values() if kind}
    assert expected <= set(counts), f"{len(expected - set(counts))} of {len(expected)} acknowledged errors are missing"
    assert set(counts) - expected <= {"Error" + trace_id.hex() for trace_id in ledger.unknown}

    # And by its trace, from the kept journal that lived through it all.
    sample = random.sample(sorted(ledger.acknowledged.items()), min(100, len(ledger.acknowledged)))
    for trace_id, (count, kind) in sample:
        found = culprit.find(trace_id.hex())
        assert len(found["spans"]) == count and len(found["logs"]) == (not count), trace_id.hex()
        assert len(found["events"]) == (kind is not None), trace_id.hex()


def test_damage_and_a_torn_tail_do_not_keep_it_from_starting(running):
    """Records around the damage survive; the damaged bytes are kept aside, counted and logged."""
    culprit = running.start(sampling_decision_wait="3600s")  # everything stays in the intake
    client = running.client(culprit)
    trace_ids = [otlp.new_trace_id() for _ in range(30)]
    noises = [os.urandom(3000) for _ in trace_ids]  # do not compress: they lie in the file as they are
    for trace_id, noise in zip(trace_ids, noises):
        assert client.traces(otlp.traces([otlp.span(trace_id, values={"noise": noise})])).ok
    culprit.kill()
    [segment] = (culprit.data_dir / "journal" / "intake").glob("*.seg")
    content = bytearray(segment.read_bytes())
    inside = content.index(noises[12][100:200])
    content[inside:inside + 40] = bytes(40)
    torn = content.index(noises[-1][100:200]) + 1000
    segment.write_bytes(content[:torn])
    backend = running.backend()
    culprit = running.start(culprit.data_dir, backend=backend)
    survivors = set(trace_ids) - {trace_ids[12], trace_ids[-1]}
    wait_until(lambda: {span.trace_id for span in backend.spans()} >= survivors, 20, "every undamaged record")
    assert {span.trace_id for span in backend.spans()} == survivors
    assert culprit.metrics().sum("culprit_journal_quarantined_total", journal="intake") >= 1
    assert any((culprit.data_dir / "quarantine").iterdir())
    assert running.client(culprit).traces(otlp.several("traces", 1)).ok
