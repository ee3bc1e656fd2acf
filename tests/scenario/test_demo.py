# SPDX-License-Identifier: Apache-2.0
"""culprit demo: the first page of a new installation is not empty."""
import re

from culprit_process import run
from waiting import wait_until

SERVICES = {"gateway", "web-frontend", "checkout", "inventory", "payments"}


def test_demo_fills_the_inbox(running):
    backend = running.backend()
    culprit = running.start(backend=backend)
    code, out, err = run("demo", "--endpoint", f"http://{culprit.http}", "--seconds", "3")
    assert code == 0, err
    wait_until(lambda: len({issue["type"] for issue in culprit.issues()}) == 5, 5, "five kinds of exceptions")
    issues = culprit.issues()
    assert {issue["platform"] for issue in issues} == {"python", "java", "node", "go"}
    for issue in issues:
        details = culprit.event(culprit.api(f"/issues/{issue['id']}")["latest_event"])
        frames = details["document"]["exception"]["values"][-1]["stacktrace"]["frames"]
        assert any(frame["in_app"] for frame in frames), issue
        assert details["trace_id"] and details["request_id"]

    status = culprit.api("/status")
    assert status["received"]["traces"]["refused"] == status["received"]["traces"]["rejected"] == 0
    wait_until(lambda: len(backend.items()) == culprit.api("/status")["received"]["traces"]["items"], 10, "all spans")
    sizes = {}
    for span in backend.spans():
        sizes[span.trace_id] = sizes.get(span.trace_id, 0) + 1
    assert len(sizes) == 60 and min(sizes.values()) >= 5 and max(sizes.values()) <= 40 and max(sizes.values()) >= 15

    # A request with an error: by its request id, over several services, with logs.
    latest = culprit.event(culprit.api(f"/issues/{issues[0]['id']}")["latest_event"])
    found = culprit.find(latest["request_id"])
    assert len({span["service"] for span in found["spans"]}) >= 2 and found["logs"] and found["events"]
    assert {span["service"] for span in found["spans"]} <= SERVICES
    assert found["verdict"]["decision"] == "keep"
    assert re.search(r"\d", out)  # it says how much it sent


def test_demo_finds_the_instance_by_its_data_directory(running):
    culprit = running.start()
    code, _, err = run("demo", "--seconds", "1", data_dir=str(culprit.data_dir))
    assert code == 0, err
    assert culprit.api("/status")["received"]["traces"]["requests"] == 20


def test_demo_without_an_instance():
    code, _, err = run("demo", "--endpoint", "http://127.0.0.1:1", "--seconds", "1")
    assert code == 1 and "127.0.0.1 port 1" in err
    assert run("demo", "--seconds", "0")[0] == 2
