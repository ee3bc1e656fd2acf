# SPDX-License-Identifier: Apache-2.0
"""Secrets in spans and logs reach neither the disk, nor the API, nor the backend; and what has none is not touched."""
import json
import sqlite3

import otlp_messages as otlp
from waiting import wait_until

CANARY = "hunter2canary"
FILTERED = "[Filtered]"


def leaky(request_id):
    """A span and logs with a canary in every place that is to be scrubbed."""
    trace_id = otlp.new_trace_id()
    span = otlp.span(trace_id, "login", values={
        "request_id": request_id, "db.password": CANARY, "http.request.method": "POST",
        "http.request.header.authorization": ["Bearer " + CANARY], "http.request.header.cookie": "a=" + CANARY,
        "user": {"name": "jane", "api_key": CANARY}}, events=[otlp.span_event("retry", token=CANARY)])
    logs = [
        otlp.log("calling with Bearer " + CANARY, severity=17, trace_id=trace_id, span_id=span.span_id),
        otlp.log(json.dumps({"text": "in", "password": CANARY}), severity=17, trace_id=trace_id, span_id=span.span_id),
        otlp.log({"text": "map", "secret": CANARY}, severity=13, trace_id=trace_id, span_id=span.span_id),
        otlp.log("attributes", severity=13, trace_id=trace_id, span_id=span.span_id,
                 values={"note": "password=" + CANARY, "url.full": f"https://h/?token={CANARY}"}),
    ]
    return trace_id, span, logs


def send(culprit, client, request_id):
    trace_id, span, logs = leaky(request_id)
    assert client.traces(otlp.traces([span])).ok
    assert client.logs(otlp.logs(logs)).ok

    def arrived():
        found = culprit.find(request_id)
        return found if len(found["spans"]) == 1 and len(found["logs"]) == 4 else None

    return trace_id, wait_until(arrived, 10, "the request")


def files_with(directory, text):
    """Files of the data directory with the text in their bytes, and tables of the database with it in a row."""
    found = [str(path) for path in directory.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]
    with sqlite3.connect(directory / "culprit.db") as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if any(text in str(row) for row in database.execute(f'SELECT * FROM "{table}"')):
                found.append(table)
    return found


def test_secrets_go_nowhere(running):
    backend = running.backend("grpc")
    culprit = running.start(backend=backend, exporters_otlp_logs="true")
    client = running.client(culprit)
    request_id = otlp.new_request_id()
    trace_id, found = send(culprit, client, request_id)
    assert CANARY not in json.dumps(found)
    text = json.dumps(found)
    assert FILTERED in text and "jane" in text and "POST" in text
    wait_until(lambda: backend.spans(), 10, "the span at the backend")
    [span] = backend.spans()
    values = {pair.key: pair.value for pair in span.attributes}
    for key in ("db.password", "http.request.header.authorization", "http.request.header.cookie"):
        assert values[key].string_value == FILTERED
    assert values["request_id"].string_value == request_id
    assert all(CANARY.encode() not in received.body for received in backend.requests())
    issues = wait_until(lambda: culprit.issues() or None, 10, "the issues of the error logs")
    for issue in issues:
        for event in culprit.events_of(issue):
            assert CANARY not in json.dumps(culprit.event(event["event_id"]))
    assert culprit.metrics().sum("culprit_intake_scrubbed_payloads_total") == 2
    culprit.stop()
    assert files_with(culprit.data_dir, CANARY) == []


def test_off(running):
    """The same canary is found everywhere when scrubbing is off: the test above looks in the right places."""
    culprit = running.start(scrub_enabled="false")
    client = running.client(culprit)
    _, found = send(culprit, client, otlp.new_request_id())
    assert json.dumps(found).count(CANARY) >= 8
    assert culprit.metrics().sum("culprit_intake_scrubbed_payloads_total") == 0


def test_configured_keys(running):
    culprit = running.start(scrub_extra_keys="[tax_number]", scrub_safe_keys="[password]")
    client = running.client(culprit)
    request_id = otlp.new_request_id()
    values = {"request_id": request_id, "customer.Tax_Number": "1", "password": "kept", "secret": "gone"}
    assert client.traces(otlp.traces([otlp.span(values=values)])).ok
    [span] = wait_until(lambda: culprit.find(request_id)["spans"], 10, "the span")
    text = json.dumps(span)
    assert "kept" in text and "gone" not in text and text.count(FILTERED) == 2


def test_clean_spans_keep_their_bytes(running):
    backend = running.backend("grpc")
    culprit = running.start(backend=backend)
    client = running.client(culprit)
    span = otlp.span(values={"http.request.method": "GET", "url.full": "https://h/a", "auth.type": "basic",
                             "commit.author": "jane", "gen_ai.usage.input_tokens": 7})
    assert client.traces(otlp.traces([span])).ok
    wait_until(lambda: backend.spans(), 10, "the span at the backend")
    assert [s.SerializeToString() for s in backend.spans()] == [span.SerializeToString()]
    assert culprit.metrics().sum("culprit_intake_scrubbed_payloads_total") == 0

