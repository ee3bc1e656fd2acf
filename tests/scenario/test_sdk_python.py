# SPDX-License-Identifier: Apache-2.0
"""The main job for a newcomer, in Python: a FastAPI application and a Celery worker under OpenTelemetry's own
auto-instrumentation, each a process of its own, send to culprit over either exporter."""
import sys
import time
from pathlib import Path

import pytest

from application import Application, exporter_environment, get, is_alive
from otlp_messages import new_request_id
from waiting import FACTOR, wait_until

FOLDER = Path(__file__).parent / "python"
COMMANDS = Path(sys.executable).parent


class Shop:
    def __init__(self, shared, protocol, broker):
        self.backend = shared.backend()
        self.culprit = shared.start(backend=self.backend, sampling_decision_wait="1s",
                                    ui_jaeger_url="http://jaeger.example:16686")
        environment = {"SHOP_BROKER": str(broker),
                       "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": "x-request-id"}
        worker = [COMMANDS / "celery", "-A", "shop_tasks", "worker", "--pool=solo", "--without-gossip",
                  "--without-mingle", "--without-heartbeat", "--loglevel=INFO"]
        api = [COMMANDS / "uvicorn", "shop_api:app", "--port", "0"]
        for service, command, is_ready in (
                ("shop-worker", worker, lambda application: "worker ready" in application.printed()),
                ("shop-api", api, is_alive)):
            settings = {**environment, **exporter_environment(self.culprit, protocol, service)}
            command = [str(part) for part in (COMMANDS / "opentelemetry-instrument", *command)]
            shared.closable.append(Application(command, settings, FOLDER, is_ready))
        self.port = shared.closable[-1].port()

    def get(self, path):
        """(code, request id) of a request that brings its id in a header."""
        request_id = new_request_id()
        return get(self.port, path, {"x-request-id": request_id})[0], request_id

    def wait_verdict(self, request_id):
        def verdict():
            found = self.culprit.find(request_id)["verdict"]
            return found if found and found["decision"] != "waiting" else None

        return wait_until(verdict, 10, "the verdict")


@pytest.fixture(scope="module", params=["grpc", "http/protobuf"])
def shop(shared, request, tmp_path_factory):
    return Shop(shared, request.param, tmp_path_factory.mktemp("broker"))


def event_of(culprit, issue):
    return culprit.event(culprit.api(f"/issues/{issue['id']}")["latest_event"])


def test_an_exception_is_an_issue_within_a_second(shop):
    item = new_request_id("item")  # so that the message is this test's own
    code, request_id = shop.get(f"/price/{item}")
    answered = time.monotonic()
    assert code == 500
    issue = shop.culprit.wait_issue(type="ValueError", value=f"no price for {item}")
    took = time.monotonic() - answered
    assert took < 1 * FACTOR, f"{took:.2f} s"
    assert issue["title"] == f"ValueError: no price for {item}" and issue["level"] == "error"
    assert issue["services"] == ["shop-api"] and issue["environments"] == ["staging"]
    assert issue["releases"] == ["1.4.2"] and issue["platform"] == "python"

    # Reported by the span and by logger.exception: one event.
    wait_until(lambda: len(shop.culprit.find(request_id)["logs"]) >= 1, 5, "the log")
    wait_until(lambda: shop.culprit.api("/status")["inbox"]["lag_records"] == 0, 5, "the inbox to catch up")
    [event] = shop.culprit.find(request_id)["events"]
    assert shop.culprit.wait_issue(type="ValueError", value=f"no price for {item}")["count"] == 1

    document = shop.culprit.event(event["event_id"])["document"]
    cause, raised = document["exception"]["values"]
    assert (cause["type"], raised["type"]) == ("KeyError", "ValueError")
    crash = raised["stacktrace"]["frames"][-1]
    assert crash["function"] == "price_of" and crash["filename"].endswith("shop_api.py") and crash["in_app"]
    libraries = [f for f in raised["stacktrace"]["frames"] if "site-packages" in (f.get("abs_path") or f["filename"])]
    assert all(not frame["in_app"] for frame in libraries)
    [in_cause] = cause["stacktrace"]["frames"]
    assert in_cause["function"] == "price_of" and in_cause["context_line"].strip() == "return prices[item]"


def test_the_request_page_shows_both_processes(shop):
    code, request_id = shop.get("/cart/7")
    assert code == 200

    def whole():
        found = shop.culprit.find(request_id)
        names = {(span["service"], span["name"]) for span in found["spans"]}
        bodies = {(log["service"], log["body"]) for log in found["logs"]}
        assert ("shop-api", "GET /cart/{cart}") in names
        assert ("shop-worker", "run/shop_tasks.send_receipt") in names
        assert ("shop-api", "cart 7 opened") in bodies and ("shop-worker", "receipt for cart 7") in bodies
        return found

    by_request = wait_until(whole, 10, "spans and logs of both processes")
    [trace_id] = by_request["trace_ids"]
    assert by_request["request_ids"] == [request_id]
    assert by_request["jaeger_url"] == f"http://jaeger.example:16686/trace/{trace_id}"
    by_trace = shop.culprit.find(trace_id)
    assert by_trace["spans"] == by_request["spans"] and by_trace["logs"] == by_request["logs"]

    # One tree: every parent is there, the worker's span below the one that sent the message.
    spans = {span["span_id"]: span for span in by_request["spans"]}
    roots = [span for span in spans.values() if span["parent_span_id"] is None]
    assert [root["name"] for root in roots] == ["GET /cart/{cart}"]
    assert all(span["parent_span_id"] in spans for span in spans.values() if span not in roots)
    [run] = [span for span in spans.values() if span["name"] == "run/shop_tasks.send_receipt"]
    assert spans[run["parent_span_id"]]["kind"] == "producer" and run["kind"] == "consumer"
    verdict = shop.wait_verdict(request_id)
    assert verdict["decision"] == "keep" and verdict["policy"] == "probability" and verdict["probability"] == 1

    # And all of it at the backend.
    def forwarded():
        return {span.span_id.hex() for span in shop.backend.spans() if span.trace_id.hex() == trace_id} == set(spans)

    wait_until(forwarded, 10, "every span at the backend")


def test_an_error_in_the_worker_belongs_to_the_request(shop):
    code, request_id = shop.get("/charge/8")
    assert code == 200

    def whole():
        found = shop.culprit.find(request_id)
        assert any(span["name"] == "run/shop_tasks.charge" and span["status"] == "error" for span in found["spans"])
        assert any(log["severity"] == "ERROR" for log in found["logs"])
        return found if found["events"] else None

    found = wait_until(whole, 10, "the worker's error on the request page")
    [event] = found["events"]  # the span's event and Celery's log are one
    assert event["service"] == "shop-worker" and event["title"] == "PermissionError: card of cart 8 declined"
    verdict = shop.wait_verdict(request_id)
    assert verdict["decision"] == "keep" and verdict["policy"] == "errors"
    details = shop.culprit.event(event["event_id"])
    assert details["trace_id"] == found["trace_ids"][0] and details["source"] in ("span", "log")
    frames = details["document"]["exception"]["values"][-1]["stacktrace"]["frames"]
    assert frames[-1]["function"] == "charge" and frames[-1]["in_app"]
    assert not any(frame["in_app"] for frame in frames[:-1])  # Celery's


def test_the_same_error_again_is_the_same_issue(shop):
    before = shop.culprit.wait_issue(type="PermissionError")
    for _ in range(3):
        shop.get("/charge/9")
    after = wait_until(lambda: next((i for i in shop.culprit.issues() if i["id"] == before["id"] and
                                     i["count"] == before["count"] + 3), None), 10, "three more events")
    assert after["first_seen"] == before["first_seen"] and after["last_seen"] > before["last_seen"]
    assert sum(after["sparkline"]) == after["count"]
