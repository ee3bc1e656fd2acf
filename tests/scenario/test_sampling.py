# SPDX-License-Identifier: Apache-2.0
"""Each sampling policy with its counter, what follows a verdict (late spans, logs), and where it can be seen."""
import otlp_messages as otlp
from waiting import wait_until


def kept_by(culprit, policy):
    return culprit.metrics().sum("culprit_sampling_kept_traces_total", policy=policy)


def decisions(culprit):
    metrics = culprit.metrics()
    return (metrics.sum("culprit_sampling_kept_traces_total") +
            metrics.sum("culprit_sampling_dropped_traces_total"))


class Sampled:
    """A culprit with these policies, its backend, and the sorting of traces into kept and dropped."""

    def __init__(self, running, policies, **options):
        self.backend = running.backend()
        self.culprit = running.start(backend=self.backend, sampling_policies=policies, **options)
        self.client = running.client(self.culprit)

    def send(self, **named):
        """Spans or lists of spans by name, in one request; the names of those that arrive at the backend."""
        spans, self.names = [], {}
        for name, made in named.items():
            made = made if isinstance(made, list) else [made]
            spans += made
            self.names[made[0].trace_id] = name
        decided = decisions(self.culprit)
        assert self.client.traces(otlp.traces(spans)).ok
        wait_until(lambda: decisions(self.culprit) == decided + len(self.names), 10, "the verdicts")
        wait_until(lambda: self.exporter_is_done(), 10, "the exporter")
        arrived = {self.names[span.trace_id] for span in self.backend.spans() if span.trace_id in self.names}
        return arrived

    def exporter_is_done(self):
        kept = self.culprit.api("/status")["sampling"]["kept"]
        return sum(1 for _ in self.backend.items()) == kept

    def verdict(self, span):
        return self.culprit.find(span.trace_id.hex())["verdict"]


def test_errors_policy(running):
    sampled = Sampled(running, "[errors]")
    late_error = otlp.new_trace_id()
    arrived = sampled.send(
        status=otlp.span(error=True),
        exception=otlp.span(events=[otlp.exception_event("E", "m")]),
        one_of_many=[otlp.span(late_error), otlp.span(late_error, error=True), otlp.span(late_error)],
        fine=otlp.span(), ok_status=otlp.span(), other_event=otlp.span(events=[otlp.span_event("retry")]))
    assert arrived == {"status", "exception", "one_of_many"}
    assert kept_by(sampled.culprit, "errors") == 3
    assert sampled.culprit.metrics().sum("culprit_sampling_dropped_traces_total") == 3


def test_errors_policy_sees_the_whole_trace(running):
    """The error comes in another request, from another service, by another signal."""
    sampled = Sampled(running, "[errors]", sampling_decision_wait="400ms")
    trace_id, logged_id = otlp.new_trace_id(), otlp.new_trace_id()
    assert sampled.client.traces(otlp.traces([otlp.span(trace_id), otlp.span(logged_id)], "front")).ok
    assert sampled.client.traces(otlp.traces([otlp.span(trace_id, error=True)], "back")).ok
    assert sampled.client.logs(otlp.logs([otlp.log("failed", severity=17, trace_id=logged_id)], "back")).ok
    wait_until(lambda: len(sampled.backend.spans()) == 3, 10, "the spans of both services")
    assert kept_by(sampled.culprit, "errors") == 2


def test_latency_policy(running):
    sampled = Sampled(running, "[{latency: 100ms}]")
    start = 1_700_000_000_000_000_000
    apart = otlp.new_trace_id()
    arrived = sampled.send(
        slow=otlp.span(ms=100), fast=otlp.span(ms=99),
        earliest_to_latest=[otlp.span(apart, start_ns=start, ms=1), otlp.span(apart, start_ns=start + 99_500_000, ms=1)])
    assert arrived == {"slow", "earliest_to_latest"}
    assert kept_by(sampled.culprit, "latency") == 2


def test_attribute_policies(running):
    policies = ("[{attribute: {key: tenant, value: gold}}, {attribute: {key: http.route, regex: '^/pay'}}, "
                "{attribute: {key: keep}}, {attribute: {key: n, value: '7'}}]")
    sampled = Sampled(running, policies)
    arrived = sampled.send(
        exact=otlp.span(values={"tenant": "gold"}), other_value=otlp.span(values={"tenant": "golden"}),
        pattern=otlp.span(values={"http.route": "/payments"}), no_match=otlp.span(values={"http.route": "/x/pay"}),
        any_value=otlp.span(values={"keep": False}), in_array=otlp.span(values={"tenant": ["silver", "gold"]}),
        number=otlp.span(values={"n": 7}), other_number=otlp.span(values={"n": 70}),
        on_event=otlp.span(events=[otlp.span_event("charge", tenant="gold")]))
    assert arrived == {"exact", "pattern", "any_value", "in_array", "number", "on_event"}
    metrics = sampled.culprit.metrics()
    by_index = [metrics.sum("culprit_sampling_kept_traces_total", policy="attribute", index=str(i)) for i in range(4)]
    assert by_index == [3, 1, 1, 1]
    of_resource = otlp.span()
    assert sampled.client.traces(otlp.traces([of_resource], tenant="gold")).ok
    wait_until(lambda: sampled.culprit.find(of_resource.trace_id.hex())["spans"], 5, "kept by a resource attribute")


def test_rate_limit_policy(running):
    sampled = Sampled(running, "[errors, {rate_limit: 5}]")
    spans = {f"n{i}": otlp.span(trace_state="ot=th:8") for i in range(50)}
    arrived = sampled.send(failed=otlp.span(error=True, trace_state="ot=th:8"), **spans)
    limited = arrived - {"failed"}
    assert "failed" in arrived and 5 <= len(limited) <= 8, arrived
    assert kept_by(sampled.culprit, "rate_limit") == len(limited) and kept_by(sampled.culprit, "errors") == 1
    # A rate limit has no honest probability: what was known is erased. An error was certain: nothing changes.
    states = {sampled.names[span.trace_id]: span.trace_state for span in sampled.backend.spans()}
    assert states.pop("failed") == "ot=th:8" and set(states.values()) == {""}


def test_the_first_policy_that_keeps_is_named(running):
    sampled = Sampled(running, "[{latency: 100ms}, errors, {probability: 1.0}]")
    slow, slow_error, error, plain = (otlp.span(ms=200), otlp.span(ms=200, error=True), otlp.span(error=True),
                                      otlp.span())
    assert sampled.send(a=slow, b=slow_error, c=error, d=plain) == {"a", "b", "c", "d"}
    named = [sampled.verdict(span)["policy"] for span in (slow, slow_error, error, plain)]
    assert named == ["latency", "latency", "errors", "probability"]
    policies = {p["policy"]: p["kept"] for p in sampled.culprit.api("/status")["sampling"]["policies"]}
    assert (policies["latency"], policies["errors"], policies["probability"]) == (2, 1, 1)


def test_verdicts_on_the_request_page(running):
    sampled = Sampled(running, "[errors, {probability: 0.25}]", sampling_decision_wait="500ms")
    kept = otlp.span(b"\1" * 9 + b"\xff" * 7)
    failing = otlp.span(b"\2" * 9 + b"\0" * 7, error=True)
    dropped = otlp.span(b"\3" * 9 + b"\0" * 7, values={"request_id": "dropped-1"})
    assert sampled.client.traces(otlp.traces([kept, failing, dropped])).ok
    assert wait_until(lambda: sampled.verdict(kept), 5, "a verdict")["decision"] in ("waiting", "keep")
    wait_until(lambda: decisions(sampled.culprit) == 3, 10, "three verdicts")
    verdict = wait_until(lambda: sampled.verdict(kept) if sampled.verdict(kept)["decision"] == "keep" else None)
    assert verdict["policy"] == "probability" and verdict["probability"] == 0.25
    verdict = wait_until(lambda: sampled.verdict(failing))
    assert verdict["decision"] == "keep" and verdict["policy"] == "errors" and verdict["probability"] == 1
    # An error in a dropped trace is in the inbox all the same, and its request page says what became of the rest.
    record = otlp.log("no stock", severity=17, values={"request_id": "dropped-1"})
    assert sampled.client.logs(otlp.logs([record])).ok
    issue = sampled.culprit.wait_issue(title="no stock")
    assert issue["count"] == 1
    found = sampled.culprit.find("dropped-1")
    assert found["spans"] == [] and len(found["events"]) == 1


def test_late_spans_follow_the_verdict(running):
    sampled = Sampled(running, "[errors]")
    kept, dropped = otlp.span(error=True), otlp.span()
    assert sampled.send(kept=kept, dropped=dropped) == {"kept"}
    # Late, and turned round: neither an error nor its absence changes what was decided.
    late_kept, late_dropped = otlp.span(kept.trace_id), otlp.span(dropped.trace_id, error=True)
    assert sampled.client.traces(otlp.traces([late_kept, late_dropped])).ok
    wait_until(lambda: sampled.culprit.api("/status")["sampling"]["late"] == 2, 10, "two late spans")
    wait_until(lambda: len(sampled.backend.items()) == 2, 10, "the late span of the kept trace")
    assert {span.span_id for span in sampled.backend.spans()} == {kept.span_id, late_kept.span_id}
    assert len(sampled.culprit.find(kept.trace_id.hex())["spans"]) == 2
    assert kept_by(sampled.culprit, "errors") == 1
    [trace] = sampled.culprit.find(kept.trace_id.hex())["verdict"]["traces"]
    assert trace["decision"] == "keep"


def test_late_spans_follow_the_verdict_after_a_restart(running):
    sampled = Sampled(running, "[errors]")
    kept = otlp.span(error=True)
    assert sampled.send(kept=kept) == {"kept"}
    sampled.culprit.stop()
    culprit = running.start(sampled.culprit.data_dir, backend=sampled.backend, sampling_policies="[errors]")
    late = otlp.span(kept.trace_id)
    assert running.client(culprit).traces(otlp.traces([late])).ok
    wait_until(lambda: late.span_id in {span.span_id for span in sampled.backend.spans()}, 10, "the late span")


def test_logs_share_the_verdict(running):
    """With a trace id the trace's, with only a request id the request's, with neither by severity."""
    culprit = running.start(sampling_policies="[errors]", sampling_decision_wait="300ms")
    client = running.client(culprit)
    kept, dropped = otlp.span(error=True, values={"request_id": "r-kept"}), otlp.span(values={"request_id": "r-gone"})
    records = {}

    def add(name, **options):
        records[name] = otlp.log(name, **options)

    add("trace kept, debug", severity=5, trace_id=kept.trace_id)
    add("trace dropped, warn", severity=13, trace_id=dropped.trace_id)
    add("request kept, debug", severity=5, values={"request_id": "r-kept"})
    add("request dropped, warn", severity=13, values={"request_id": "r-gone"})
    add("alone, warn", severity=13, values={"shelf": "a"})
    add("alone, info", severity=9, values={"shelf": "b"})
    add("alone, unspecified", severity=0)
    add("own request, warn", severity=13, values={"request_id": "r-own"})
    assert client.traces(otlp.traces([kept, dropped])).ok
    assert client.logs(otlp.logs(records.values())).ok

    def settled():
        metrics = culprit.metrics()
        return metrics.sum("culprit_settle_kept_items_total") + metrics.sum(
            "culprit_settle_dropped_items_total") == 2 + len(records)

    wait_until(settled, 10, "everything to be settled")
    metrics = culprit.metrics()
    assert metrics.sum("culprit_settle_kept_items_total", policy="severity") == 2  # alone, warn; own request, warn
    assert metrics.sum("culprit_settle_kept_items_total", policy="errors") == 3  # the span and its two logs
    bodies = sorted(log["body"] for log in culprit.find("r-kept")["logs"])
    assert bodies == ["request kept, debug", "trace kept, debug"]
    # What is dropped is seen until the kept journal holds all before it.
    wait_until(lambda: culprit.find("r-gone")["logs"] == [], 5, "the dropped logs to be gone")
    assert [log["body"] for log in culprit.find("r-own")["logs"]] == ["own request, warn"]


def test_the_severity_of_logs_that_belong_to_nothing(running):
    culprit = running.start(sampling_log_severity="ERROR", sampling_policies="[errors]")
    client = running.client(culprit)
    assert client.logs(otlp.logs([otlp.log("warn", severity=13), otlp.log("error", severity=17)])).ok
    wait_until(lambda: culprit.metrics().sum("culprit_settle_kept_items_total", policy="severity") == 1, 10, "one kept")
    wait_until(lambda: culprit.metrics().sum("culprit_settle_dropped_items_total") == 1, 10, "one dropped")


def test_the_threshold_is_written_on_kept_spans(running):
    """The least strict of all policies that kept the trace counts; an error was certain and changes nothing."""
    sampled = Sampled(running, "[errors, {probability: 0.5}]")
    high = otlp.span(b"\4" * 9 + b"\xff" * 7, trace_state="vendor=1")
    failed = otlp.span(b"\5" * 9 + b"\xff" * 7, error=True, trace_state="vendor=1")
    assert sampled.send(high=high, failed=failed) == {"high", "failed"}
    states = {sampled.names[span.trace_id]: span.trace_state for span in sampled.backend.spans()}
    assert states == {"high": "ot=th:8,vendor=1", "failed": "vendor=1"}
    [shown] = sampled.culprit.find(high.trace_id.hex())["spans"]
    assert shown["trace_state"] == "ot=th:8,vendor=1"
    # Beside its tracestate the span is the one that was sent.
    [arrived] = [span for span in sampled.backend.spans() if span.trace_id == high.trace_id]
    arrived.trace_state = high.trace_state
    assert arrived == high
