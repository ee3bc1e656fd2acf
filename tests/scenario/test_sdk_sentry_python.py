# SPDX-License-Identifier: Apache-2.0
"""An application that has Sentry's Python SDK changes its DSN and nothing else; and envelopes of our own where a test
must know every byte."""
import gzip
import json
import sys
import uuid
from pathlib import Path

import pytest

from application import Application, get, is_alive
from culprit_process import run
from otlp_messages import new_request_id
from waiting import wait_until

FOLDER = Path(__file__).parent / "python"
COMMANDS = Path(sys.executable).parent


def dsn_of(culprit, project="default"):
    code, printed, _ = run("project", "list", data_dir=culprit.data_dir)
    assert code == 0
    [dsn] = [line.split()[2] for line in printed.splitlines() if line.split()[1] == project]
    return dsn


class Shop:
    def __init__(self, shared):
        self.backend = shared.backend()
        self.culprit = shared.start(backend=self.backend, sampling_decision_wait="1s")
        self.dsn = dsn_of(self.culprit)
        command = [str(COMMANDS / "uvicorn"), "shop_sentry:app", "--port", "0"]
        shared.closable.append(Application(command, {"SENTRY_DSN": self.dsn}, FOLDER, is_alive))
        self.port = shared.closable[-1].port()

    def get(self, path, request_id):
        return get(self.port, path, {"x-request-id": request_id})

    def event(self, **fields):
        issue = self.culprit.wait_issue(10, **fields)
        return issue, self.culprit.event(self.culprit.api(f"/issues/{issue['id']}")["latest_event"])


@pytest.fixture(scope="module")
def shop(shared):
    return Shop(shared)


def test_an_exception_is_an_issue_with_all_the_sdk_knows(shop):
    item, request_id = new_request_id("item"), new_request_id()
    assert shop.get(f"/price/{item}", request_id)[0] == 500
    title = f"ValueError: no price for {item} among 2"
    issue, event = shop.event(title=title)
    assert issue["count"] == 1 and issue["level"] == "error" and issue["platform"] == "python"
    assert issue["environments"] == ["staging"] and issue["releases"] == ["shop@1.4.2"]
    assert event["source"] == "sdk" and event["request_id"] == request_id
    assert event["service"] == "shop" and issue["services"] == ["shop"]  # of its release

    document = event["document"]
    cause, raised = document["exception"]["values"]
    assert (cause["type"], raised["type"]) == ("KeyError", "ValueError")
    assert raised["mechanism"]["handled"] is False
    crash = raised["stacktrace"]["frames"][-1]
    assert crash["function"] == "price" and crash["filename"] == "shop_sentry.py" and crash["in_app"] is True
    assert crash["context_line"].strip().startswith("raise ValueError(") and len(crash["pre_context"]) == 5
    assert crash["vars"]["item"] == f"'{item}'" and crash["vars"]["basket"] == ["'apple'", f"'{item}'"]
    inner = cause["stacktrace"]["frames"][-1]
    assert inner["function"] == "price_of" and inner["vars"]["prices"] == {"apple": "3"}
    crumbs = document["breadcrumbs"]
    crumbs = crumbs["values"] if isinstance(crumbs, dict) else crumbs
    assert [crumb["message"] for crumb in crumbs if crumb.get("category") == "shop"] == [f"looking up {item}"]
    assert document["request"]["method"] == "GET" and document["request"]["url"].endswith(f"/price/{item}")
    assert document["sdk"]["name"] == "sentry.python.fastapi" and document["modules"]["fastapi"]
    assert document["contexts"]["runtime"]["name"] == "CPython"


def test_the_request_page_shows_spans_and_the_event(shop):
    item, request_id = new_request_id("item"), new_request_id()
    shop.get(f"/price/{item}", request_id)

    def whole():
        found = shop.culprit.find(request_id)
        assert found["spans"] and found["events"]
        return found

    found = wait_until(whole, 15, "the spans and the event of the request")
    [root] = [span for span in found["spans"] if span["attributes"].get("sentry.op") == "http.server"]
    assert root["name"] == "/price/{item}" and root["kind"] == "server" and root["status"] == "error"
    assert root["status_message"] == "internal_error" and root["parent_span_id"] is None
    assert root["resource"]["service.version"] == "shop@1.4.2" and root["service"] == "shop"
    assert root["resource"]["deployment.environment.name"] == "staging"
    assert 0 < int(root["end_ns"]) - int(root["start_ns"]) < 20_000_000_000
    [event] = found["events"]
    assert event["trace_id"] == root["trace_id"] and event["title"].startswith("ValueError: no price for")
    identifiers = {span["span_id"] for span in found["spans"]}
    assert event["span_id"] in identifiers
    assert all(span["parent_span_id"] in identifiers for span in found["spans"] if span is not root)
    verdict = wait_until(lambda: (shop.culprit.find(request_id)["verdict"] or {}).get("policy"), 10, "the verdict")
    assert verdict == "errors"


def test_a_transaction_reaches_the_backend_as_the_request_page_shows_it(shop):
    request_id = new_request_id()
    assert shop.get("/basket/3", request_id)[0] == 200
    found = wait_until(lambda: (lambda found: found if found["spans"] else None)(shop.culprit.find(request_id)), 15,
                       "the spans of the request")
    [trace_id] = found["trace_ids"]
    spans = {span["span_id"]: span for span in found["spans"]}
    [root] = [span for span in spans.values() if span["parent_span_id"] is None]
    [counted] = [span for span in spans.values() if span["name"] == "count the basket"]
    assert root["name"] == "/basket/{count}" and counted["attributes"]["sentry.op"] == "shop.count"
    assert counted["attributes"]["count"] == 3 and counted["attributes"]["api_key"] == "[Filtered]"
    assert found["events"] == [] and root["status"] in ("ok", "unset")

    def forwarded():
        sent = {span.span_id.hex(): span for span in shop.backend.spans() if span.trace_id.hex() == trace_id}
        return sent if set(sent) == set(spans) else None

    for key, span in wait_until(forwarded, 15, "the same spans at the backend").items():
        shown = spans[key]
        assert span.name == shown["name"] and span.parent_span_id.hex() == (shown["parent_span_id"] or "")
        assert (str(span.start_time_unix_nano), str(span.end_time_unix_nano)) == (shown["start_ns"], shown["end_ns"])
        assert {attribute.key for attribute in span.attributes} == set(shown["attributes"])
    assert b"hunter2canary" not in b"".join(request.body for request in shop.backend.requests())


def test_local_variables_are_shown_but_for_secrets(shop):
    request_id = new_request_id()
    assert shop.get("/login/jane", request_id)[0] == 500
    _, event = shop.event(title="PermissionError: 3 things of jane")
    frames = event["document"]["exception"]["values"][-1]["stacktrace"]["frames"]
    variables = frames[-1]["vars"]
    assert variables["user"] == "'jane'" and variables["visit"]["visits"] == "3"
    assert variables["visit"]["user"] == "'jane'"
    # The SDK filtered what has such a name, culprit what it left: inside of values, and by value.
    assert variables["password"] == "[Filtered]" and variables["visit"]["token"] == "[Filtered]"
    assert "4111" not in variables["card"]
    marks = event["document"]["_meta"]["exception"]["values"]
    marks = marks[str(len(event["document"]["exception"]["values"]) - 1)]["stacktrace"]["frames"]
    marks = marks[str(len(frames) - 1)]["vars"]
    assert marks["card"][""]["rem"] and marks["visit"]["token"][""]["rem"] and marks["password"][""]["rem"]
    assert "hunter2canary" not in json.dumps(event)


def test_messages_and_logs(shop):
    text = new_request_id("text")
    code, body = shop.get(f"/message/{text}", new_request_id())
    assert code == 200
    issue, event = shop.event(title=f"message {text}")
    assert issue["level"] == "warning" and event["event_id"] == json.loads(body)["id"]

    # logging.error: an event by the logging integration and a structured log, and one occurrence of one issue.
    request_id = new_request_id()
    shop.get(f"/log/{text}", request_id)
    issue, event = shop.event(title=f"shelf {text} is empty")
    assert event["document"]["logger"] == "shop" and event["document"]["logentry"]["message"] == "shelf %s is empty"
    wait_until(lambda: shop.culprit.metrics().sum("culprit_sentry_items_total", type="log", outcome="accepted") > 0, 15,
               "the structured log")

    def log():
        found = shop.culprit.find(event["trace_id"])
        return [log for log in found["logs"] if log["body"] == f"shelf {text} is empty"]

    [record] = wait_until(log, 15, "the log on the request page")
    assert record["severity"] == "error" and record["trace_id"] == event["trace_id"]
    assert record["attributes"]["sentry.message.template"] == "shelf %s is empty"
    wait_until(lambda: shop.culprit.api("/status")["inbox"]["lag_records"] == 0, 5, "the inbox to catch up")
    assert shop.culprit.wait_issue(title=f"shelf {text} is empty")["count"] == 1


def test_an_attachment_does_not_harm_its_event(shop):
    text = new_request_id("text")
    _, body = shop.get(f"/attachment/{text}", new_request_id())
    issue, event = shop.event(title=f"RuntimeError: attached {text}")
    assert event["event_id"] == json.loads(body)["id"]
    assert event["document"]["extra"]["shelf"] == {"rows": [1, 2]}
    [attachment] = wait_until(lambda: shop.culprit.event(event["event_id"])["attachments"], 10, "the attachment")
    assert attachment["kept"] is True and attachment["bytes"] > 0


# --- envelopes of our own


def envelope(event_id, **event):
    header = {"event_id": event_id}
    payload = json.dumps({"event_id": event_id, "platform": "python", **event}).encode()
    item = json.dumps({"type": "event", "length": len(payload)}).encode()
    return gzip.compress(b"\n".join([json.dumps(header).encode(), item, payload, b""]))


def send(culprit, body, key, project=1):
    headers = {"X-Sentry-Auth": f"Sentry sentry_version=7, sentry_key={key}", "Content-Encoding": "gzip"}
    code, _, reply = culprit.request("POST", f"/api/{project}/envelope/", body, headers, address=culprit.http)
    return code, json.loads(reply)


def key_of(dsn):
    return dsn.split("//")[1].split("@")[0]


def exception(value):
    frame = {"function": "f", "module": "m", "lineno": 1, "in_app": True}
    return {"values": [{"type": "ResendError", "value": value, "stacktrace": {"frames": [frame]}}]}


def test_a_resend_changes_nothing_and_an_answer_survives_kill(running):
    culprit = running.start()
    key = key_of(dsn_of(culprit))
    event_id = uuid.uuid4().hex
    body = envelope(event_id, exception=exception("once"))
    for _ in range(3):
        assert send(culprit, body, key) == (200, {"id": event_id})
    culprit.kill()
    again = running.start(culprit.data_dir)
    issue = again.wait_issue(15, type="ResendError")
    assert send(again, body, key) == (200, {"id": event_id})
    # An event behind the resend shows that it has been read.
    other = uuid.uuid4().hex
    assert send(again, envelope(other, exception=exception("twice")), key)[0] == 200
    wait_until(lambda: again.event(other)["event_id"] == other, 15, "the event behind the resend")
    assert again.wait_issue(type="ResendError")["count"] == 2
    assert again.event(event_id)["issue"]["id"] == issue["id"]


def test_projects_are_apart_and_keys_are_checked(running):
    culprit = running.start()
    default = key_of(dsn_of(culprit))
    code, printed, _ = run("project", "create", "billing", data_dir=culprit.data_dir)
    assert code == 0
    billing = printed.strip()
    number = int(billing.rsplit("/", 1)[1])
    body = envelope(uuid.uuid4().hex, exception=exception("billing"))
    assert send(culprit, body, key_of(billing), number)[0] == 200  # at once, without a restart
    assert culprit.wait_issue(10, type="ResendError")["project"] == "billing"
    code, reply = send(culprit, body, key_of(billing), 1)
    assert code == 403 and "another project" in reply["causes"][0]
    code, reply = send(culprit, body, "0" * 32)
    assert code == 403 and "no project" in reply["causes"][0]
    code, printed, _ = run("project", "key", "default", data_dir=culprit.data_dir)
    second = key_of(printed.strip())
    assert code == 0 and second != default
    wait_until(lambda: send(culprit, envelope(uuid.uuid4().hex, message="m"), second)[0] == 200, 5, "the second key")
    assert send(culprit, envelope(uuid.uuid4().hex, message="m"), default)[0] == 200
