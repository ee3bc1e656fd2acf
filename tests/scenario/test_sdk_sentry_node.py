# SPDX-License-Identifier: Apache-2.0
"""An Express application with Sentry's SDK for Node: errors, rejections, breadcrumbs, transactions, messages, logs."""
import json
import re
import socket
from pathlib import Path

import pytest

from application import Application, get
from otlp_messages import new_request_id
from test_scrub import CANARY, FILTERED, files_with
from test_sdk_sentry_python import dsn_of
from waiting import wait_until

FOLDER = Path(__file__).parent / "node"


class Shop:
    def __init__(self, shared):
        self.backend = shared.backend()
        self.culprit = shared.start(backend=self.backend, sampling_decision_wait="1s")
        application = Application(["node", "--require", "./sentry.js", "shop_sentry.js"],
                                  {"SENTRY_DSN": dsn_of(self.culprit)}, FOLDER,
                                  lambda application: "listening" in application.printed())
        shared.closable.append(application)
        self.port = int(re.search(r"listening (\d+)", application.printed()).group(1))

    def get(self, path):
        request_id = new_request_id()
        headers = {"x-request-id": request_id, "x-api-key": CANARY, "cookie": "sid=" + CANARY,
                   "authorization": "Bearer " + CANARY}
        code, body = get(self.port, path, headers)
        return code, body, request_id

    def event(self, request_id, deadline=10):
        """The request's only event."""

        def only():
            [event] = self.culprit.find(request_id)["events"]
            return event

        return self.culprit.event(wait_until(lambda: self.culprit.find(request_id)["events"] and only(), deadline,
                                             "the event of the request")["event_id"])

    def spans(self, request_id, name):
        """The request, once it has a span of that name without a parent."""

        def whole():
            found = self.culprit.find(request_id)
            roots = [span for span in found["spans"] if span["parent_span_id"] is None]
            return found if [root["name"] for root in roots] == [name] else None

        return wait_until(whole, 15, f"the transaction {name}")


@pytest.fixture(scope="module")
def shop(shared):
    return Shop(shared)


def test_an_error_of_a_handler(shop):
    item = new_request_id("item")
    code, _, request_id = shop.get(f"/broken/{item}")
    assert code == 500
    event = shop.event(request_id)
    issue = shop.culprit.wait_issue(type="UnknownItem", count=1)
    assert event["issue"]["id"] == issue["id"] and event["source"] == "sdk"
    assert issue["title"] == f"UnknownItem: nothing is known of {item}" and issue["culprit"] == "GET /broken/:item"
    assert issue["platform"] == "node" and issue["level"] == "error"
    assert issue["environments"] == ["staging"] and issue["releases"] == ["shop-node@5.0.0"]
    document = event["document"]
    [raised] = document["exception"]["values"]
    assert raised["mechanism"]["handled"] is False and raised["mechanism"]["type"] == "auto.middleware.express"
    frames = raised["stacktrace"]["frames"]
    assert [(frame["module"], frame.get("function")) for frame in frames if frame["in_app"]] == [
        ("shop_sentry", None), ("orders", "exports.total"), ("orders", None), ("orders", "priceOf")]
    crash = frames[-1]
    lines = (FOLDER / "orders.js").read_text().splitlines()
    assert crash["filename"] == str(FOLDER / "orders.js") and crash["context_line"] == lines[crash["lineno"] - 1]
    assert crash["pre_context"] == lines[max(0, crash["lineno"] - 8):crash["lineno"] - 1][-len(crash["pre_context"]):]
    assert crash["colno"] == crash["context_line"].index("new UnknownItem") + 1
    crumbs = [(crumb["category"], crumb["message"], crumb["level"]) for crumb in document["breadcrumbs"]["values"]]
    assert crumbs[-2:] == [("shop", "pricing", "info"), ("console", f"about to price %s {item}", "warning")]
    assert document["transaction"] == "GET /broken/:item" and document["server_name"] == socket.gethostname()
    assert document["user"]["id"] == "7" and document["user"]["username"] == "jane"
    assert document["tags"]["tenant"] == "north" and document["contexts"]["cart"]["items"] == 2
    assert document["contexts"]["runtime"]["name"] == "node" and document["sdk"]["name"] == "sentry.javascript.node"
    request = document["request"]
    assert request["method"] == "GET" and request["url"] == f"http://127.0.0.1:{shop.port}/broken/{item}"
    assert request["headers"]["x-request-id"] == request_id

    # What is secret came as it was, and stays nowhere.
    assert request["headers"]["authorization"] == FILTERED and request["headers"]["x-api-key"] == FILTERED
    assert request["headers"]["cookie"] == FILTERED and request["cookies"] == {"sid": FILTERED}
    assert document["contexts"]["cart"]["api_key"] == FILTERED
    assert document["breadcrumbs"]["values"][-2]["data"]["token"] == FILTERED
    found = shop.spans(request_id, "GET /broken/:item")
    assert CANARY not in json.dumps(found) and CANARY not in json.dumps(event)
    assert files_with(shop.culprit.data_dir, CANARY) == []

    # The event is in its span.
    assert found["trace_ids"] == [event["trace_id"]]
    [span] = [span for span in found["spans"] if span["span_id"] == event["span_id"]]
    assert span["status"] == "error" and span["status_message"] == "internal_error"
    verdict = wait_until(lambda: (shop.culprit.find(request_id)["verdict"] or {}).get("policy"), 10, "the verdict")
    assert verdict == "errors"


def test_a_rejection_that_nobody_handles(shop):
    code, _, request_id = shop.get("/forgotten/letter")
    assert code == 200
    event = shop.event(request_id)
    assert event["title"] == "RangeError: nobody waits for letter" and event["level"] == "error"
    [raised] = event["document"]["exception"]["values"]
    assert raised["mechanism"]["type"] == "auto.node.onunhandledrejection" and raised["mechanism"]["handled"] is False
    frames = raised["stacktrace"]["frames"]
    assert (frames[-1]["function"], frames[-1]["in_app"]) == ("send", True)
    assert all(not frame["in_app"] for frame in frames if frame["filename"].startswith("node:"))
    assert event["document"]["extra"] == {"unhandledPromiseRejection": True}


def test_an_error_with_its_cause(shop):
    _, body, request_id = shop.get("/caused/pie")
    event = shop.event(request_id)
    assert event["event_id"] == json.loads(body)["id"]
    cause, raised = event["document"]["exception"]["values"]
    assert (cause["type"], cause["value"]) == ("UnknownItem", "nothing is known of pie")
    assert (raised["type"], raised["value"]) == ("Error", "the order was refused")
    assert raised["mechanism"]["exception_id"] == cause["mechanism"]["parent_id"] == 0
    assert raised["mechanism"]["handled"] is True and cause["mechanism"]["source"] == "cause"
    assert event["title"] == "Error: the order was refused"


def test_a_message(shop):
    _, body, request_id = shop.get("/message/hello")
    event = shop.event(request_id)
    assert event["event_id"] == json.loads(body)["id"]
    assert event["title"] == "message hello" and event["level"] == "warning"
    assert event["document"]["logentry"]["formatted"] == "message hello" and "exception" not in event["document"]


def test_a_transaction_with_a_request_to_itself(shop):
    code, body, request_id = shop.get("/order/18")
    assert code == 200 and json.loads(body) == {"left": 7, "priced": 3}

    def whole():
        found = shop.spans(request_id, "GET /order/:order")
        assert "GET /stock" in {span["name"] for span in found["spans"]}
        return found

    found = wait_until(whole, 15, "both transactions")
    [trace_id] = found["trace_ids"]
    spans = {span["span_id"]: span for span in found["spans"]}
    named = {span["name"]: span for span in spans.values()}
    root, stock = named["GET /order/:order"], named["GET /stock"]
    asking = named[f"GET http://127.0.0.1:{shop.port}/stock"]
    assert (root["kind"], asking["kind"], stock["kind"]) == ("server", "client", "server")
    assert stock["parent_span_id"] == asking["span_id"]
    assert all(span["parent_span_id"] in spans for span in spans.values() if span is not root)
    for span in (root, stock):
        assert span["attributes"]["sentry.op"] == "http.server" and span["status"] in ("unset", "ok")
        assert span["attributes"]["http.response.status_code"] == 200
        assert span["attributes"]["http.request.method"] == "GET"
        assert span["resource"]["service.version"] == "shop-node@5.0.0" and span["service"] == "shop-node"
        assert span["resource"]["deployment.environment.name"] == "staging"
        assert span["resource"]["telemetry.sdk.name"] == "sentry.javascript.node"
    priced = named["price the order"]
    assert priced["attributes"]["order"] == 18 and priced["attributes"]["sentry.op"] == "shop.price"
    assert int(root["start_ns"]) <= int(priced["start_ns"]) <= int(priced["end_ns"]) <= int(root["end_ns"])
    wait_until(lambda: {span.span_id.hex(): span.name for span in shop.backend.spans()
                        if span.trace_id.hex() == trace_id} == {key: span["name"] for key, span in spans.items()}, 10,
               "every span at the backend")


def test_a_log(shop):
    code, _, request_id = shop.get("/logged/d1")
    assert code == 200
    found = shop.spans(request_id, "GET /logged/:text")
    [log] = wait_until(lambda: shop.culprit.find(request_id)["logs"], 15, "the log of the request")
    assert log["body"] == "disk d1 is full" and log["severity"] == "error" and log["severity_number"] == 17
    assert log["trace_id"] == found["trace_ids"][0] and log["span_id"] in {span["span_id"] for span in found["spans"]}
    assert log["attributes"]["sentry.message.template"] == "disk %s is full"
    assert log["attributes"]["sentry.message.parameter.0"] == "d1" and log["attributes"]["free"] == 0
    assert log["attributes"]["password"] == FILTERED
    assert log["resource"]["service.version"] == "shop-node@5.0.0" and log["service"] == "shop-node"
