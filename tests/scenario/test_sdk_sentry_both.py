# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry's and Sentry's Python SDKs in one process: one request page shows what both had to say, and an error
that both report is one issue."""
import json
import sys
from pathlib import Path

import pytest

from application import Application, exporter_environment, get, is_alive
from otlp_messages import new_request_id
from test_sdk_sentry_python import dsn_of
from waiting import wait_until

FOLDER = Path(__file__).parent / "python"
COMMANDS = Path(sys.executable).parent


class Shop:
    def __init__(self, shared, mode):
        self.mode = mode
        self.culprit = shared.start(sampling_decision_wait="1s")
        environment = {**exporter_environment(self.culprit, "http/protobuf", "shop-both"),
                       "SENTRY_DSN": dsn_of(self.culprit), "SHOP_MODE": mode,
                       "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": "x-request-id"}
        if mode == "dsn":
            environment["OTEL_TRACES_EXPORTER"] = "none"
        command = [COMMANDS / part for part in ("opentelemetry-instrument", "uvicorn")]
        command = [str(part) for part in command] + ["shop_both:app", "--port", "0"]
        shared.closable.append(Application(command, environment, FOLDER, is_alive))
        self.port = shared.closable[-1].port()

    def fetch(self, path):
        request_id = new_request_id()
        return *get(self.port, path, {"x-request-id": request_id}), request_id

    def get(self, path):
        code, _, request_id = self.fetch(path)
        return code, request_id


@pytest.fixture(scope="module", params=["apart", "linked", "dsn"])
def shop(shared, request):
    return Shop(shared, request.param)


def is_otel(span):
    return "sentry.op" not in span["attributes"]


def test_one_request_page_shows_both(shop):
    item = new_request_id("item")
    code, request_id = shop.get(f"/cart/{item}")
    assert code == 500

    def whole():
        found = shop.culprit.find(request_id)
        names = {span["name"] for span in found["spans"] if is_otel(span)}
        assert {"GET /cart/{item}", "price the cart"} <= names, names
        if shop.mode == "apart":
            assert any(not is_otel(span) for span in found["spans"])
        failed = [span for span in found["spans"] if any(event["name"] == "exception" for event in span["events"])]
        assert len(failed) >= 2 and len(found["events"]) == len(failed) + 1
        return found

    found = wait_until(whole, 15, "spans and events of both SDKs")
    assert found["request_ids"] == [request_id]
    # OpenTelemetry's tree is whole.
    spans = {span["span_id"]: span for span in found["spans"] if is_otel(span)}
    [root] = [span for span in spans.values() if span["parent_span_id"] is None]
    assert root["name"] == "GET /cart/{item}" and root["service"] == "shop-both" and root["status"] == "error"
    assert all(span["parent_span_id"] in spans for span in spans.values() if span is not root)
    [priced] = [span for span in spans.values() if span["name"] == "price the cart"]
    assert priced["attributes"]["shop.item"] == item and priced["status"] == "error"
    assert [event["name"] for event in priced["events"]] == ["exception"]
    if shop.mode == "apart":  # the request id is all they have in common
        [transaction] = [span for span in found["spans"] if not is_otel(span) and span["parent_span_id"] is None]
        assert transaction["name"] == "/cart/{item}" and transaction["attributes"]["sentry.op"] == "http.server"
        assert sorted(found["trace_ids"]) == sorted({root["trace_id"], transaction["trace_id"]})
    else:
        assert all(map(is_otel, found["spans"]))

    # All events are of one issue: the SDK's, and one of each span that the exception left.
    events = [shop.culprit.event(event["event_id"]) for event in found["events"]]
    [from_sdk] = [event for event in events if event["source"] == "sdk"]
    assert from_sdk["request_id"] == request_id
    [issue] = {event["issue"]["id"] for event in events}
    assert shop.culprit.api(f"/issues/{issue}")["count"] == len(events)
    for event in events:
        assert event["title"] == f"UnknownItem: nothing is known of {item}"
        assert [each["type"] for each in event["document"]["exception"]["values"]] == ["KeyError", "UnknownItem"]
        frames = event["document"]["exception"]["values"][-1]["stacktrace"]["frames"]
        in_app = [frame for frame in frames if frame["in_app"]]
        assert [frame["function"] for frame in in_app] == ["price", "total", "<genexpr>", "price_of"]
        # Text has paths only: how much of one is the module depends on where the tree lies.
        for frame, module in zip(in_app, ["shop_both", "orders.cart", "orders.cart", "orders.cart"]):
            assert ("." + frame["module"]).endswith("." + module)
        if event is not from_sdk:
            assert event["span_id"] in spans and event["service"] == "shop-both"
    # What only the SDK knows.
    crash = from_sdk["document"]["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert crash["vars"]["item"] == f"'{item}'"
    assert from_sdk["release"] == "both@3" and from_sdk["environment"] == "staging"


def test_an_error_inside_the_request_is_linked_by_its_trace(shop):
    """An unhandled one reaches Sentry's middleware when OpenTelemetry's span is over; this one does not."""
    item = new_request_id("item")
    code, body, request_id = shop.fetch(f"/handled/{item}")
    assert code == 200
    event = wait_until(lambda: shop.culprit.event(json.loads(body)["id"]), 10, "the SDK's event")
    assert event["source"] == "sdk" and event["request_id"] == request_id

    def whole():
        found = shop.culprit.find(request_id)
        assert "GET /handled/{item}" in {span["name"] for span in found["spans"]} and len(found["events"]) == 2
        return found

    found = wait_until(whole, 15, "the span and both events")
    [span] = [span for span in found["spans"] if span["name"] == "GET /handled/{item}"]
    assert len({each["issue_id"] for each in found["events"]}) == 1
    if shop.mode != "apart":
        assert (event["trace_id"], event["span_id"]) == (span["trace_id"], span["span_id"])
        by_trace = shop.culprit.find(span["trace_id"])
        assert [each["event_id"] for each in by_trace["events"]] == [each["event_id"] for each in found["events"]]
        assert found["trace_ids"] == [span["trace_id"]] and by_trace["spans"] == found["spans"]


def test_a_logged_error_is_on_the_page_of_its_request(shop):
    text = new_request_id("text")
    code, request_id = shop.get(f"/log/{text}")
    assert code == 200
    def whole():
        found = shop.culprit.find(request_id)
        assert "GET /log/{text}" in {span["name"] for span in found["spans"]}
        assert {log["body"] for log in found["logs"]} >= {f"no shelf for {text}"}
        assert "sdk" in {shop.culprit.event(event["event_id"])["source"] for event in found["events"]}
        return found

    found = wait_until(whole, 15, "span, log and event")
    assert {event["title"] for event in found["events"]} == {f"no shelf for {text}"}
    [log] = [log for log in found["logs"] if log["service"] == "shop-both"]
    [root] = [span for span in found["spans"] if span["name"] == "GET /log/{text}"]
    assert log["trace_id"] == root["trace_id"] and log["severity"] == "ERROR"
