# SPDX-License-Identifier: Apache-2.0
"""A Django project with Sentry's SDK, behind Django's own server: what the SDK sends on its own account, seen from
culprit's API and from its backend. The SDK's scrubber is off: the secrets in here are culprit's to find."""
import http.client
import json
import re
import socket
import sys
from pathlib import Path

import pytest

from application import Application, get, is_alive
from otlp_messages import new_request_id
from test_scrub import CANARY, FILTERED, files_with
from test_sdk_sentry_python import dsn_of
from waiting import FACTOR, wait_until

FOLDER = Path(__file__).parent / "python"


class Shop:
    def __init__(self, shared, database):
        self.backend = shared.backend()
        self.culprit = shared.start(backend=self.backend, exporters_otlp_logs="true", sampling_decision_wait="1s")
        environment = {"SENTRY_DSN": dsn_of(self.culprit), "SHOP_DATABASE": str(database),
                       "DJANGO_SETTINGS_MODULE": "django_shop.settings", "PYTHONPATH": str(FOLDER),
                       "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "django", "runserver", "--noreload", "127.0.0.1:0"]
        shared.closable.append(Application(command, environment, FOLDER, is_alive))
        self.port = shared.closable[-1].port()

    def get(self, path):
        request_id = new_request_id()
        code, body = get(self.port, path, {"x-request-id": request_id})
        return code, body, request_id

    def post(self, path, document, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20 * FACTOR)
        connection.request("POST", path, json.dumps(document), {"Content-Type": "application/json", **headers})
        code = connection.getresponse().status
        connection.close()
        return code

    def event_of(self, issue):
        return self.culprit.event(self.culprit.api(f"/issues/{issue['id']}")["latest_event"])

    def spans_of(self, request_id, *operations):
        """The request, once it has a span of each of these operations."""

        def whole():
            found = self.culprit.find(request_id)
            there = [span["attributes"].get("sentry.op") for span in found["spans"]]
            assert all(operation in there for operation in operations), there
            return found

        return wait_until(whole, 15, f"the spans of {request_id}")


@pytest.fixture(scope="module")
def shop(shared, tmp_path_factory):
    return Shop(shared, tmp_path_factory.mktemp("database") / "shop.db")


@pytest.fixture(scope="module")
def paid(shop):
    """(request id, issue, event) of a payment that failed."""
    request_id = new_request_id()
    code = shop.post(f"/orders/17/pay?token={CANARY}&lang=en",
                     {"card": {"number": "4111 1111 1111 1111", "owner": "Jane"}, "password": CANARY, "note": "gift"},
                     {"X-Request-Id": request_id, "Authorization": "Bearer " + CANARY, "User-Agent": "test/1",
                      "Cookie": f"sessionid={CANARY}; theme=dark"})
    assert code == 500
    issue = shop.culprit.wait_issue(10, type="CardDeclined")
    return request_id, issue, shop.event_of(issue)


def test_an_unhandled_exception_of_a_view(shop, paid):
    request_id, issue, event = paid
    assert issue["title"] == "CardDeclined: order 17: 1 attempt" and issue["value"] == "order 17: 1 attempt"
    assert issue["culprit"] == "/orders/{order}/pay" and issue["level"] == "error" and issue["platform"] == "python"
    assert issue["environments"] == ["staging"] and issue["releases"] == ["django-shop@2.0.1"]
    assert issue["count"] == 1 and issue["substatus"] == "new"
    assert event["source"] == "sdk" and event["request_id"] == request_id
    assert re.fullmatch("[0-9a-f]{32}", event["trace_id"]) and re.fullmatch("[0-9a-f]{16}", event["span_id"])
    assert event["environment"] == "staging" and event["release"] == "django-shop@2.0.1"
    document = event["document"]
    assert document["transaction"] == "/orders/{order}/pay" and document["server_name"] == socket.gethostname()
    [raised] = document["exception"]["values"]
    assert (raised["type"], raised["module"]) == ("CardDeclined", "django_shop.views")
    assert raised["mechanism"]["type"] == "django" and raised["mechanism"]["handled"] is False
    frames = raised["stacktrace"]["frames"]
    assert [(frame["module"], frame["function"], frame["filename"]) for frame in frames if frame["in_app"]] == [
        ("django_shop.views", "pay", "django_shop/views.py"), ("django_shop.views", "charge", "django_shop/views.py")]
    assert all(frame["module"].startswith("django.") for frame in frames if not frame["in_app"])
    crash = frames[-1]
    lines = (FOLDER / "django_shop/views.py").read_text().splitlines()
    assert crash["context_line"] == lines[crash["lineno"] - 1] and "raise CardDeclined(" in crash["context_line"]
    assert crash["pre_context"] == lines[crash["lineno"] - 6:crash["lineno"] - 1]
    assert crash["post_context"] == lines[crash["lineno"]:crash["lineno"] + 5]
    assert crash["abs_path"] == str(FOLDER / "django_shop/views.py")
    assert document["user"] == {"id": "7", "username": "jane", "email": "jane@shop.example", "ip_address": "127.0.0.1"}
    assert document["tags"]["tenant"] == "north" and document["sdk"]["name"] == "sentry.python.django"
    tags = {tag["key"]: tag["values"][0]["value"] for tag in shop.culprit.api(f"/issues/{issue['id']}")["tags"]}
    assert tags["tenant"] == "north" and tags["environment"] == "staging"
    assert document["contexts"]["cart"]["items"] == 2
    crumbs = document["breadcrumbs"]["values"]
    assert [(crumb["category"], crumb["message"]) for crumb in crumbs][-3:] == [
        ("card", "asking the bank"), ("query", "connect"),
        ("query", "SELECT name FROM sqlite_master WHERE name = %s")]
    assert crumbs[-3]["data"]["order"] == 17
    request = document["request"]
    assert request["url"] == f"http://127.0.0.1:{shop.port}/orders/17/pay" and request["method"] == "POST"
    assert request["headers"]["User-Agent"] == "test/1" and request["data"]["note"] == "gift"


def test_what_is_secret_is_filtered_and_the_rest_shown(shop, paid):
    request_id, _, event = paid
    document = event["document"]
    variables = document["exception"]["values"][0]["stacktrace"]["frames"][-1]["vars"]
    assert variables["order"] == "17" and variables["attempts"] == [{"amount": "12.5", "currency": "'EUR'"}]
    assert variables["api_key"] == FILTERED and "4111" not in variables["card"]
    request = document["request"]
    assert request["headers"]["Authorization"] == FILTERED and request["headers"]["Cookie"] == FILTERED
    assert request["cookies"] == {"sessionid": FILTERED, "theme": "dark"}
    assert request["query_string"] == f"token={FILTERED}&lang=en"
    assert request["data"]["password"] == FILTERED and request["data"]["card"]["owner"] == "Jane"
    assert "4111" not in request["data"]["card"]["number"]
    assert document["contexts"]["cart"]["password"] == FILTERED
    assert document["breadcrumbs"]["values"][-3]["data"]["token"] == FILTERED
    # Every one of them is marked.
    marks = document["_meta"]
    assert marks["request"]["data"]["password"][""]["rem"] and marks["contexts"]["cart"]["password"][""]["rem"]
    at = str(len(document["exception"]["values"][0]["stacktrace"]["frames"]) - 1)
    assert marks["exception"]["values"]["0"]["stacktrace"]["frames"][at]["vars"]["api_key"][""]["rem"]
    shop.spans_of(request_id, "http.server")
    assert CANARY not in json.dumps(shop.culprit.find(request_id)) and CANARY not in json.dumps(event)
    assert files_with(shop.culprit.data_dir, CANARY) == []


def test_a_transaction_is_a_request_of_spans(shop):
    code, body, request_id = shop.get("/orders/18")
    assert code == 200 and json.loads(body) == {"following": 19}
    found = shop.spans_of(request_id, "http.server", "db", "shop.render")
    [trace_id] = found["trace_ids"]
    assert found["request_ids"] == [request_id] and found["events"] == []
    spans = found["spans"]
    [root] = [span for span in spans if span["parent_span_id"] is None]
    assert root["name"] == "/orders/{order}" and root["kind"] == "server" and root["status"] in ("unset", "ok")
    assert root["attributes"]["sentry.op"] == "http.server" and root["attributes"]["http.request.method"] == "GET"
    assert root["attributes"]["http.response.status_code"] == 200
    assert root["attributes"]["url.full"] == f"http://127.0.0.1:{shop.port}/orders/18"
    assert root["resource"]["deployment.environment.name"] == "staging"
    assert root["resource"]["service.version"] == "django-shop@2.0.1" and root["service"] == "django-shop"
    assert root["resource"]["telemetry.sdk.name"] == "sentry.python.django"
    [query] = [span for span in spans if span["name"].startswith("SELECT")]
    assert query["name"] == "SELECT %s + 1" and query["kind"] == "client"
    assert query["attributes"]["sentry.op"] == "db" and query["attributes"]["db.system"] == "sqlite"
    [render] = [span for span in spans if span["name"] == "render the order"]
    assert render["attributes"]["order"] == 18 and render["kind"] == "internal"
    for span in spans:
        assert span is root or span["parent_span_id"] == root["span_id"]
        assert int(root["start_ns"]) <= int(span["start_ns"]) <= int(span["end_ns"]) <= int(root["end_ns"])

    # Kept by probability, and all of it at the backend, the log of the request as well.
    verdict = wait_until(lambda: (shop.culprit.find(request_id)["verdict"] or {}).get("policy"), 10, "the verdict")
    assert verdict == "probability"
    wait_until(lambda: {span.span_id.hex(): span.name for span in shop.backend.spans()
                        if span.trace_id.hex() == trace_id} == {span["span_id"]: span["name"] for span in spans}, 10,
               "every span at the backend")
    [log] = wait_until(lambda: shop.culprit.find(request_id)["logs"], 15, "the log of the request")
    assert log["body"] == "order 18 is shown" and log["severity"] == "info" and log["trace_id"] == trace_id
    assert log["attributes"]["logger.name"] == "django_shop.orders"
    assert log["attributes"]["sentry.message.template"] == "order %s is shown"
    assert log["attributes"]["sentry.message.parameter.0"] == 18


def test_the_failed_request_shows_its_event_among_its_spans(shop, paid):
    request_id, issue, event = paid
    found = shop.spans_of(request_id, "http.server")
    [listed] = found["events"]
    assert listed["event_id"] == event["event_id"] and listed["issue_id"] == issue["id"]
    assert found["trace_ids"] == [event["trace_id"]]
    spans = {span["span_id"]: span for span in found["spans"]}
    assert event["span_id"] in spans
    [root] = [span for span in spans.values() if span["parent_span_id"] is None]
    assert root["status"] == "error" and root["attributes"]["http.response.status_code"] == 500
    verdict = wait_until(lambda: (shop.culprit.find(request_id)["verdict"] or {}).get("policy"), 10, "the verdict")
    assert verdict == "errors"


def test_logger_exception_is_an_event_with_its_message(shop):
    code, _, request_id = shop.get("/stock/tea")
    assert code == 200
    issue = shop.culprit.wait_issue(10, type="KeyError")
    event = shop.event_of(issue)
    assert issue["title"] == "KeyError: 'tea'" and event["request_id"] == request_id
    document = event["document"]
    assert document["logger"] == "django_shop.orders" and document["level"] == "error"
    assert document["logentry"]["message"] == "stock of %s is unknown"
    assert document["logentry"]["formatted"] == "stock of tea is unknown"
    assert document["logentry"]["params"] == ["tea"] and document["extra"]["shelf"] == "B4"
    [raised] = document["exception"]["values"]
    assert raised["mechanism"] == {"type": "logging", "handled": True}
    assert [frame["function"] for frame in raised["stacktrace"]["frames"]] == ["stock"]


def test_a_message_is_an_event_of_its_level(shop):
    _, body, request_id = shop.get("/notes/hello")
    event_id = json.loads(body)["id"]
    event = wait_until(lambda: shop.culprit.event(event_id), 10, "the event")
    assert event["title"] == "note hello" and event["level"] == "info" and event["request_id"] == request_id
    assert event["document"]["logentry"]["formatted"] == "note hello"
    issue = shop.culprit.api(f"/issues/{event['issue']['id']}")
    assert issue["level"] == "info" and issue["type"] is None and issue["culprit"] == "/notes/{text}"
