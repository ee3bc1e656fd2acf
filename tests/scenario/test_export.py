# SPDX-License-Identifier: Apache-2.0
"""The exporter against a scripted backend: what is sent equals what came in, and every answer of OTLP 1.11's tables
(P15, P16; R5, R8, R10, Z5) leads to what they say: sent on, tried again, or put among the dead letters."""
import email.utils
import json
import os
import socket
import time

import grpc
import pytest

import otlp_messages as otlp
from otlp_server import HANG, RESET, Backend, Reply, rejecting
from waiting import SLOW, wait_until

PROTOCOLS = ["grpc", "http/protobuf"]
Code = grpc.StatusCode
RETRYABLE = {Code.CANCELLED, Code.DEADLINE_EXCEEDED, Code.ABORTED, Code.OUT_OF_RANGE, Code.UNAVAILABLE, Code.DATA_LOSS}
FAILURES = [code for code in Code if code is not Code.OK]


class Pair:
    """A culprit and its backend, shared by the tests of one protocol."""

    def __init__(self, shared, protocol):
        self.backend = shared.backend(protocol)
        self.culprit = shared.start(backend=self.backend, exporters_otlp_timeout="600ms" if not SLOW else "3s")
        self.client = shared.client(self.culprit)

    def exporter(self):
        [exporter] = [e for e in self.culprit.api("/status")["exporters"] if e["name"] == "otlp"]
        return exporter

    def settled(self):
        """Until nothing waits for the backend; returns the exporter's status."""

        def idle():
            exporter = self.exporter()
            return exporter if exporter["state"] == "idle" and exporter["queue_records"] == 0 else None

        return wait_until(idle, 20, "an empty export queue")

    def send(self, count=1):
        """One request of one trace; its id."""
        trace_id = otlp.new_trace_id()
        assert self.client.traces(otlp.several("traces", count, trace_id)).ok
        return trace_id

    def attempts(self, trace_id):
        return [received for received in self.backend.requests() if trace_id in received.body]

    def arrived(self, trace_id):
        return sum(span.trace_id == trace_id for span in self.backend.spans())

    def through(self, *replies):
        """Sends one trace against the script; what became of it. Then another one, which must pass."""
        before = self.settled()
        self.backend.script(*replies)
        trace_id = self.send()
        wait_until(lambda: self.backend.pending() == 0, 20, "the script to be played")
        wait_until(lambda: self.attempts(trace_id), 20, "an attempt")
        after = self.settled()
        outcome = Outcome(attempts=self.attempts(trace_id), arrived=self.arrived(trace_id),
                          dead=after["dead"] - before["dead"], retried=after["retried"] - before["retried"],
                          sent=after["sent"] - before["sent"], last_error=after["last_error"])
        following = self.send()
        wait_until(lambda: self.arrived(following) == 1, 20, "the trace behind it")
        return outcome


class Outcome:
    def __init__(self, **values):
        self.__dict__.update(values)

    def __repr__(self):
        return f"{len(self.attempts)} attempts {self.__dict__}"

    def assert_sent_at_the_second_attempt(self):
        assert (len(self.attempts), self.arrived, self.dead, self.retried, self.sent) == (2, 1, 0, 1, 1), self

    def assert_dead_after_one_attempt(self):
        assert (len(self.attempts), self.arrived, self.dead, self.retried, self.sent) == (1, 0, 1, 0, 0), self

    def pause(self):
        return self.attempts[1].time - self.attempts[0].time


@pytest.fixture(scope="module")
def grpc_pair(shared):
    return Pair(shared, "grpc")


@pytest.fixture(scope="module")
def http_pair(shared):
    return Pair(shared, "http/protobuf")


@pytest.fixture(params=PROTOCOLS)
def pair(request, grpc_pair, http_pair):
    return grpc_pair if request.param == "grpc" else http_pair


# --- what is sent


def test_export_is_what_came_in(pair):
    """Every span of a rich request arrives with the bytes it was sent with, and with its resource and scope."""
    trace_id = otlp.new_trace_id()
    values = {"text": "\u00e4\U0001f600", "number": -(1 << 62), "flag": False, "ratio": 0.1, "bytes": b"\0\xff",
              "list": ["a", None, [1]], "map": {"k": {"d": 1}}, "empty": None}
    spans = [otlp.span(trace_id, f"span {i}", values={**values, "i": i}, parent=b"\3" * 8, kind=i % 6, error=i % 7 == 0,
                       trace_state="vendor=x", events=[otlp.exception_event("E", "m", "at x")] * (i % 3))
             for i in range(100)]
    request = otlp.traces(spans[:60], "first", **{"service.version": "1"})
    request.resource_spans.extend(otlp.traces(spans[60:], "second").resource_spans)
    sent = list(otlp.raw_items(request.SerializeToString()))
    assert pair.client.traces(request, compression="gzip").ok
    wait_until(lambda: pair.arrived(trace_id) == 100, 10, "100 spans at the backend")
    found = {item.bytes: item.surroundings for item in pair.backend.items() if trace_id in item.bytes}
    assert found == {item.bytes: item.surroundings for item in sent}


def test_export_of_a_part_of_a_request(running):
    """What is kept of a mixed request is spliced out byte by byte, unknown fields included."""
    backend = running.backend()
    culprit = running.start(backend=backend, sampling_policies="[errors]")
    client = running.client(culprit)
    unknown = otlp.field_bytes(900, b"unknown") + otlp.field_varint(901, 1 << 40)
    kept, dropped = [], []
    for i in range(40):
        made = otlp.span(error=i % 4 == 0, values={"i": i}).SerializeToString() + unknown
        (kept if i % 4 == 0 else dropped).append(made)
    scope = otlp.field_bytes(1, b"scope") + unknown
    resource = otlp.resource().SerializeToString() + unknown
    items = b"".join(otlp.field_bytes(2, item) for item in sorted(kept + dropped))
    group = otlp.field_bytes(1, resource) + otlp.field_bytes(2, otlp.field_bytes(1, scope) + items)
    assert client.traces(otlp.field_bytes(1, group)).ok
    wait_until(lambda: len(backend.items()) >= len(kept), 10, "the kept spans")
    assert sorted(item.bytes for item in backend.items()) == sorted(kept)
    assert {item.surroundings for item in backend.items()} == {(resource, scope, b"", b"")}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_export_headers_and_compression(running, protocol):
    backend = running.backend(protocol)
    culprit = running.start(backend=backend, exporters_otlp_compression="gzip",
                            exporters_otlp_headers='["x-tenant: shop", "authorization: Bearer t0ken"]')
    assert running.client(culprit).traces(otlp.several("traces", 200)).ok
    wait_until(lambda: len(backend.items()) == 200, 10, "200 spans")
    headers = backend.requests()[0].headers
    assert headers["x-tenant"] == "shop" and headers["authorization"] == "Bearer t0ken"
    assert "culprit" in headers["user-agent"].lower()
    if protocol != "grpc":
        assert headers["content-encoding"] == "gzip"


def test_export_of_logs_and_metrics_when_asked(running):
    backend = running.backend()
    culprit = running.start(backend=backend, exporters_otlp_logs="true", exporters_otlp_metrics="true")
    client = running.client(culprit)
    sent_logs = otlp.several("logs", 5)
    assert client.logs(sent_logs).ok
    sent_metrics = otlp.REQUESTS["metrics"]()
    metric = sent_metrics.resource_metrics.add(resource=otlp.resource()).scope_metrics.add().metrics.add(name="n")
    metric.gauge.data_points.add(time_unix_nano=1, as_double=0.5)
    answer = client.send("metrics", sent_metrics)
    assert answer.ok and not answer.has_partial
    wait_until(lambda: backend.requests("logs") and backend.requests("metrics"), 10, "logs and metrics")
    assert [i.bytes for i in backend.items("logs")] == [i.bytes for i in otlp.raw_items(sent_logs.SerializeToString())]
    assert backend.requests("metrics")[0].body == sent_metrics.SerializeToString()


# --- P16: gRPC codes


@pytest.mark.parametrize("code", FAILURES, ids=lambda code: code.name)
def test_p16_grpc_codes(grpc_pair, code):
    outcome = grpc_pair.through(Reply(code))
    if code in RETRYABLE:
        outcome.assert_sent_at_the_second_attempt()
    else:
        outcome.assert_dead_after_one_attempt()
        assert code.name in outcome.last_error


@pytest.mark.parametrize("code", FAILURES, ids=lambda code: code.name)
def test_p16_grpc_codes_with_retry_info(grpc_pair, code):
    outcome = grpc_pair.through(Reply(code, retry_s=0.3))
    if code in RETRYABLE or code is Code.RESOURCE_EXHAUSTED:
        outcome.assert_sent_at_the_second_attempt()
        assert outcome.pause() >= 0.3, outcome.pause()  # R10: not sooner than asked
    else:
        outcome.assert_dead_after_one_attempt()


# --- P15: HTTP codes and bodies


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 422, 500, 501, 505, 507])
def test_p15_http_codes_that_are_final(http_pair, code):
    outcome = http_pair.through(Reply(code))
    outcome.assert_dead_after_one_attempt()
    assert str(code) in outcome.last_error


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_p15_http_codes_that_are_tried_again(http_pair, code):
    http_pair.through(Reply(code)).assert_sent_at_the_second_attempt()


@pytest.mark.parametrize("code", [429, 503])
def test_p15_retry_after_in_seconds(http_pair, code):
    outcome = http_pair.through(Reply(code, retry_after="1"))
    outcome.assert_sent_at_the_second_attempt()
    assert outcome.pause() >= 1


def test_p15_retry_after_as_a_date(http_pair):
    # Whole seconds: two from now are between one and two.
    outcome = http_pair.through(Reply(503, retry_after=email.utils.formatdate(time.time() + 2, usegmt=True)))
    outcome.assert_sent_at_the_second_attempt()
    assert outcome.pause() >= 0.9


def test_p15_partial_success_is_not_repeated(pair):
    ok = Code.OK if pair.backend.protocol == "grpc" else 200
    before = pair.settled()
    pair.backend.script(Reply(ok, body=rejecting(2)))
    trace_id = pair.send(5)
    wait_until(lambda: pair.arrived(trace_id) == 5, 10, "the request")
    after = pair.settled()
    assert len(pair.attempts(trace_id)) == 1
    assert after["sent"] - before["sent"] == 3 and after["retried"] == before["retried"]  # R5
    assert pair.culprit.metrics().sum("culprit_exporter_rejected_items_total", exporter="otlp") >= 2


def test_p15_no_answer_in_time(pair):
    pair.through(HANG).assert_sent_at_the_second_attempt()
    pair.backend.released.set()
    pair.backend.released.clear()


def test_p15_connection_reset(http_pair):
    outcome = http_pair.through(RESET)
    # On a kept connection libcurl tries once more by itself, so it may not count as a retry.
    assert (len(outcome.attempts), outcome.arrived, outcome.dead, outcome.sent) == (2, 1, 0, 1), outcome


def test_p15_slow_body(http_pair):
    http_pair.through(Reply(200, body=b"", slow=True)).attempts[1]
    http_pair.backend.released.set()
    http_pair.backend.released.clear()


def test_p15_huge_body(pair):
    """Z5: an answer over 4 MiB is final."""
    ok = Code.OK if pair.backend.protocol == "grpc" else 200
    outcome = pair.through(Reply(ok, body=rejecting(0, "x" * (5 << 20))))
    assert len(outcome.attempts) == 1 and outcome.retried == 0 and outcome.dead == 1, outcome


def test_p15_no_backend_at_all(running):
    """Nothing listens at first; everything accepted meanwhile arrives when something does."""
    held = socket.socket()  # bound, so that nobody else gets the port; it does not listen, and leaves that to the backend
    running.closable.append(held)
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        held.setsockopt(socket.SOL_SOCKET, option, 1)
    held.bind(("127.0.0.1", 0))
    address = "127.0.0.1:%d" % held.getsockname()[1]
    for protocol in PROTOCOLS:
        endpoint = f"http://{address}" + ("/v1/traces" if protocol != "grpc" else "")
        culprit = running.start(exporters_otlp_endpoint=endpoint, exporters_otlp_protocol=protocol)
        client = running.client(culprit)
        for _ in range(5):
            assert client.traces(otlp.several("traces", 10)).ok
        [exporter] = wait_until(lambda: [e for e in culprit.api("/status")["exporters"] if e["state"] == "retrying"], 10,
                                "the exporter to notice")
        assert exporter["last_error"] and exporter["queue_records"] >= 1 and exporter["queue_age_s"] >= 0
        backend = Backend(protocol, address)
        running.closable.append(backend)
        wait_until(lambda: len(backend.items()) == 50, 20, "all 50 spans")
        culprit.stop()
        backend.stop()


# --- retries that fail again, order, neighbours


def test_order_holds_over_retries(http_pair):
    http_pair.settled()
    http_pair.backend.script(*[Reply(503)] * 3)
    trace_ids = [http_pair.send() for _ in range(5)]
    wait_until(lambda: all(http_pair.arrived(trace_id) for trace_id in trace_ids), 20, "all five")
    seen = [span.trace_id for span in http_pair.backend.spans() if span.trace_id in trace_ids]
    assert seen == trace_ids  # each once, in order


@pytest.mark.parametrize("code", [Code.INVALID_ARGUMENT, Code.RESOURCE_EXHAUSTED], ids=lambda code: code.name)
def test_one_bad_record_does_not_take_its_neighbours_along(grpc_pair, code):
    """A refused batch is sent again record by record; only the one that is refused alone becomes a dead letter."""
    before = grpc_pair.settled()
    grpc_pair.backend.script(Reply(Code.UNAVAILABLE, retry_s=1))  # while it waits, the others gather behind it
    first = grpc_pair.send()
    wait_until(lambda: grpc_pair.attempts(first), 10, "the first attempt")
    trace_ids = [grpc_pair.send() for _ in range(4)]
    wait_until(lambda: grpc_pair.culprit.find(trace_ids[-1].hex())["spans"], 10, "the last to be kept")
    # first goes alone (it is the batch in hand); the batch of four is refused, then the second of the four.
    grpc_pair.backend.script(Reply(Code.OK), Reply(code), Reply(Code.OK), Reply(code))
    after = grpc_pair.settled()
    assert [grpc_pair.arrived(trace_id) for trace_id in [first, *trace_ids]] == [1, 1, 0, 1, 1]
    assert after["dead"] - before["dead"] == 1 and after["sent"] - before["sent"] == 4


def test_a_misconfigured_backend_pauses_instead_of_draining(running):
    """Refused whatever is sent: after two dead letters the queue waits for someone to mend it."""
    backend = running.backend()
    backend.script(*[Reply(Code.UNAUTHENTICATED)] * 50)
    culprit = running.start(backend=backend)
    client = running.client(culprit)
    for round in range(6):
        assert client.traces(otlp.several("traces", 1)).ok
        wait_until(lambda: len(backend.requests()) >= min(round + 1, 3), 10, "an attempt")
    exporter = wait_until(lambda: [e for e in culprit.api("/status")["exporters"] if e["state"] == "paused"], 10,
                          "the pause")[0]
    assert exporter["dead"] == 2 and "UNAUTHENTICATED" in exporter["last_error"]
    code, _, body = culprit.request("GET", "/health/ready")
    assert code == 503 and b"otlp" in body


def test_dead_letters_are_sent_again_when_asked(running):
    """After the backend has learnt to take them: each once, also when asked twice, also after a restart."""
    backend = running.backend()
    backend.script(*[Reply(Code.INVALID_ARGUMENT)] * 2)
    culprit = running.start(backend=backend)
    client = running.client(culprit)
    refused = [otlp.new_trace_id() for _ in range(2)]
    for count, trace_id in enumerate(refused, 1):
        assert client.traces(otlp.several("traces", 3, trace_id)).ok
        wait_until(lambda: culprit.api("/status")["exporters"][0]["dead_letters"] == count, 10, "a dead letter")
    assert not backend.spans() and culprit.api("/status")["exporters"][0]["dead"] == 6

    def resend(code=200):
        answer = culprit.request("POST", "/api/v1/exporters/otlp/resend", b"{}", {"Content-Type": "application/json"})
        assert answer[0] == code, answer
        return json.loads(answer[2])

    assert resend() == {"dead_letters": 2}
    wait_until(lambda: [span.trace_id for span in backend.spans()] == [t for t in refused for _ in range(3)], 10,
               "what was refused, in order")
    wait_until(lambda: culprit.api("/status")["exporters"][0]["dead_letters"] == 0, 5, "no dead letter")
    assert culprit.metrics().sum("culprit_exporter_resent_items_total") == 6
    assert resend() == {"dead_letters": 0}
    culprit.stop()
    culprit = running.start(culprit.data_dir, backend=backend)
    assert resend() == {"dead_letters": 0}
    assert running.client(culprit).traces(otlp.several("traces", 1)).ok
    wait_until(lambda: len(backend.spans()) == 7, 10, "the new span")
    code, _, body = culprit.request("POST", "/api/v1/exporters/kafka/resend", b"{}",
                                    {"Content-Type": "application/json"})
    assert code == 404 and b"kafka" in body
    code, _, _ = culprit.request("POST", "/api/v1/exporters/otlp/resend", b"{}",
                                 {"Content-Type": "application/json", "Origin": "http://elsewhere"})
    assert code == 403


# --- restarts


def test_resume_after_restart(running):
    """What waited for the backend is sent after a restart; what was sent is not sent again."""
    backend = running.backend()
    culprit = running.start(backend=backend)
    client = running.client(culprit)
    sent = otlp.new_trace_id()
    assert client.traces(otlp.several("traces", 3, sent)).ok
    wait_until(lambda: len(backend.items()) == 3, 10, "the first three")
    backend.stop()
    waiting = otlp.new_trace_id()
    assert client.traces(otlp.several("traces", 4, waiting)).ok
    culprit.stop()
    unsettled = otlp.new_trace_id()
    culprit = running.start(culprit.data_dir, sampling_decision_wait="10s", exporters_otlp_endpoint=backend.endpoint)
    client = running.client(culprit)
    assert client.traces(otlp.several("traces", 5, unsettled)).ok
    culprit.stop()  # at once: the verdict comes after the next start
    backend.start()
    culprit = running.start(culprit.data_dir, backend=backend)
    wait_until(lambda: len(backend.items()) >= 12, 20, "all twelve")
    assert set(backend.span_counts().values()) == {1}
    arrived = [span.trace_id for span in backend.spans()]
    assert [arrived.count(trace_id) for trace_id in (sent, waiting, unsettled)] == [3, 4, 5]


@pytest.mark.parametrize("sync", ["always", "interval", "never"])
def test_export_in_every_sync_mode(running, sync):
    backend = running.backend("grpc")
    client = running.client(running.start(backend=backend, journal_sync=sync))
    trace_id = otlp.new_trace_id()
    assert client.traces(otlp.several("traces", 3, trace_id)).ok
    wait_until(lambda: sum(span.trace_id == trace_id for span in backend.spans()) == 3, 20, "the trace at the backend")


def test_dead_letters_are_on_disk_with_their_reason(running):
    backend = running.backend()
    culprit = running.start(backend=backend)
    backend.script(Reply(Code.INVALID_ARGUMENT))
    trace_id = otlp.new_trace_id()
    assert running.client(culprit).traces(otlp.traces([otlp.span(trace_id, "refused for good")])).ok
    wait_until(lambda: culprit.metrics().sum("culprit_exporter_dead_items_total") == 1, 10, "the dead letter")
    culprit.stop()
    written = b"".join(path.read_bytes() for path in (culprit.data_dir / "dead-letter").iterdir())
    assert b"INVALID_ARGUMENT" in written and b"refused for good" in written
    culprit = running.start(culprit.data_dir, backend=backend)
    assert running.client(culprit).traces(otlp.several("traces", 1)).ok
    wait_until(lambda: backend.items(), 10, "what came after it")
    assert all(span.trace_id != trace_id for span in backend.spans())


def test_a_backend_that_is_away_until_the_budgets_are_full(running):
    """The kept journal fills up, then the intake; then senders are refused. Nothing accepted makes room for it, and all
    of it is sent when the backend is back."""
    backend = running.backend()
    backend.stop()
    culprit = running.start(backend=backend, journal_kept_max_bytes="4MiB", journal_intake_max_bytes="4MiB",
                            journal_segment_bytes="1MiB")
    client = running.client(culprit)
    accepted = set()
    noise = os.urandom(1 << 20)

    def send():
        trace_id = otlp.new_trace_id()
        at = len(accepted) * 997 % 900_000
        answer = client.traces(otlp.traces([otlp.span(trace_id, values={"noise": noise[at:at + 50_000]})]))
        if answer.ok:
            accepted.add(trace_id)
        else:
            assert answer.meaning == "unavailable" and answer.retry_s >= 1
        return answer.ok

    def full():
        while send():
            pass
        journal = culprit.api("/status")["journal"]
        fill = [journal[name]["bytes"] > 3 << 20 for name in ("kept", "intake")]
        return all(fill) and len(accepted) * 50_000 > 6 << 20  # what is in the one is no longer in the other

    wait_until(full, 30, "both journals to be full")
    assert culprit.request("GET", "/health/ready")[0] == 503
    backend.start()
    wait_until(lambda: {span.trace_id for span in backend.spans()} >= accepted, 60, "all that was accepted")
    wait_until(lambda: client.traces(otlp.several("traces", 1)).ok, 10, "room again")
