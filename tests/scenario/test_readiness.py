# SPDX-License-Identifier: Apache-2.0
"""/health/ready says why not, while what can go on goes on, and is 200 again when the cause is gone."""
import concurrent.futures
import json
import os
import re
import sqlite3

import grpc
import pytest

import otlp_messages as otlp
from otlp_server import Reply
from waiting import wait_until

AWAY = Reply(grpc.StatusCode.UNAVAILABLE)
WRONG_KEY = Reply(grpc.StatusCode.PERMISSION_DENIED)


def reasons(culprit):
    code, _, body = culprit.request("GET", "/health/ready")
    answer = json.loads(body)
    assert answer["ready"] is (code == 200) and (code == 200) is (answer["reasons"] == [])
    assert culprit.request("GET", "/health/live")[0] == 200
    return answer["reasons"]


def wait_reason(culprit, *words, deadline=20):
    def told():
        found = [reason for reason in reasons(culprit) if all(word in reason for word in words)]
        assert culprit.api("/status")["reasons"] or not found
        return found

    return wait_until(told, deadline, f"not ready for {words}")


def wait_ready(culprit, deadline=30):
    wait_until(lambda: not reasons(culprit), deadline, "readiness")


class Configured:
    """An instance whose configuration file can be changed while it runs."""

    def __init__(self, running, tmp_path, text, **options):
        self.path = tmp_path / "culprit.yaml"
        self.path.write_text(text)
        self.culprit = running.start(config=self.path, **options)

    def change(self, text):
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, self.path)


@pytest.mark.parametrize("reply, word", [(AWAY, "UNAVAILABLE"), (WRONG_KEY, "PERMISSION_DENIED")])
def test_a_stuck_exporter(running, reply, word):
    """Failing for a while, or refused whatever it sends."""
    backend = running.backend()
    backend.script(*[reply] * 1000)
    culprit = running.start(backend=backend, exporters_otlp_max_backoff="50ms", exporters_otlp_stuck_after="300ms")
    client = running.client(culprit)
    for count in range(1, 5):
        assert client.traces(otlp.several("traces", 1)).ok
        wait_until(lambda: len(backend.requests()) >= count, 10, "an attempt")
    wait_reason(culprit, "exporter otlp", word)
    assert client.traces(otlp.several("traces", 1)).ok
    with backend.lock:
        backend.replies.clear()
    wait_ready(culprit)
    wait_until(lambda: culprit.api("/status")["exporters"][0]["queue_records"] == 0, 10, "an empty queue")


def test_a_full_kept_journal(running):
    backend = running.backend()
    backend.stop()
    culprit = running.start(backend=backend, journal_kept_max_bytes="4MiB", journal_segment_bytes="1MiB",
                            exporters_otlp_max_backoff="100ms")
    client = running.client(culprit)
    sent = set()

    def waits():
        trace_id = otlp.new_trace_id()
        assert client.traces(otlp.traces([otlp.span(trace_id, values={"noise": os.urandom(100_000)})])).ok
        sent.add(trace_id)
        return any("kept journal" in reason for reason in reasons(culprit))

    wait_until(waits, 30, "a full kept journal")
    assert culprit.metrics().sum("culprit_ready") == 0
    backend.start()
    wait_ready(culprit)
    wait_until(lambda: {span.trace_id for span in backend.spans()} >= sent, 30, "every span at the backend")


def error_log(number):
    return otlp.log(f"failed {number}", severity=17, values={
        "exception.type": f"E{number}", "exception.message": os.urandom(2000).hex(), "filler": "x" * 500})


def test_a_full_inbox(running, tmp_path):
    """At store.max_bytes errors wait in the intake journal: none is lost, and all are there when there is room again."""
    configured = Configured(running, tmp_path, "store: {max_bytes: 1MiB}\n")
    culprit = configured.culprit
    client = running.client(culprit)
    assert client.logs(otlp.logs([error_log(0)])).ok
    wait_until(culprit.issues, 10, "the first error")
    sent = 1

    def full():
        nonlocal sent
        assert client.logs(otlp.logs([error_log(sent + i) for i in range(20)])).ok
        sent += 20
        return any("the inbox cannot be written" in reason for reason in reasons(culprit))

    wait_until(full, 60, "a full inbox")
    assert culprit.api("/status")["inbox"]["lag_records"] > 0
    assert client.traces(otlp.several("traces", 1)).ok
    assert culprit.issues(), "what is in it can be read"
    configured.change("store: {max_bytes: 1GiB}\n")
    wait_ready(culprit)
    wait_until(lambda: culprit.api("/status")["inbox"]["issues"] == sent, 30, "an issue for every error")


def test_a_locked_inbox(running):
    """Another process holds the database: ingest goes on, readiness says so, and the errors arrive afterwards."""
    culprit = running.start()
    client = running.client(culprit)
    database = sqlite3.connect(culprit.data_dir / "culprit.db", isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        assert client.logs(otlp.logs([error_log(1)])).ok
        wait_reason(culprit, "the inbox cannot be written")
        assert client.logs(otlp.logs([error_log(2)])).ok
        database.execute("ROLLBACK")
    finally:
        database.close()
    wait_ready(culprit)
    wait_until(lambda: culprit.api("/status")["inbox"]["issues"] == 2, 10, "both errors")


LAG_LIMIT = 10_000


def send_records(running, culprit, count, senders=4):
    """So many requests, each a record of the intake journal; how many errors were among them."""
    trace = otlp.several("traces", 1)

    def send(share):
        client = running.client(culprit, "protobuf")
        assert client.logs(otlp.logs([error_log(share)])).ok
        for _ in range(count // senders):
            assert client.traces(trace).ok

    with concurrent.futures.ThreadPoolExecutor(senders) as pool:
        list(pool.map(send, range(senders)))
    return senders


def test_an_inbox_that_is_behind(running):
    """More records behind than a limit: told with the number, and over as soon as the inbox has caught up, while spans
    were taken, sampled and kept all the time."""
    culprit = running.start(journal_sync="never")
    database = sqlite3.connect(culprit.data_dir / "culprit.db", isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        errors = send_records(running, culprit, LAG_LIMIT - 100)
        wait_reason(culprit, "the inbox cannot be written")
        lag = culprit.metrics().sum("culprit_journal_lag_records", reader="inbox")
        assert LAG_LIMIT - 200 < lag <= LAG_LIMIT and not any("behind" in reason for reason in reasons(culprit))
        errors += send_records(running, culprit, 200)
        [told] = wait_reason(culprit, "the inbox is", "records behind")
        assert int(re.search(r"\d+", told)[0]) > LAG_LIMIT
        assert culprit.metrics().sum("culprit_ready") == 0
        wait_until(lambda: culprit.metrics().sum("culprit_journal_lag_records", reader="settle") == 0, 20, "settled")
        database.execute("ROLLBACK")
    finally:
        database.close()
    wait_ready(culprit)
    wait_until(lambda: culprit.metrics().sum("culprit_journal_lag_records", reader="inbox") == 0, 20, "no lag")
    assert culprit.api("/status")["inbox"]["events"] == errors and culprit.metrics().sum("culprit_ready") == 1


@pytest.mark.parametrize("encoding", ["grpc", "protobuf", "json"])
def test_a_disk_with_too_little_left(running, tmp_path, encoding):
    """Below journal.disk_reserve requests are refused with a hint before their bodies are read."""
    configured = Configured(running, tmp_path, "journal: {disk_reserve: 0}\n")
    culprit = configured.culprit
    client = running.client(culprit, encoding)
    assert client.traces(otlp.several("traces", 1)).ok and reasons(culprit) == []
    configured.change("journal: {disk_reserve: 1048576GiB}\n")
    wait_reason(culprit, "the disk has", "journal.disk_reserve")
    answer = client.traces(otlp.several("traces", 1))
    assert answer.meaning == "unavailable" and answer.retry_s >= 1 and "disk" in answer.message, answer
    assert culprit.metrics().sum("culprit_refused_requests_total", signal="traces", reason="unavailable") == 1
    configured.change("journal: {disk_reserve: 1MiB}\n")
    wait_ready(culprit)
    assert client.traces(otlp.several("traces", 1)).ok
