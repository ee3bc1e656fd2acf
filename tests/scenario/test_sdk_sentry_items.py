# SPDX-License-Identifier: Apache-2.0
"""What Sentry SDKs send beside events: attachments, words of people, what the SDK threw away, sessions; by the real
Python SDK, and by envelopes of our own where a test must know every byte."""
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from culprit_process import run
from otlp_messages import new_request_id
from waiting import FACTOR, wait_until

PYTHON = Path(__file__).parent / "python"


def dsn_of(culprit):
    code, printed, _ = run("project", "list", data_dir=culprit.data_dir)
    assert code == 0
    return printed.splitlines()[0].split()[2]


def application(culprit, word, *steps):
    """Runs items_sentry.py to its end; what it told, one dictionary a step."""
    environment = {**os.environ, "SENTRY_DSN": dsn_of(culprit), "WORD": word}
    done = subprocess.run([sys.executable, str(PYTHON / "items_sentry.py"), *steps], env=environment,
                          capture_output=True, text=True, timeout=60 * FACTOR, check=False)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert told[-1] == {"done": True}
    return told[:-1]


def send(culprit, header, *items, path="/api/1/envelope/"):
    """items: (item header, payload bytes)."""
    lines = [json.dumps(header).encode()]
    for item, payload in items:
        lines += [json.dumps({**item, "length": len(payload)}).encode(), payload]
    key = dsn_of(culprit).split("//")[1].split("@")[0]
    headers = {"X-Sentry-Auth": f"Sentry sentry_version=7, sentry_key={key}"}
    code, _, reply = culprit.request("POST", path, b"\n".join(lines), headers, address=culprit.http)
    return code, json.loads(reply)


def download(culprit, event_id, attachment, code=200):
    path = f"/api/v1/events/{event_id}/attachments/{attachment['id']}"
    status, headers, body = culprit.request("GET", path)
    assert status == code, body
    return headers, body


def wait_event(culprit, event_id, **what):
    """The event, once the members named are not empty any more."""

    def complete():
        status, _, body = culprit.request("GET", f"/api/v1/events/{event_id}")
        assert status == 200, body
        event = json.loads(body)
        assert all(len(event[name]) >= count for name, count in what.items()), event
        return event

    return wait_until(complete, 10, f"event {event_id} with {what}")


@pytest.fixture(scope="module")
def culprit(shared):
    return shared.start()


def test_attachments_of_the_sdk(culprit):
    word = new_request_id("word")
    [told] = application(culprit, word, "attachments")
    event = wait_event(culprit, told["event_id"], attachments=4)
    assert event["title"] == f"RuntimeError: attached {word}"
    binary, source, page, core = event["attachments"]
    assert culprit.api(f"/events/{told['event_id']}/attachments")["attachments"] == event["attachments"]

    assert (binary["filename"], binary["bytes"], binary["kept"], binary["reason"]) == ("bytes.bin", 2048, True, None)
    headers, body = download(culprit, told["event_id"], binary)
    assert body == bytes(range(256)) * 8
    assert headers["Content-Type"] == "application/octet-stream" and headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Disposition"] == "attachment; filename=\"bytes.bin\"; filename*=UTF-8''bytes.bin"
    assert headers["Content-Security-Policy"].startswith("sandbox")

    assert source["filename"] == "items_sentry.py" and source["content_type"] == "text/x-python"
    # Text is scrubbed: of this file the lines with addresses and a token, no other.
    lines = (PYTHON / "items_sentry.py").read_text().splitlines()
    kept = download(culprit, told["event_id"], source)[1].decode().splitlines()
    assert source["scrubbed"] is True and binary["scrubbed"] is page["scrubbed"] is False
    assert len(kept) == len(lines)
    for was, now in zip(lines, kept):
        assert (now != was) == ("@people" in was or "?token=" in was), now

    headers, body = download(culprit, told["event_id"], page)
    assert page["content_type"] == "text/html" and headers["Content-Type"] == "application/octet-stream"
    assert body == b"<script>alert(1)</script>"

    assert core["kept"] is False and core["bytes"] == 3 << 20
    assert core["reason"] == "3 MiB are over the limit of 1 MiB (sentry.attachment_max_bytes)"
    download(culprit, told["event_id"], core, code=404)
    download(culprit, uuid.uuid4().hex, binary, code=404)
    culprit.api(f"/events/{uuid.uuid4().hex}/attachments", code=404)
    culprit.api("/events/nope/attachments", code=400)


def test_text_is_scrubbed_before_it_is_written(running):
    """By its type, its name, or its looks; what is no text, or of a project that does not scrub, stays as it came."""
    culprit = running.start()
    secret = "hunter2canary"
    log = f"10:15 start\nDB_PASSWORD={secret}\n10:16 GET https://shop.example/?token={secret} 200\n10:17 end\n".encode()
    scrubbed_log = b"10:15 start\nDB_PASSWORD=[Filtered]\n[Filtered]\n10:17 end\n"
    state = json.dumps({"user": {"api_key": secret, "name": "jane"}, "n": [1, 2.5]}, indent=1).encode()
    lines = f'{{"level": "info"}}\n{{"level": "info", "secret": "{secret}"}}\n'.encode()
    sent = {
        "worker.log": ("application/octet-stream", log, scrubbed_log),
        "plain": ("text/plain; charset=utf-8", log, scrubbed_log),
        "unknown": (None, log, scrubbed_log),
        "state.json": ("application/json", state, b'{"user":{"api_key":"[Filtered]","name":"jane"},"n":[1,2.5]}'),
        "events": ("application/x-ndjson", lines, b'{"level": "info"}\n{"level":"info","secret":"[Filtered]"}\n'),
        "clean.txt": ("text/plain", b"nothing\r\nto  hide", b"nothing\r\nto  hide"),
        "picture.png": ("image/png", b"\x89PNG\0password: x", b"\x89PNG\0password: x"),
    }
    event_id = uuid.uuid4().hex
    items = [({"type": "event"}, json.dumps({"message": "with files", "event_id": event_id}).encode())]
    items += [({"type": "attachment", "filename": name, **({"content_type": kind} if kind else {})}, data)
              for name, (kind, data, _) in sent.items()]
    assert send(culprit, {"event_id": event_id}, *items)[0] == 200
    event = wait_event(culprit, event_id, attachments=len(sent))
    for attachment in event["attachments"]:
        _, data, kept = sent[attachment["filename"]]
        assert download(culprit, event_id, attachment)[1] == kept
        assert (attachment["bytes"], attachment["scrubbed"]) == (len(kept), kept != data)

    body = json.dumps({"settings": {"scrub": {"enabled": False}}}).encode()
    status, _, _ = culprit.request("PATCH", "/api/v1/projects/default", body, {"Content-Type": "application/json"})
    assert status == 200
    raw_id = uuid.uuid4().hex
    raw = ({"type": "attachment", "filename": "a.txt"}, b"password: none of ours")
    assert send(culprit, {"event_id": raw_id}, ({"type": "event"}, b'{"message":"raw"}'), raw)[0] == 200
    [attachment] = wait_event(culprit, raw_id, attachments=1)["attachments"]
    assert download(culprit, raw_id, attachment)[1] == raw[1] and attachment["scrubbed"] is False
    culprit.stop()
    for path in culprit.data_dir.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_a_user_report(culprit):
    word = new_request_id("word")
    [told] = application(culprit, word, "user_report")
    event = wait_event(culprit, told["event_id"], feedback=1)
    [said] = event["feedback"]
    assert said["kind"] == "user_report" and said["event_id"] == told["event_id"]
    assert said["issue_id"] == event["issue"]["id"]
    assert said["name"] == "Jane Doe" and said["email"] == "jane@people.example"  # given so that somebody may answer
    assert said["message"] == f"it broke {word}, write to [email]"  # a text for people, scrubbed like one
    assert culprit.api(f"/issues/{event['issue']['id']}/feedback") == {"feedback": [said], "next": None}


def test_feedback(culprit):
    word = new_request_id("word")
    issues = len(culprit.issues())
    [told] = application(culprit, word, "feedback")
    event = wait_event(culprit, told["event_id"], feedback=1)
    [said] = event["feedback"]
    assert said["id"] == told["feedback_id"] and said["kind"] == "feedback"
    assert said["message"] == f"it is slow {word}" and said["name"] == "Joe"
    assert said["email"] == "joe@people.example" and said["url"] == "http://shop.example/cart?token=[Filtered]"
    assert culprit.api(f"/issues/{event['issue']['id']}/feedback")["feedback"] == [said]
    [screen] = culprit.api(f"/events/{said['id']}/attachments")["attachments"]
    assert screen["filename"] == "screen.png"
    headers, body = download(culprit, said["id"], screen)
    assert headers["Content-Type"] == "image/png" and body == b"\x89PNG picture"

    # One that is of no event is found with its project; neither is an error.
    mine = [f for f in culprit.api("/feedback", project="default", limit=200)["feedback"] if word in f["message"]]
    assert [f["id"] for f in mine] == [told["alone_id"], told["feedback_id"]]
    assert mine[0]["event_id"] is None and mine[0]["issue_id"] is None
    assert culprit.api("/feedback", project="nobody", code=400)["error"]["field"] == "project"
    first = culprit.api("/feedback", limit=1)
    second = culprit.api("/feedback", limit=1, cursor=first["next"])
    assert first["feedback"] != second["feedback"]
    assert len(culprit.issues()) == issues + 1  # of the event that the feedback is about
    assert culprit.api(f"/events/{told['feedback_id']}", code=404)


def test_the_sdk_says_what_it_threw_away(culprit):
    word = new_request_id("word")
    application(culprit, word, "discards")

    def told():
        return {(report["reason"], report["category"]): report
                for report in culprit.api("/status")["client_reports"] if report["project"] == "default"}

    report = wait_until(lambda: told().get(("before_send", "error")), 10, "the client report")
    assert report["quantity"] == 7 and report["quantity_24h"] == 7 and report["since"].endswith(":00:00.000000000Z")
    metrics = culprit.metrics()
    assert metrics.sum("culprit_sentry_client_discarded_total", reason="before_send") == 7
    assert metrics.sum("culprit_sentry_items_total", type="client_report", outcome="accepted") == 1


def test_sessions_and_check_ins_are_counted(culprit):
    application(culprit, "x", "session")
    key = dsn_of(culprit).split("//")[1].split("@")[0]
    code, _, _ = culprit.request("POST", f"/api/1/cron/nightly/{key}/?status=ok", b"", address=culprit.http)
    assert code == 202
    items = wait_until(lambda: (found := culprit.api("/status")["items"]).get("session") and found, 10, "the session")
    assert items["session"] == 1 and items["check_in"] == 1
    assert culprit.metrics().sum("culprit_sentry_items_total", type="session", outcome="discarded") == 1


def test_an_upload_for_an_event_that_was_sent(culprit):
    event_id = uuid.uuid4().hex
    body = (b'--x\r\nContent-Disposition: form-data; name="f"; filename="later.txt"\r\nContent-Type: text/plain\r\n\r\n'
            b"later\r\n--x--\r\n")
    key = dsn_of(culprit).split("//")[1].split("@")[0]
    headers = {"X-Sentry-Auth": f"Sentry sentry_key={key}", "Content-Type": "multipart/form-data; boundary=x"}
    # The upload may come first: it waits for its event.
    code, _, _ = culprit.request("POST", f"/api/1/events/{event_id}/attachments/", body, headers, address=culprit.http)
    assert code == 201
    found = wait_until(lambda: culprit.request("GET", f"/api/v1/events/{event_id}/attachments")[0] == 200, 10)
    assert found
    assert send(culprit, {"event_id": event_id}, ({"type": "event"}, b'{"message":"uploaded"}'))[0] == 200
    event = wait_event(culprit, event_id, attachments=1)
    headers, body = download(culprit, event_id, event["attachments"][0])
    assert body == b"later" and headers["Content-Type"] == "text/plain"


def test_what_was_acknowledged_survives_kill(running):
    culprit = running.start()
    sent = []
    for number in range(20):
        event_id = uuid.uuid4().hex
        payload = os.urandom(20000)
        report = json.dumps({"event_id": event_id, "comments": f"words {number}"}).encode()
        drops = json.dumps({"discarded_events": [{"reason": "sample_rate", "category": "error", "quantity": 3}]})
        code, _ = send(culprit, {"event_id": event_id}, ({"type": "event"}, b'{"message":"killed"}'),
                       ({"type": "attachment", "filename": "a"}, payload), ({"type": "user_report"}, report),
                       ({"type": "client_report"}, drops.encode()))
        assert code == 200
        sent.append((event_id, payload))
        if number == 9:
            culprit.kill()
            culprit = running.start(culprit.data_dir)
    culprit.kill()
    again = running.start(culprit.data_dir)
    for number, (event_id, payload) in enumerate(sent):
        event = wait_event(again, event_id, attachments=1, feedback=1)
        [attachment], [said] = event["attachments"], event["feedback"]
        assert download(again, event_id, attachment)[1] == payload
        assert said["message"] == f"words {number}"
    wait_until(lambda: again.api("/status")["inbox"]["lag_records"] == 0, 10, "the inbox to catch up")
    [report] = again.api("/status")["client_reports"]
    assert report["quantity"] == 60  # each once


def test_attachments_have_a_size_and_a_budget(running):
    culprit = running.start(sentry_attachment_max_bytes="64KiB", store_attachments_max_bytes="256KiB")
    events = []
    for number in range(8):
        event_id = uuid.uuid4().hex
        assert send(culprit, {"event_id": event_id}, ({"type": "event"}, b'{"message":"budget"}'),
                    ({"type": "attachment", "filename": "noise"}, os.urandom(60000)),
                    ({"type": "attachment", "filename": "large"}, b"x" * 65537))[0] == 200
        events.append(event_id)
    wait_event(culprit, events[-1], attachments=2)
    kept = [[a["kept"] for a in culprit.event(event_id)["attachments"]] for event_id in events]
    assert all(large is False for _, large in kept)
    assert [noise for noise, _ in kept] == sorted(noise for noise, _ in kept)  # the oldest went first
    assert 3 <= sum(noise for noise, _ in kept) <= 4
    oldest = culprit.event(events[0])["attachments"]
    assert "store.attachments_max_bytes" in oldest[0]["reason"] and "64 KiB" in oldest[1]["reason"]
    metrics = culprit.metrics()
    assert metrics.sum("culprit_inbox_attachments_total", outcome="evicted") >= 4


def test_none_is_kept_when_so_configured(running):
    culprit = running.start(sentry_attachment_max_bytes="0")
    event_id = uuid.uuid4().hex
    assert send(culprit, {"event_id": event_id}, ({"type": "event"}, b'{"message":"none"}'),
                ({"type": "attachment", "filename": "a"}, b"x"))[0] == 200
    [attachment] = wait_event(culprit, event_id, attachments=1)["attachments"]
    assert attachment["kept"] is False and attachment["bytes"] == 1
