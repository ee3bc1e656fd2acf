# SPDX-License-Identifier: Apache-2.0
"""Celery under Sentry's SDK: who ordered a task and who ran it are two processes, one request."""
import os
import subprocess
import sys
from pathlib import Path

from application import Application
from otlp_messages import new_request_id
from test_sdk_sentry_python import dsn_of
from waiting import FACTOR, wait_until

FOLDER = Path(__file__).parent / "python"
COMMANDS = Path(sys.executable).parent


def test_a_task_and_its_error_belong_to_who_ordered_it(running, tmp_path):
    culprit = running.start(sampling_decision_wait="1s")
    environment = {"SENTRY_DSN": dsn_of(culprit), "SHOP_BROKER": str(tmp_path), "PYTHONPATH": str(FOLDER)}
    worker = [str(COMMANDS / "celery"), "-A", "tasks_sentry", "worker", "--pool=solo", "--without-gossip",
              "--without-mingle", "--without-heartbeat"]
    running.closable.append(Application(worker, environment, FOLDER,
                                        lambda application: "worker ready" in application.printed()))
    cart = new_request_id("cart")
    subprocess.run([sys.executable, "tasks_sentry.py", cart], cwd=FOLDER, env={**os.environ, **environment}, check=True,
                   timeout=60 * FACTOR)
    issue = culprit.wait_issue(15, title=f"PermissionError: card of cart {cart} declined")
    event = culprit.event(culprit.api(f"/issues/{issue['id']}")["latest_event"])
    assert issue["culprit"] == "shop_tasks.charge" and issue["releases"] == ["tasks@4"]
    document = event["document"]
    [raised] = document["exception"]["values"]
    assert raised["mechanism"] == {"type": "celery", "handled": False}
    crash = raised["stacktrace"]["frames"][-1]
    assert (crash["module"], crash["function"], crash["in_app"]) == ("shop_tasks", "charge", True)
    assert crash["vars"]["cart"] == f"'{cart}'"
    assert document["transaction"] == "shop_tasks.charge" and document["tags"]["celery_task_id"]
    assert document["extra"]["celery-job"]["task_name"] == "shop_tasks.charge"

    def whole():
        found = culprit.find(event["trace_id"])
        names = {span["name"] for span in found["spans"]}
        assert {"nightly orders", "shop_tasks.charge", "shop_tasks.send_receipt"} <= names
        ran = [span for span in found["spans"] if span["attributes"].get("sentry.op") == "queue.task.celery"]
        assert len(ran) == 2
        return found

    found = wait_until(whole, 15, "what was ordered and what ran")
    spans = {span["span_id"]: span for span in found["spans"]}
    [root] = [span for span in spans.values() if span["parent_span_id"] is None]
    assert root["name"] == "nightly orders" and root["attributes"]["sentry.op"] == "shop.night"
    for task, status in (("shop_tasks.charge", "error"), ("shop_tasks.send_receipt", "ok")):
        [run] = [span for span in spans.values() if span["name"] == task and
                 span["attributes"]["sentry.op"] == "queue.task.celery"]
        assert run["kind"] == "consumer" and run["status"] in (status, "unset" if status == "ok" else status)
        submitted = spans[run["parent_span_id"]]
        assert submitted["attributes"]["sentry.op"] == "queue.submit.celery" and submitted["kind"] == "producer"
        while submitted is not root:
            submitted = spans[submitted["parent_span_id"]]
    [listed] = found["events"]
    assert listed["event_id"] == event["event_id"] and event["span_id"] in spans
