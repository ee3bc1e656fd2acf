# SPDX-License-Identifier: Apache-2.0
"""A request id finds everything of its request: wherever the id was written, across services, and after the index files
are gone."""
import json

import pytest

import otlp_messages as otlp
from waiting import wait_until

# The documented defaults, best first (culprit config prints the same list).
DEFAULTS = [
    "http.request.header.x-request-id", "http.response.header.x-request-id", "http.request.header.x_request_id",
    "http.response.header.x_request_id", "http.request.header.x-correlation-id",
    "http.response.header.x-correlation-id", "aws.request_id", "azure.service.request.id", "jsonrpc.request.id",
    "request_id", "request.id", "requestId", "requestID", "http.request_id", "http.request.id", "x_request_id",
    "x-request-id", "correlation_id", "correlation.id", "correlationId",
]
FORMS = {"string": lambda request_id: request_id, "array": lambda request_id: [request_id]}


@pytest.fixture(scope="module")
def culprit(shared):
    return shared.start()


@pytest.fixture(scope="module")
def client(shared, culprit):
    return shared.client(culprit)


def on_span(key, value):
    return "spans", otlp.span(values={"other": 1, key: value})


def on_span_event(key, value):
    return "spans", otlp.span(events=[otlp.span_event("note", **{key: value})])


def on_log(key, value):
    return "logs", otlp.log("text", severity=13, values={"other": 1, key: value})


def in_body_map(key, value):
    return "logs", otlp.log({"text": "structured", key: value}, severity=13)


def in_body_json(key, value):
    return "logs", otlp.log(json.dumps({"text": "structured", key: value}), severity=13)


@pytest.mark.parametrize("place", [on_span, on_span_event, on_log, in_body_map, in_body_json])
def test_default_attributes(culprit, client, place):
    items, ids = {"spans": [], "logs": []}, {}
    for key in DEFAULTS:
        for form, value in FORMS.items():
            request_id = otlp.new_request_id(place.__name__)
            kind, item = place(key, value(request_id))
            items[kind].append(item)
            ids[request_id] = (key, form, kind)
    if items["spans"]:
        assert client.traces(otlp.traces(items["spans"])).ok
    if items["logs"]:
        assert client.logs(otlp.logs(items["logs"])).ok
    for request_id, (key, form, kind) in ids.items():
        found = wait_until(lambda: culprit.find(request_id) if culprit.find(request_id)[kind] else None, 5,
                           f"{kind} by {key} as {form}")
        assert len(found[kind]) == 1, (key, form)
        assert found["request_ids"] == [request_id], (key, form)


def test_the_defaults_are_the_documented_ones(culprit):
    from culprit_process import run

    code, text, _ = run("config")
    assert code == 0
    assert all(f'"{key}"' in text for key in DEFAULTS)


def test_configured_attributes_replace_the_defaults(running):
    culprit = running.start(correlation_request_id_attributes="[order.id, session.id]")
    client = running.client(culprit)
    both = otlp.span(values={"session.id": "s-1", "order.id": "o-1", "request_id": "r-1"})
    only = otlp.span(values={"session.id": "s-2"})
    assert client.traces(otlp.traces([both, only])).ok
    wait_until(lambda: culprit.find("o-1")["spans"] and culprit.find("s-2")["spans"], 5, "both")
    assert culprit.find("s-1")["spans"] == [] and culprit.find("r-1")["spans"] == []  # the best one only


@pytest.mark.parametrize("odd", ["a/b?c=d&e#f", "\u00e4\u4e2d \U0001f600", "x" * 200, "00000000-0000-4000-8000-000000000000"])
def test_unusual_ids(culprit, client, odd):
    request_id = odd + otlp.new_request_id("")[:40] if len(odd) < 200 else odd
    assert client.traces(otlp.traces([otlp.span(values={"request_id": f"  {request_id} "})])).ok
    found = wait_until(lambda: culprit.find(request_id) if culprit.find(request_id)["spans"] else None, 5, "the span")
    assert found["request_ids"] == [request_id]


@pytest.mark.parametrize("bad", ["", "  ", "a\nb", 7, ["", 7], [], {"a": "b"}, None], ids=str)
def test_what_is_no_id(culprit, client, bad):
    """The next key in the list is taken instead."""
    request_id = otlp.new_request_id()
    values = {"http.request.header.x-request-id": bad, "request_id": request_id}
    assert client.traces(otlp.traces([otlp.span(values=values)])).ok
    wait_until(lambda: culprit.find(request_id)["spans"], 5, "the span")


def send_request(client, request_id):
    """One request over three services and two traces; what each id alone must find."""
    web, jobs = otlp.new_trace_id(), otlp.new_trace_id()
    front = otlp.span(web, "GET /pay", kind=2, values={"http.request.header.x-request-id": [request_id]})
    back = otlp.span(web, "charge", parent=front.span_id, error=True,
                     events=[otlp.exception_event("CardError", "declined " + request_id)])
    job = otlp.span(jobs, "mail", values={"correlation_id": request_id})
    job_child = otlp.span(jobs, "smtp", parent=job.span_id)
    assert client.traces(otlp.traces([back], "billing")).ok  # before its root
    assert client.traces(otlp.traces([front], "front")).ok
    assert client.traces(otlp.traces([job, job_child], "mailer")).ok
    assert client.logs(otlp.logs([otlp.log("by trace only", severity=9, trace_id=web)], "front")).ok
    assert client.logs(otlp.logs([otlp.log("by request only", severity=13, values={"request_id": request_id})],
                                 "gateway")).ok
    assert client.logs(otlp.logs([otlp.log("by both", severity=9, trace_id=jobs, values={"request_id": request_id})],
                                 "mailer")).ok
    return web.hex(), jobs.hex()


def is_whole(found, request_id, web, jobs):
    assert sorted(span["name"] for span in found["spans"]) == ["GET /pay", "charge", "mail", "smtp"]
    assert sorted(log["body"] for log in found["logs"]) == ["by both", "by request only", "by trace only"]
    assert {span["service"] for span in found["spans"]} == {"front", "billing", "mailer"}
    assert found["request_ids"] == [request_id] and sorted(found["trace_ids"]) == sorted([web, jobs])
    assert [event["title"] for event in found["events"]] == [f"CardError: declined {request_id}"]
    starts = [int(span["start_ns"]) for span in found["spans"]]
    times = [int(log["time_ns"]) for log in found["logs"]]
    assert starts == sorted(starts) and times == sorted(times)
    return True


def test_a_request_across_services_and_traces(culprit, client):
    request_id = otlp.new_request_id()
    web, jobs = send_request(client, request_id)
    for any_id in (request_id, web, jobs, web.upper()):
        wait_until(lambda: is_whole(culprit.find(any_id), request_id, web, jobs), 5, f"the whole request by {any_id}")
    neighbour = otlp.new_request_id()
    assert culprit.find(neighbour)["spans"] == []


def test_index_files_are_rebuilt(running):
    culprit = running.start(journal_segment_bytes="64KiB")
    client = running.client(culprit)
    request_id = otlp.new_request_id()
    web, jobs = send_request(client, request_id)
    wait_until(lambda: is_whole(culprit.find(request_id), request_id, web, jobs), 5, "the request")
    filler = {f"key{i}": otlp.new_request_id("filler") * 4 for i in range(40)}
    kept = culprit.data_dir / "journal" / "kept"

    def indexes():
        return [path for path in kept.iterdir() if path.suffix not in (".seg", ".journal") and path.stat().st_size]

    before = set(kept.iterdir())
    for _ in range(60):  # until its segment is sealed and has an index file
        assert client.traces(otlp.traces([otlp.span(values=filler) for _ in range(20)])).ok
    wait_until(lambda: len(set(kept.iterdir()) - before) >= 3, 10, "sealed segments")
    wait_until(lambda: is_whole(culprit.find(request_id), request_id, web, jobs), 5, "the request from a sealed segment")
    culprit.stop()
    files = sorted(path.name for path in kept.iterdir())
    by_kind = {}
    for path in kept.iterdir():
        by_kind.setdefault(path.suffix, []).append(path)
    assert len(by_kind) >= 2, files
    segments = max(by_kind, key=lambda kind: sum(path.stat().st_size for path in by_kind[kind]))
    removed = [path for kind, paths in by_kind.items() if kind != segments for path in paths]
    assert removed
    removed[0].write_bytes(b"damaged")  # one damaged, the others gone
    for path in removed[1:]:
        path.unlink()
    culprit = running.start(culprit.data_dir)
    wait_until(lambda: is_whole(culprit.find(request_id), request_id, web, jobs), 10, "the request after the rebuild")
    for any_id in (web, jobs):
        assert is_whole(culprit.find(any_id), request_id, web, jobs)


def test_an_id_nobody_knows(culprit):
    answer = culprit.api("/requests/nobody-knows-this", code=404)
    assert answer["error"]["status"] and answer["error"]["message"]
