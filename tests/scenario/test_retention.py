# SPDX-License-Identifier: Apache-2.0
"""retention.*: what is older goes, what is younger stays. Age is the time since something was received, so the old
things here are written by an instance whose clock is days behind; the durations are the defaults."""
import os

import otlp_messages as otlp
from sentry_messages import Sender, envelope, full_event, item, new_event_id
from waiting import wait_until

EVENTS_DAYS, REQUESTS_DAYS = 30, 7
WORDS = "it broke, and nobody told me why"


def error(kind):
    return otlp.log("failed", severity=17, values={"exception.type": kind, "exception.message": "no shelf"})


def of_issue(culprit, issue):
    return [event["event_id"] for event in culprit.events_of(issue)]


def send_errors(running, culprit, *kinds):
    """One OTLP error a kind, and one event of an SDK with a file and a user's words; the SDK's event id."""
    assert running.client(culprit).logs(otlp.logs([error(kind) for kind in kinds])).ok
    event_id, sender = new_event_id(), Sender(culprit)
    event = full_event(exception={"values": [{"type": f"Sdk{kinds[0]}", "value": "no shelf"}]})
    said = {"event_id": event_id, "name": "Jane", "email": "jane@people.example", "comments": WORDS}
    code, _, _ = sender.post(envelope(item("event", event), item("attachment", b"a file", filename="a.txt"),
                                      item("user_report", said), event_id=event_id))
    sender.close()
    assert code == 200
    for kind in (*kinds, f"Sdk{kinds[0]}"):
        wait_until(lambda kind=kind: named(culprit, kind), 10, f"an issue of {kind}")
    wait_until(lambda: culprit.event(event_id)["attachments"] and culprit.event(event_id)["feedback"], 10, "the file")
    return event_id


def named(culprit, kind):
    found = [issue for issue in culprit.issues() if issue["type"] == kind]
    return found[0] if found else None


def test_old_errors_go_and_young_ones_stay(running, wall_clock):
    culprit = running.start(variables=wall_clock(days=-EVENTS_DAYS - 1))
    old_id = send_errors(running, culprit, "Old", "Both")
    old_events = of_issue(culprit, named(culprit, "Both"))
    culprit.stop()

    culprit = running.start(culprit.data_dir, variables=wall_clock(days=-EVENTS_DAYS + 1))
    young_id = send_errors(running, culprit, "Young", "Both")
    wait_until(lambda: named(culprit, "Both")["count"] == 2, 10, "the same error again")
    assert culprit.metrics().sum("culprit_inbox_expired_events_total") == 0 and named(culprit, "Old")
    culprit.stop()

    culprit = running.start(culprit.data_dir)
    wait_until(lambda: not named(culprit, "Old"), 10, "the old issue gone")
    assert sorted(issue["type"] for issue in culprit.issues()) == ["Both", "SdkYoung", "Young"]
    assert culprit.metrics().sum("culprit_inbox_expired_events_total") == 3
    status = culprit.api("/status")
    assert status["store"]["issues"] == 3 and status["inbox"]["issues"] == 0, "none of them was made since the start"
    # An issue of old and young events is what it was, with its young ones.
    both = named(culprit, "Both")
    assert both["count"] == 2 and len(of_issue(culprit, both)) == 1
    assert not set(of_issue(culprit, both)) & set(old_events)
    for gone in (old_id, *old_events):
        culprit.api(f"/events/{gone}", code=404)
    culprit.api(f"/events/{old_id}/attachments", code=404)
    young = culprit.event(young_id)
    assert [file["filename"] for file in young["attachments"]] == ["a.txt"] and len(young["feedback"]) == 1
    assert [said["event_id"] for said in culprit.api("/feedback")["feedback"]] == [young_id]
    # What comes now is a new issue.
    assert running.client(culprit).logs(otlp.logs([error("Old")])).ok
    assert culprit.wait_issue(type="Old")["count"] == 1


def send_request(running, culprit):
    """A request that fills a segment, so that it goes alone: segments go whole, when all in them is old."""
    trace_id = otlp.new_trace_id()
    client = running.client(culprit)
    assert client.traces(otlp.traces([otlp.span(trace_id, values={"noise": os.urandom(100_000)})])).ok
    assert client.logs(otlp.logs([otlp.log("a line", severity=13, trace_id=trace_id)])).ok
    wait_until(lambda: culprit.find(trace_id.hex())["verdict"]["decision"] == "keep", 10, "a verdict")
    wait_until(lambda: culprit.metrics().sum("culprit_journal_lag_records", reader="settle") == 0, 10, "all settled")
    return trace_id.hex()


def kept(culprit, trace_id):
    found = culprit.find(trace_id)
    return len(found["spans"]), len(found["logs"])


def test_old_requests_go_when_they_are_delivered_and_young_ones_stay(running, wall_clock):
    backend = running.backend()
    backend.stop()
    small = {"backend": backend, "journal_segment_bytes": "64KiB", "exporters_otlp_max_backoff": "100ms"}
    culprit = running.start(variables=wall_clock(days=-REQUESTS_DAYS - 1), **small)
    old = [send_request(running, culprit) for _ in range(3)]
    culprit.stop()

    culprit = running.start(culprit.data_dir, variables=wall_clock(days=-REQUESTS_DAYS + 1), **small)
    young = [send_request(running, culprit) for _ in range(3)]
    culprit.stop()

    # Too old, but the backend has not had it: nothing goes.
    culprit = running.start(culprit.data_dir, **small)
    last = send_request(running, culprit)
    wait_until(lambda: culprit.api("/status")["exporters"][0]["retried"] > 1, 20, "a try in vain")
    assert [kept(culprit, trace_id) for trace_id in (*old, *young, last)] == [(1, 1)] * 7

    backend.start()
    wait_until(lambda: len(backend.spans()) == 7, 20, "every span at the backend")
    assert {span.trace_id.hex() for span in backend.spans()} == {*old, *young, last}
    wait_until(lambda: kept(culprit, old[0]) == (0, 0), 20, "the old requests gone")
    wait_until(lambda: kept(culprit, old[1]) == (0, 0), 20, "the next one too")
    assert [kept(culprit, trace_id) for trace_id in (*young, last)] == [(1, 1)] * 4
