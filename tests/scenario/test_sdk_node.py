# SPDX-License-Identifier: Apache-2.0
"""The same in JavaScript: an Express application under @opentelemetry/sdk-node, over each of its three exporters. The
JSON one is the only real JSON client there is."""
import re
from pathlib import Path

import pytest

from application import Application, exporter_environment, get
from otlp_messages import new_request_id
from waiting import wait_until

FOLDER = Path(__file__).parent / "node"


class Shop:
    def __init__(self, shared, protocol):
        self.culprit = shared.start(sampling_decision_wait="500ms")
        environment = {**exporter_environment(self.culprit, protocol, "shop-node"),
                       "OTEL_NODE_RESOURCE_DETECTORS": "env"}
        application = Application(["node", "--require", "./instrumentation.js", "shop.js"], environment, FOLDER,
                                  lambda application: "listening" in application.printed())
        shared.closable.append(application)
        self.port = int(re.search(r"listening (\d+)", application.printed()).group(1))

    def get(self, path):
        request_id = new_request_id()
        return get(self.port, path, {"x-request-id": request_id})[0], request_id


@pytest.fixture(scope="module", params=["grpc", "http/protobuf", "http/json"])
def shop(shared, request):
    return Shop(shared, request.param)


def test_the_request_page_shows_the_request(shop):
    code, request_id = shop.get("/order")
    assert code == 200

    def whole():
        found = shop.culprit.find(request_id)
        kinds = sorted(span["kind"] for span in found["spans"])
        assert kinds.count("server") == 2 and kinds.count("client") == 1
        return found if found["logs"] else None

    found = wait_until(whole, 10, "both requests and the log")
    [trace_id] = found["trace_ids"]
    assert found["request_ids"] == [request_id]
    assert found["logs"][0]["body"] == {"message": "stock read", "left": 7}
    assert found["logs"][0]["trace_id"] == trace_id
    spans = {span["span_id"]: span for span in found["spans"]}
    [stock] = [span for span in spans.values() if span["name"] == "GET /stock"]
    assert spans[stock["parent_span_id"]]["kind"] == "client"
    assert stock["attributes"]["http.response.status_code"] == 200
    assert stock["attributes"]["http.request.header.x-request-id"] == [request_id]
    assert stock["resource"]["service.version"] == "1.4.2"


@pytest.mark.parametrize("path, kind, message, function", [
    ("/broken", "TypeError", "Cannot read properties of undefined (reading 'amount')", "priceOf"),
    ("/rejected", "RangeError", "card limit reached", "pay"),
])
def test_an_exception_is_an_issue(shop, path, kind, message, function):
    code, request_id = shop.get(path)
    assert code == 500
    issue = shop.culprit.wait_issue(type=kind, value=message)
    assert issue["platform"] in ("javascript", "node") and issue["services"] == ["shop-node"]
    [event] = wait_until(lambda: shop.culprit.find(request_id)["events"], 5, "the event on the request page")
    assert event["issue_id"] == issue["id"]
    document = shop.culprit.event(event["event_id"])["document"]
    frames = document["exception"]["values"][-1]["stacktrace"]["frames"]
    assert frames[-1]["function"] == function and frames[-1]["in_app"]
    assert frames[-1]["filename"].endswith("shop.js") and frames[-1]["lineno"] > 0 and frames[-1]["colno"] > 0
    for frame in frames:
        path_of_frame = frame.get("abs_path") or frame["filename"]
        assert frame["in_app"] == ("node_modules" not in path_of_frame and not path_of_frame.startswith("node:")), frame

    def verdict():
        found = shop.culprit.find(request_id)["verdict"]
        return found if found["decision"] != "waiting" else None

    found = wait_until(verdict, 10, "the verdict")
    assert (found["decision"], found["policy"]) == ("keep", "errors")


def test_an_error_that_is_only_logged(shop):
    code, request_id = shop.get("/logged")
    assert code == 200
    issue = shop.culprit.wait_issue(title="disk of node 17 is full")
    [event] = wait_until(lambda: shop.culprit.find(request_id)["events"], 5, "the event on the request page")
    assert event["issue_id"] == issue["id"] and shop.culprit.event(event["event_id"])["source"] == "log"
