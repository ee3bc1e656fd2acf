# SPDX-License-Identifier: Apache-2.0
"""Bad input at the Sentry door: the documented answer, a bounded cost, a counter, and the next request is served as if
nothing had been."""
import base64
import gzip
import json
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import zstandard

import otlp_messages as otlp
from culprit_process import SANITIZED
from sentry_messages import Sender, dsn_of, envelope, event_envelope, frame, full_event, item, new_event_id
from waiting import FACTOR, wait_until

MEMORY_MAX = 256 << 20
SENDERS = 4


class Door:
    """One instance for all tests of the file; each looks at what it changed only."""

    def __init__(self, shared):
        self.culprit = shared.start()
        self.dsn = dsn_of(self.culprit)
        self.sender = self.connect()
        shared.closable.append(self.sender)

    def connect(self):
        return Sender(self.culprit, self.dsn)

    def post(self, *arguments, **options):
        return self.sender.post(*arguments, **options)

    def count(self, name, **labels):
        return self.culprit.metrics().sum(name, **labels)

    def stored(self):
        """Requests, items and events that are somewhere in the data."""
        status = self.culprit.api("/status")
        return status["journal"]["intake"]["records"]

    def taken(self, event, event_id=None, deadline=10):
        """Sends an event that must be taken; its document as it is shown."""
        event_id = event_id or new_event_id()
        assert self.post(event_envelope(event, event_id))[:2] == (200, {"id": event_id})
        return wait_until(lambda: self.culprit.event(event_id), deadline, "the event")["document"]


@pytest.fixture(scope="module")
def door(shared):
    return Door(shared)


@pytest.fixture(autouse=True)
def still_well(door):
    """After each test: the process lives, has not grown, holds nothing of the budget and takes an event."""
    yield
    assert door.culprit.is_running()
    assert door.culprit.memory_peak() < MEMORY_MAX or SANITIZED
    assert door.taken({"message": "and on it goes"})["logentry"]["formatted"] == "and on it goes"
    wait_until(lambda: door.culprit.api("/status")["memory"]["in_flight_bytes"] == 0, 10, "an empty budget")
    assert door.culprit.api("/status")["journal"]["intake"]["quarantined"] == 0


# --- framing

GOOD = item("event", {"message": "m"})
ID = "9ec79c33ec9942ab8353589fcb2e04dc"
SENT_AT = b'"2026-01-01T00:00:00Z"'
BROKEN = {
    "empty": b"",
    "header is no JSON": b"{\n" + GOOD,
    "header is a list": b"[]\n" + GOOD,
    "header of 70 KB": envelope(GOOD, x="y" * 70_000),
    "header is 100 000 brackets": b"[" * 60_000 + b"\n",
    "bad event id": envelope(GOOD, event_id="no id"),
    "event id of another type": envelope(GOOD, event_id=[ID]),
    "bad dsn": envelope(GOOD, dsn="http://h"),
    "bad sent_at": envelope(GOOD, sent_at="yesterday"),
    "sent_at twice": b'{"sent_at":' + SENT_AT + b',"sent_at":' + SENT_AT + b"}\n" + GOOD,
    "item header is no JSON": b"{}\nevent\n{}",
    "item header is a number": b"{}\n5\n{}",
    "item without type": b"{}\n{}\n{}",
    "type of another type": b'{}\n{"type":["event"]}\n{}',
    "length beyond the end": b'{}\n{"type":"event","length":3}\n{}',
    "length too short": b'{}\n{"type":"event","length":1}\n{}\n',
    "length negative": b'{}\n{"type":"event","length":-1}\n{}\n',
    "length of 2^64": b'{}\n{"type":"event","length":18446744073709551616}\n{}\n',
    "length of 2^64 - 1": b'{}\n{"type":"event","length":18446744073709551615}\n{}\n',
    "length a text": b'{}\n{"type":"event","length":"2"}\n{}\n',
    "length a fraction": b'{}\n{"type":"event","length":1.5}\n{}\n',
    "two events": envelope(GOOD, GOOD),
    "event and transaction": envelope(GOOD, item("transaction", {})),
    "event is no JSON": envelope(item("event", b"{")),
    "event is a list": envelope(item("event", b"[{}]")),
    "event is empty": envelope(item("event", b"")),
    "event is 100 000 brackets": envelope(item("event", b'{"a":' + b"[" * 100_000)),
    "transaction without ids": envelope(item("transaction", {"contexts": {"trace": {}}})),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_broken_framing(door, body):
    before, stored = door.count("culprit_sentry_requests_total", outcome="invalid"), door.stored()
    code, reply, headers = door.post(body)
    assert code == 400 and reply["detail"] and reply["causes"][0], reply
    assert headers["X-Sentry-Error"] and headers["Access-Control-Allow-Origin"] == "*"
    assert door.count("culprit_sentry_requests_total", outcome="invalid") == before + 1
    assert door.stored() == stored


def test_items_that_do_not_fail_their_envelope(door):
    """Unknown and broken items beside an event are counted and left out."""
    invalid = {kind: door.count("culprit_sentry_items_total", type=kind, outcome="invalid")
               for kind in ("log", "span", "client_report", "otel_log")}
    many = {"items": [{"body": "b"}] * 1001}
    closing = b'{"body":{"stringValue":"a"}}]}]},{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"b"}}'
    event_id = new_event_id()
    code, reply, _ = door.post(envelope(
        item("no such type", b"\x00\xff"), item("log", b"no JSON"), item("log", many), item("span", {"items": 5}),
        item("client_report", b"[}"), item("client_report", {"discarded_events": [{"quantity": -1}, 7, None]}),
        item("otel_log", closing), item("otel_log", b"[]"), item("event", {"message": "in the middle"}),
        item("log", {"items": [7, None, "x"]}, item_count=99), event_id=event_id))
    assert (code, reply) == (200, {"id": event_id})
    wait_until(lambda: door.culprit.event(event_id), 10, "the event")
    added = {kind: door.count("culprit_sentry_items_total", type=kind, outcome="invalid") - before
             for kind, before in invalid.items()}
    assert added == {"log": 5, "span": 1, "client_report": 1, "otel_log": 2}


# --- sizes and bombs

ZEROS = bytes(100 << 20)
# The same, made by brotli 1.0.9 with quality 11 and a window of 24 bits.
BROTLI_ZEROS = bytes.fromhex("cfffff7ff82700e2b14020f7fe9ffffffff04f00c4610180eefd3fffffffe19f0088c32200ddfb7ffeffffc33f0110"
                             "870500baf7fffcffff877f02200e0b0074effff9ffff0fff04401c1600e8deffe7ffff0ffe0980382c00d0bdff01")


@pytest.mark.parametrize("encoding, bomb", [("gzip", lambda: gzip.compress(ZEROS)),
                                            ("deflate", lambda: zlib.compress(ZEROS)),
                                            ("zstd", lambda: zstandard.compress(ZEROS)),
                                            ("br", lambda: BROTLI_ZEROS)])
def test_bombs(door, encoding, bomb):
    body, stored = bomb(), door.stored()
    before = door.count("culprit_sentry_requests_total", outcome="too large")
    code, reply, _ = door.post(body, headers={"Content-Encoding": encoding})
    assert code == 413, reply
    assert door.count("culprit_sentry_requests_total", outcome="too large") == before + 1
    assert door.stored() == stored


def test_a_bomb_inside_base64(door):
    before = door.count("culprit_sentry_requests_total", outcome="too large")
    code, reply, _ = door.post(base64.b64encode(zlib.compress(ZEROS[:16 << 20])), path="store")
    assert code == 413, reply
    assert door.count("culprit_sentry_requests_total", outcome="too large") == before + 1


@pytest.mark.parametrize("headers, code", [({"Content-Encoding": "compress"}, 415),
                                           ({"Content-Encoding": "gzip, gzip"}, 415),
                                           ({"Content-Encoding": "gzip"}, 400),
                                           ({"Content-Encoding": "zstd"}, 400),
                                           ({"Content-Encoding": "br"}, 400)])
def test_encodings(door, headers, code):
    """Unknown ones, and bytes that are not what the header says."""
    outcome = {415: "unsupported", 400: "invalid"}[code]
    before = door.count("culprit_sentry_requests_total", outcome=outcome)
    assert door.post(event_envelope({"message": "m"}), headers=headers)[0] == code
    assert door.count("culprit_sentry_requests_total", outcome=outcome) == before + 1


def test_large_events(door):
    """Over 1 MiB: 413. Under it, long texts are cut and the cut is marked."""
    stored, before = door.stored(), door.count("culprit_sentry_requests_total", outcome="too large")
    code, reply, _ = door.post(event_envelope({"message": "x" * (10 << 20)}))
    assert code == 413 and "1048576" in reply["causes"][0]
    code, _, _ = door.post(json.dumps({"message": "x" * (10 << 20)}), path="store")
    assert code == 413
    assert door.count("culprit_sentry_requests_total", outcome="too large") == before + 2
    assert door.stored() == stored
    document = door.taken({"message": "x" * 1_000_000})
    assert len(document["logentry"]["formatted"]) == 8192 and document["logentry"]["formatted"].endswith("...")
    document = door.taken({"exception": {"values": [{"type": "T" * 10_000, "value": "v" * 1_000_000}]}})
    [exception] = document["exception"]["values"]
    assert len(exception["type"]) == 256 and len(exception["value"]) == 8192


def test_a_text_of_10_mib_in_a_log(door, running):
    """OTLP's limits are others: the error in the inbox is cut, the log keeps its text."""
    client = running.client(door.culprit)
    text = "".join(f'  File "/srv/m{i}.py", line {i}, in f{i}\n    call()\n' for i in range(200_000))[:10 << 20]
    values = {"exception.type": "LongError", "exception.message": "m" * (2 << 20),
              "exception.stacktrace": "Traceback (most recent call last):\n" + text + "\nLongError: m\n"}
    started = time.monotonic()
    assert client.logs(otlp.logs([otlp.log("x" * (1 << 20), severity=17, values=values)])).ok
    issue = door.culprit.wait_issue(30, type="LongError")
    assert time.monotonic() - started < 10 * FACTOR
    event = door.culprit.event(door.culprit.api(f"/issues/{issue['id']}")["latest_event"])
    [exception] = event["document"]["exception"]["values"]
    assert len(exception["stacktrace"]["frames"]) == 512 and len(issue["title"]) <= 256


# --- every node another type

OTHERS = [None, True, -7, 2.5e300, "text", [], ["a", [1]], {}, {"a": {"b": 1}}]


def variants(node, path=()):
    """(path, event) for every node of the event replaced by each of OTHERS that has another type."""
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in members:
        for other in OTHERS:
            if type(other) is not type(value):
                yield (*path, key), other
        yield from variants(value, (*path, key))


def replaced(path, other, **members):
    event = full_event(**members)
    node = event
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = other
    return event


def test_type_confusion(door):
    """The event is never refused for it, can be looked at, and what was dropped from its top level is noted."""
    cases = [(new_event_id(), path, other) for path, other in variants(full_event())]
    assert len(cases) > 1500
    before = door.culprit.api("/status")["inbox"]["events"]

    def send(part):
        sender = door.connect()
        codes = []
        for event_id, path, other in part:
            # A fingerprint of its own keeps each event: an issue holds its first one and the newest hundred.
            members = {} if path[0] == "fingerprint" else {"fingerprint": [event_id]}
            code, reply, _ = sender.post(event_envelope(replaced(path, other, **members), event_id))
            codes.append((path, other, code, reply))
        sender.close()
        return codes

    with ThreadPoolExecutor(SENDERS) as pool:
        answers = [answer for part in pool.map(send, [cases[i::SENDERS] for i in range(SENDERS)]) for answer in part]
    assert [answer for answer in answers if answer[2] != 200] == []
    wait_until(lambda: door.culprit.api("/status")["inbox"]["events"] == before + len(cases), 60, "all events")
    for event_id, path, other in cases:
        document = door.culprit.event(event_id)["document"]
        errors = document.get("errors", [])
        assert all(isinstance(error, dict) for error in errors)
        # A member that can only be an object is there as one, or was dropped with a note.
        if len(path) == 1 and path[0] in OBJECTS and not isinstance(other, dict):
            assert path[0] not in document, (path, other)
            assert other is None or path[0] in [error.get("name") for error in errors], (path, other, errors)


OBJECTS = ("contexts", "request", "user", "extra", "modules", "sdk", "debug_meta", "template", "_meta")

NOTED = [("exception", 5), ("threads", "text"), ("tags", 5), ("contexts", []), ("request", [1]), ("user", "text"),
         ("extra", 5), ("level", "loud"), ("timestamp", "soon"), ("timestamp", {}), ("release", {"a": 1}),
         ("environment", []), ("breadcrumbs", 5), ("sdk", True), ("modules", "text")]


@pytest.mark.parametrize("name, value", NOTED)
def test_a_dropped_member_is_noted(door, name, value):
    document = door.taken(full_event(**{name: value}))
    assert name in [error.get("name") for error in document["errors"]], document["errors"]
    assert document.get(name) != value


# --- odd values

def test_odd_texts(door):
    """Lone surrogates and ill-formed UTF-8 become U+FFFD, NUL and control characters stay escaped, NaN is null."""
    raw = (b'{"message":"a\\ud800b\\udc00c \xff\xfe\xe2\x82 \\u0000 \x01\x1f\\u001b[31m \\u202e",'
           b'"extra":{"x":NaN,"y":-Infinity,"z":1e400,"n":123456789012345678901234567890,"\\ud800":1,"a":1,"a":2},'
           b'"tags":{"k\\u0000":"v\\u0000w","\\ud800":"\\udfff"},"user":{"id":18446744073709551615}}')
    document = door.taken(raw)
    text = document["logentry"]["formatted"]
    assert text.startswith("a\ufffdb\ufffdc \ufffd\ufffd\ufffd ") and "\ud800" not in text
    assert document["extra"]["x"] is None and document["extra"]["y"] is None
    assert json.dumps(document).isascii()
    issues = door.culprit.issues(query="a\ufffdb")
    assert len(issues) == 1 and "\x1b" not in json.dumps(issues, ensure_ascii=False)


def is_of_receipt(event):
    """Its time is that of receipt, but for the way from the door to the inbox."""
    apart = datetime.fromisoformat(event["received"]) - datetime.fromisoformat(event["timestamp"])
    return abs(apart) < timedelta(seconds=10)


@pytest.mark.parametrize("ahead_s, name", [(3600, "future_timestamp"), (50 * 365 * 86400, "future_timestamp"),
                                           (-40 * 86400, "past_timestamp")])
def test_events_of_other_times(door, ahead_s, name):
    """The time of receipt instead, and a note."""
    event_id = new_event_id()
    document = door.taken({"message": f"when {ahead_s}", "timestamp": time.time() + ahead_s}, event_id)
    assert [error["type"] for error in document["errors"]] == [name]
    assert is_of_receipt(door.culprit.event(event_id))


@pytest.mark.parametrize("sent_at, expected, name", [
    ("9999-12-31T23:59:59Z", 400, None),  # a time that nanoseconds cannot hold is no sent_at
    ("1970-01-01T00:00:00Z", 200, "future_timestamp"), ("2318-06-04T07:54:35Z", 200, "past_timestamp")])
def test_clocks_of_other_centuries(door, sent_at, expected, name):
    """An event moved by such a clock has the time of receipt, and a note."""
    event_id = new_event_id()
    body = envelope(item("event", full_event(message="m")), event_id=event_id, sent_at=sent_at)
    assert door.post(body)[0] == expected
    if expected == 200:
        event = wait_until(lambda: door.culprit.event(event_id), 10, "the event")
        assert is_of_receipt(event)
        assert [error["type"] for error in event["document"]["errors"] if error["name"] == "timestamp"] == [name]
    start = time.time()
    transaction = {"type": "transaction", "transaction": "t", "start_timestamp": start, "timestamp": start + 1,
                   "contexts": {"trace": {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                                          "span_id": "00f067aa0ba902b7"}}}
    assert door.post(envelope(item("transaction", transaction), sent_at=sent_at))[0] == expected


# --- many and deep

def test_100_000_frames(door):
    document = door.taken({"exception": {"values": [{"type": "Deep", "value": "v",
                                                     "stacktrace": {"frames": [{}] * 100_000}}]}}, deadline=30)
    assert len(document["exception"]["values"][0]["stacktrace"]["frames"]) == 512
    frames = [{"function": f"f{i % 10}"} for i in range(45_000)]
    document = door.taken({"exception": {"values": [{"type": "Deeper", "stacktrace": {"frames": frames}}]}})
    names = [f["function"] for f in document["exception"]["values"][0]["stacktrace"]["frames"]]
    assert len(names) == 512 and names[0] == "f0" and names[-1] == frames[-1]["function"]


def test_many_of_everything(door):
    """One event each with more tags, exceptions, threads, breadcrumbs, fingerprint parts and notes than are kept."""
    many = {
        "tags": {f"k{i}": "v" for i in range(50_000)},
        "exception": {"values": [{"type": f"T{i}", "value": "v"} for i in range(20_000)]},
        "threads": {"values": [{"id": i, "stacktrace": {"frames": [frame()]}} for i in range(5_000)]},
        "breadcrumbs": {"values": [{"message": "m"}] * 40_000},
        "fingerprint": ["x" * 20] * 30_000,
        "errors": [{"type": "x"}] * 50_000,
        "extra": {f"password{i}": "s" for i in range(30_000)},
        "request": {"headers": [["a", "b"]] * 60_000},
    }
    for name, value in many.items():
        started = time.monotonic()
        document = door.taken({"message": f"many {name}", name: value}, deadline=20)
        assert time.monotonic() - started < 5 * FACTOR, name
        assert len(json.dumps(document)) < 8 << 20
    assert len(door.taken({"message": "m", "exception": many["exception"]})["exception"]["values"]) == 64


def test_cyclic_causes(door):
    """Exceptions that are each other's parents, their own, or nobody's."""
    def chain(*parents):
        return {"exception": {"values": [
            {"type": f"Cycle{len(parents)}", "value": f"v{i}", "stacktrace": {"frames": [frame(f"f{i}")]},
             "mechanism": {"type": "chained", "exception_id": i, "parent_id": parent, "is_exception_group": True}}
            for i, parent in enumerate(parents)]}}

    for parents in ([0], [1, 0], [2, 0, 1], [1, 2, 3, 4, 5, 0], [7, 7, 7], [-1, -1], [1] * 64, list(range(64))):
        document = door.taken(chain(*parents))
        assert len(document["exception"]["values"]) == len(parents)


@pytest.mark.parametrize("depth", [60, 120, 130, 136, 138])
def test_deep_values(door, depth):
    """Up to the depth that is served the event is taken whole, and can be read back."""
    deep = "x"
    for _ in range(depth):
        deep = [deep]
    document = door.taken({"message": f"deep {depth}", "extra": {"deep": deep}, "contexts": {"c": {"deep": deep}},
                           "exception": [{"type": "T", "value": "v", "mechanism": {"type": "m", "data": {"x": deep}}}]}
                          if depth < 130 else {"message": f"deep {depth}", "extra": {"deep": deep}})
    found, levels = document["extra"]["deep"], 0
    while isinstance(found, list):
        [found] = found
        levels += 1
    assert (found, levels) == ("x", depth)
