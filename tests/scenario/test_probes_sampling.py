# SPDX-License-Identifier: Apache-2.0
"""P17: consistent probability sampling (OpenTelemetry "TraceState: Probability Sampling"), seen at the backend. One
instance keeps a quarter: T = c followed by zeros; a trace is kept if R >= T."""
import os

import pytest

import otlp_messages as otlp
from waiting import wait_until

QUARTER = 0xC0000000000000
KEPT_ID, DROPPED_ID = QUARTER, QUARTER - 1


@pytest.fixture(scope="module")
def backend(shared):
    return shared.backend()


@pytest.fixture(scope="module")
def culprit(shared, backend):
    return shared.start(backend=backend, sampling_policies="[{probability: 0.25}]")


@pytest.fixture(scope="module")
def client(shared, culprit):
    return shared.client(culprit)


def trace_id_of(randomness):
    """A trace id whose last 56 bits are the randomness, and whose first 9 bytes are unique."""
    return b"\x17" + otlp.new_trace_id()[8:] + randomness.to_bytes(7, "big")


def forwarded_states(culprit, backend, client, states, randomness=KEPT_ID):
    """Sends a trace per tracestate, in one request, and waits until each has its verdict. Returns the tracestates of
    the forwarded spans, None where the trace was dropped."""
    ids = [trace_id_of(randomness) for _ in states]
    assert client.traces(otlp.traces([otlp.span(i, trace_state=s) for i, s in zip(ids, states)])).ok
    marker = trace_id_of(KEPT_ID)  # forwarded behind the others: then these are decided
    assert client.traces(otlp.traces([otlp.span(marker)])).ok

    def found():
        spans = {span.trace_id: span.trace_state for span in backend.spans()}
        return spans if marker in spans else None

    spans = wait_until(found, 5, "the marker behind them")
    return [spans.get(i) for i in ids]


def one(culprit, backend, client, state, **options):
    return forwarded_states(culprit, backend, client, [state], **options)[0]


def test_p17_threshold_divides_by_the_trace_id(culprit, backend, client):
    assert one(culprit, backend, client, "", randomness=KEPT_ID) == "ot=th:c"
    assert one(culprit, backend, client, "", randomness=DROPPED_ID) is None


def test_p17_explicit_randomness_comes_first(culprit, backend, client):
    states = ["ot=rv:c0000000000000", "ot=rv:bfffffffffffff", "ot=rv:ffffffffffffff"]
    found = forwarded_states(culprit, backend, client, states, randomness=0)
    assert found == ["ot=th:c;rv:c0000000000000", None, "ot=th:c;rv:ffffffffffffff"] or \
        found == ["ot=rv:c0000000000000;th:c", None, "ot=rv:ffffffffffffff;th:c"]
    assert one(culprit, backend, client, "ot=rv:bfffffffffffff", randomness=KEPT_ID) is None


@pytest.mark.parametrize("incoming, outgoing", [
    ("ot=th:0", "ot=th:c"), ("ot=th:8", "ot=th:c"), ("ot=th:c", "ot=th:c"), ("ot=th:bfffffffffffff", "ot=th:c"),
    ("ot=th:c00000000000", "ot=th:c00000000000"), ("ot=th:c000000001", "ot=th:c000000001"),
    ("ot=th:fd70a4", "ot=th:fd70a4"), ("ot=th:e", "ot=th:e"),
])
def test_p17_the_threshold_is_only_ever_raised(culprit, backend, client, incoming, outgoing):
    assert one(culprit, backend, client, incoming, randomness=0xFFFFFFFFFFFFFF) == outgoing


@pytest.mark.parametrize("incoming", ["ot=th:xyz", "ot=th:", "ot=th:C", "ot=th:123456789abcdef", "ot=th", "ot="])
def test_p17_a_malformed_threshold_counts_as_none(culprit, backend, client, incoming):
    assert one(culprit, backend, client, incoming) == "ot=th:c"


@pytest.mark.parametrize("incoming", ["ot=rv:ffff", "ot=rv:FFFFFFFFFFFFFF", "ot=rv:fffffffffffffff", "ot=rv:"])
def test_p17_malformed_randomness_counts_as_none(culprit, backend, client, incoming):
    assert one(culprit, backend, client, incoming, randomness=DROPPED_ID) is None
    assert "th:c" in one(culprit, backend, client, incoming, randomness=KEPT_ID)


def test_p17_other_vendors_and_sub_keys_are_kept(culprit, backend, client):
    found = one(culprit, backend, client, "congo=t61rcWkgMzE,ot=th:8;x:1;zz:a-b,rojo=00f067aa0ba902b7")
    members = found.split(",")
    assert members[0].startswith("ot=")  # a changed member moves to the front (W3C)
    assert members[1:] == ["congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7"]
    assert sorted(members[0][3:].split(";")) == ["th:c", "x:1", "zz:a-b"]
    untouched = "congo=t61rcWkgMzE,ot=th:e;x:1,rojo=00f067aa0ba902b7"
    assert one(culprit, backend, client, untouched, randomness=0xFFFFFFFFFFFFFF) == untouched


def test_p17_the_256_character_limit(culprit, backend, client):
    room = "x:" + "a" * 200
    assert "th:c" in one(culprit, backend, client, "ot=" + room)
    full = "ot=x:" + "a" * 254  # 256 characters: no room for a threshold, the text stays as it is
    assert one(culprit, backend, client, full) == full
    over = "ot=x:" + "a" * 300 + ";th:8"
    assert one(culprit, backend, client, over) == over


def test_p17_the_share_that_is_kept(running):
    """Of many random traces a tenth passes, and it is the tenth with the highest randomness."""
    culprit = running.start(sampling_policies="[{probability: 0.1}]")
    client = running.client(culprit)
    spans = [otlp.span(os.urandom(16)) for _ in range(4000)]
    assert client.traces(otlp.traces(spans)).ok

    def decided():
        metrics = culprit.metrics()
        kept = metrics.sum("culprit_sampling_kept_traces_total", policy="probability")
        return kept if kept + metrics.sum("culprit_sampling_dropped_traces_total") == 4000 else None

    kept = wait_until(decided, 10, "4000 verdicts")
    threshold = (1 << 56) - (1 << 56) // 10
    assert kept == sum(int.from_bytes(span.trace_id[9:], "big") >= threshold for span in spans)
    assert 300 < kept < 500
