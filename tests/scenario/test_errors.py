# SPDX-License-Identifier: Apache-2.0
"""Errors out of spans and logs: which become events, which are the same, what their stack traces say, and what an issue
remembers."""
import time

import pytest

import otlp_messages as otlp
from waiting import FACTOR, wait_until


@pytest.fixture(scope="module")
def culprit(shared):
    return shared.start()


@pytest.fixture(scope="module")
def client(shared, culprit):
    return shared.client(culprit)


def caught_up(culprit):
    return wait_until(lambda: culprit.api("/status")["inbox"]["lag_records"] == 0, 5, "the inbox to catch up")


def exception_values(kind, message, stacktrace=None):
    values = {"exception.type": kind, "exception.message": message}
    if stacktrace:
        values["exception.stacktrace"] = stacktrace
    return values


# --- the same exception seen twice


@pytest.mark.parametrize("order", ["span first", "log first", "one after the other"])
def test_p18_span_event_and_log_are_one_event(culprit, client, order):
    """OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN=logs/dup: the same exception by both signals."""
    kind = "Dup" + order.title().replace(" ", "")
    made = otlp.span(events=[otlp.exception_event(kind, "twice")])
    record = otlp.log("twice", severity=17, trace_id=made.trace_id, span_id=made.span_id,
                      values=exception_values(kind, "twice"))
    sends = [lambda: client.traces(otlp.traces([made])), lambda: client.logs(otlp.logs([record]))]
    if order == "log first":
        sends.reverse()
    for send in sends:
        assert send().ok
        if order == "one after the other":
            caught_up(culprit)  # committed before the second comes
    caught_up(culprit)
    assert culprit.wait_issue(type=kind)["count"] == 1
    assert len(culprit.find(made.trace_id.hex())["events"]) == 1


def test_what_differs_is_not_the_same(culprit, client):
    kind, other_span = "DifferentError", otlp.new_span_id()
    made = otlp.span(events=[otlp.exception_event(kind, "one"), otlp.exception_event(kind, "two")])
    same_trace = otlp.span(made.trace_id, events=[otlp.exception_event(kind, "one")], span_id=other_span)
    no_trace = [otlp.log("x", severity=17, values=exception_values(kind, "one")) for _ in range(2)]
    assert client.traces(otlp.traces([made, same_trace])).ok
    assert client.logs(otlp.logs(no_trace)).ok
    caught_up(culprit)
    assert sum(issue["count"] for issue in culprit.issues() if issue["type"] == kind) == 5


def test_a_repeated_request_is_counted_as_the_client_sent_it(culprit, client):
    """Events with a trace id are known again when a client re-sends after a lost answer."""
    request = otlp.traces([otlp.span(events=[otlp.exception_event("ResentError", "again")])])
    assert client.traces(request).ok and client.traces(request).ok
    caught_up(culprit)
    assert culprit.wait_issue(type="ResentError")["count"] == 1


# --- which become events


def test_logs_without_an_exception(culprit, client):
    """From severity ERROR on; grouped by the message with its numbers and ids taken out."""
    for number, severity in ((17, 17), (18, 21), (19, 13), (20, 9)):
        assert client.logs(otlp.logs([otlp.log(f"disk {number} is full", severity=severity)], "storage")).ok
    caught_up(culprit)
    found = [issue for issue in culprit.issues() if issue["title"].startswith("disk ")]
    assert [issue["count"] for issue in found] == [2]
    assert found[0]["services"] == ["storage"] and found[0]["type"] is None
    events = culprit.events_of(found[0])
    levels = {culprit.event(event["event_id"])["level"] for event in events}
    assert levels == {"error", "fatal"} and {event["source"] for event in events} == {"log"}


def test_an_exception_in_a_warning_is_an_error(culprit, client):
    record = otlp.log("handled", severity=13, values=exception_values("HandledError", "but reported"))
    assert client.logs(otlp.logs([record])).ok
    issue = culprit.wait_issue(type="HandledError")
    assert issue["level"] == "warning" and issue["value"] == "but reported"


def test_a_span_with_error_status_and_no_exception_is_no_event(culprit, client):
    made = otlp.span(error=True)
    assert client.traces(otlp.traces([made])).ok
    wait_until(lambda: culprit.find(made.trace_id.hex())["spans"], 5, "the span")
    caught_up(culprit)
    assert culprit.find(made.trace_id.hex())["events"] == []


def test_errors_are_counted_before_sampling(running):
    culprit = running.start(sampling_policies="[{probability: 0}]")
    client = running.client(culprit)
    made = otlp.span(events=[otlp.exception_event("DroppedError", "seen all the same")])
    assert client.traces(otlp.traces([made])).ok
    assert culprit.wait_issue(type="DroppedError")["count"] == 1
    wait_until(lambda: culprit.metrics().sum("culprit_sampling_dropped_traces_total") == 1, 5, "the verdict")
    found = culprit.find(made.trace_id.hex())
    assert found["spans"] == [] and len(found["events"]) == 1 and found["verdict"]["decision"] == "drop"


def test_within_a_second(culprit, client):
    for number in range(5):
        made = otlp.span(events=[otlp.exception_event(f"Quick{number}Error", "now")])
        assert client.traces(otlp.traces([made])).ok
        start = time.monotonic()
        culprit.wait_issue(type=f"Quick{number}Error")
        assert time.monotonic() - start < 1 * FACTOR


# --- stack traces

PYTHON = '''Traceback (most recent call last):
  File "/srv/shop/db.py", line 29, in connect
    return engine.connect()
  File "/usr/lib/python3/dist-packages/sqlalchemy/engine/base.py", line 3304, in raw_connection
    return self.pool.connect()
ConnectionError: refused

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/usr/lib/python3/dist-packages/starlette/routing.py", line 73, in app
    response = await f(request)
  File "/srv/shop/cart.py", line 12, in checkout
    raise CartError("cart is gone") from error
shop.errors.CartError: cart is gone
'''
JAVA = '''com.example.CartException: cart is gone
\tat com.example.cart.CartService.load(CartService.java:112)
\tat com.example.web.CartController.get(CartController.java:58)
\tat jakarta.servlet.http.HttpServlet.service(HttpServlet.java:658)
Caused by: java.sql.SQLException: locked
\tat com.example.db.Table.lock(Table.java:47)
\tat com.example.cart.CartService.load(CartService.java:104)
\t... 2 more
'''
JAVASCRIPT = '''TypeError: Cannot read properties of undefined (reading 'price')
    at formatTotal (/app/src/cart/total.js:17:24)
    at async CartPage.render (/app/src/pages/cart.js:88:12)
    at Layer.handle (/app/node_modules/express/lib/router/layer.js:95:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
'''
GO = '''goroutine 118 [running]:
runtime/debug.Stack()
\t/usr/local/go/src/runtime/debug/stack.go:24 +0x5e
go.opentelemetry.io/otel/sdk/trace.recordStackTrace()
\t/go/pkg/mod/go.opentelemetry.io/otel/sdk@v1.28.0/trace/span.go:558 +0x1f
go.opentelemetry.io/otel/sdk/trace.(*recordingSpan).RecordError(0xc0001, {0x9f3c20, 0xc0003})
\t/go/pkg/mod/go.opentelemetry.io/otel/sdk@v1.28.0/trace/span.go:443 +0x3c
example.com/shop/payments/issuer.(*Client).Authorize(0xc0001a4000, {0x9f3c20, 0xc000318a50})
\t/src/payments/issuer/client.go:93 +0x2a5
example.com/shop/payments/api.(*Server).pay(0xc00012e0f0)
\t/src/payments/api/pay.go:61 +0x1d2
net/http.HandlerFunc.ServeHTTP(0xc0003a2000?, {0x9f2ee0?, 0xc0002d8000?})
\t/usr/local/go/src/net/http/server.go:2166 +0x29
'''

# (exception types, oldest cause first; the frames of the one raised, the crash last: function, file's end, line, in app)
STACKS = {
    "python": (PYTHON, "shop.errors.CartError", "cart is gone", ["ConnectionError", "CartError"], [
        ("app", "starlette/routing.py", 73, False), ("checkout", "cart.py", 12, True)]),
    "java": (JAVA, "com.example.CartException", "cart is gone", ["SQLException", "CartException"], [
        ("service", "HttpServlet.java", 658, False), ("get", "CartController.java", 58, True),
        ("load", "CartService.java", 112, True)]),
    "nodejs": (JAVASCRIPT, "TypeError", "Cannot read properties of undefined (reading 'price')", ["TypeError"], [
        ("process.processTicksAndRejections", "task_queues", 95, False), ("Layer.handle", "router/layer.js", 95, False),
        ("CartPage.render", "pages/cart.js", 88, True), ("formatTotal", "cart/total.js", 17, True)]),
    "go": (GO, "*errors.errorString", "issuer timed out", ["*errors.errorString"], [
        ("HandlerFunc.ServeHTTP", "net/http/server.go", 2166, False), ("(*Server).pay", "api/pay.go", 61, True),
        ("(*Client).Authorize", "issuer/client.go", 93, True)]),
}
PLATFORMS = {"python": {"python"}, "java": {"java"}, "nodejs": {"node", "javascript"}, "go": {"go"}}


def document_of(culprit, issue):
    return culprit.event(culprit.api(f"/issues/{issue['id']}")["latest_event"])["document"]


@pytest.mark.parametrize("language", STACKS)
@pytest.mark.parametrize("told", [True, False], ids=["language told", "language unknown"])
def test_stack_traces(culprit, client, language, told):
    text, kind, message, types, frames = STACKS[language]
    service = f"{language}-{told}"
    resource = {"telemetry.sdk.language": language} if told else {}
    made = otlp.span(events=[otlp.exception_event(kind, message, text)])
    assert client.traces(otlp.traces([made], service, **resource)).ok
    [event] = wait_until(lambda: culprit.find(made.trace_id.hex())["events"], 5, "the event")
    details = culprit.event(event["event_id"])
    assert details["platform"] in PLATFORMS[language] and details["service"] == service
    values = details["document"]["exception"]["values"]
    assert [value["type"].rsplit(".", 1)[-1] if language != "go" else value["type"] for value in values] == types
    assert values[-1]["value"] == message
    assert values[-1]["raw_stacktrace_text"] == text
    found = values[-1]["stacktrace"]["frames"]
    assert len(found) == len(frames), [frame["function"] for frame in found]
    for frame, (function, file, line, in_app) in zip(found, frames):
        assert frame["function"].endswith(function), frame
        assert (frame.get("abs_path") or frame["filename"]).endswith(file), frame
        assert frame["lineno"] == line and frame["in_app"] is in_app, frame
    if len(values) == 2:
        assert values[0]["stacktrace"]["frames"][-1]["in_app"] is (language == "java")
    # Whether the language was told makes no difference to where it belongs.
    issue = culprit.api(f"/issues/{event['issue_id']}")
    assert set(issue["services"]) <= {f"{language}-True", f"{language}-False"}


def test_text_that_is_no_stack_trace_is_kept(culprit, client):
    text = "something went wrong\nsomewhere, at some line\n"
    assert client.traces(otlp.traces([otlp.span(events=[otlp.exception_event("OddError", "odd", text)])])).ok
    [value] = document_of(culprit, culprit.wait_issue(type="OddError"))["exception"]["values"]
    assert value["raw_stacktrace_text"] == text and not value.get("stacktrace", {}).get("frames")


def muted_parts(component):
    """(id, hint) of every part below that does not contribute."""
    for part in component["values"]:
        if isinstance(part, dict):
            if not part["contributes"]:
                yield part["id"], part["hint"]
            yield from muted_parts(part)


def test_grouping_by_type_and_frames(culprit, client):
    """The message and library frames make no difference, an in-app function does."""

    def send(message, function="checkout", library="routing"):
        text = (f'Traceback (most recent call last):\n  File "/usr/lib/python3/dist-packages/{library}.py", line 1, in x\n'
                f'    y()\n  File "/srv/shop/grouped.py", line 5, in {function}\n    z()\nGroupError: {message}\n')
        made = otlp.span(events=[otlp.exception_event("GroupError", message, text)])
        assert client.traces(otlp.traces([made], **{"telemetry.sdk.language": "python"})).ok

    send("first")
    send("second, another text")
    send("first", library="other")
    send("first", function="refund")
    caught_up(culprit)
    counts = sorted(issue["count"] for issue in culprit.issues() if issue["type"] == "GroupError")
    assert counts == [1, 3]
    issue = next(issue for issue in culprit.issues() if issue["type"] == "GroupError" and issue["count"] == 3)
    assert "checkout" in issue["culprit"]
    grouping = culprit.event(culprit.api(f"/issues/{issue['id']}")["latest_event"])["grouping"]
    assert grouping["algorithm"] and any(variant["contributes"] for variant in grouping["variants"].values())
    # What does not count is there too, and says why.
    muted = list(muted_parts(grouping["variants"]["app"]["component"]))
    assert ("frame", "non app frame") in muted, muted


def test_grouping_without_frames(culprit, client):
    """By type and the message with what varies taken out."""
    for message in ("user 17 not found", "user 4711 not found", "no such shelf"):
        assert client.traces(otlp.traces([otlp.span(events=[otlp.exception_event("LookupFailed", message)])])).ok
    caught_up(culprit)
    assert sorted(issue["count"] for issue in culprit.issues() if issue["type"] == "LookupFailed") == [1, 2]


# --- what an issue remembers


def test_an_issue_of_many_events(culprit, client):
    hour = 3600 * 10**9
    now = time.time_ns()
    for batch in range(3):
        spans = [otlp.span(events=[otlp.exception_event("ManyError", "many", at_ns=now - (2 - batch) * hour + i)])
                 for i in range(50)]
        request = otlp.traces(spans, f"service-{batch}", **{"service.version": f"1.{batch}",
                                                             "deployment.environment.name": f"env-{batch}"})
        assert client.traces(request).ok
    caught_up(culprit)
    issue = culprit.wait_issue(type="ManyError", count=150)
    assert issue["services"] == ["service-0", "service-1", "service-2"]
    assert issue["environments"] == ["env-0", "env-1", "env-2"] and issue["releases"] == ["1.0", "1.1", "1.2"]
    assert issue["sparkline"][-3:] == [50, 50, 50] and len(issue["sparkline"]) == 24
    events, cursor = [], {}
    while True:
        page = culprit.api(f"/issues/{issue['id']}/events", limit=40, **cursor)
        events += page["events"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert len(events) == len({event["event_id"] for event in events}) == 101  # the newest 100 and the first
    times = [event["timestamp"] for event in events]
    assert times == sorted(times, reverse=True)
    details = culprit.api(f"/issues/{issue['id']}")
    assert details["latest_event"] == events[0]["event_id"] and details["first_event"] == events[-1]["event_id"]
    assert culprit.event(details["latest_event"])["previous"] == events[1]["event_id"]
    assert issue["first_seen"] == times[-1] and issue["last_seen"] == times[0]


def test_filters_and_sorting(culprit, client):
    def send(kind, message, service, environment, times=1):
        spans = [otlp.span(events=[otlp.exception_event(kind, message)]) for _ in range(times)]
        assert client.traces(otlp.traces(spans, service, **{"deployment.environment.name": environment})).ok

    send("FilterA", "alpha needle", "filter-one", "filter-prod", 3)
    send("FilterB", "beta", "filter-two", "filter-prod", 2)
    send("FilterC", "gamma", "filter-two", "filter-test")
    caught_up(culprit)

    def types(**query):
        return [issue["type"] for issue in culprit.issues(**query) if str(issue["type"]).startswith("Filter")]

    assert types(query="needle") == ["FilterA"]
    assert sorted(types(service="filter-two")) == ["FilterB", "FilterC"]
    assert sorted(types(environment="filter-prod")) == ["FilterA", "FilterB"]
    assert types(service="filter-two", environment="filter-test") == ["FilterC"]
    assert types(sort="count") == ["FilterA", "FilterB", "FilterC"]
    assert types(sort="last_seen") == ["FilterC", "FilterB", "FilterA"] == types(sort="first_seen")
    everything = culprit.api("/issues", status="all", limit=1)
    assert len(everything["issues"]) == 1 and everything["next"]
    assert {"filter-one", "filter-two"} <= set(everything["services"])
    error = culprit.api("/issues", code=400, sort="wrong")["error"]
    assert error["field"] == "sort"
    culprit.api("/issues", code=400, nonsense="1")


def test_resolve_and_regress(culprit, client):
    def send():
        assert client.traces(otlp.traces([otlp.span(events=[otlp.exception_event("BackError", "again")])])).ok

    send()
    issue = culprit.wait_issue(type="BackError")
    assert issue["status"] == "unresolved" and issue["substatus"] == "new"
    assert culprit.patch(f"/issues/{issue['id']}", {"status": "resolved"})["status"] == "resolved"
    assert "BackError" not in [i["type"] for i in culprit.issues(status="unresolved")]
    assert "BackError" in [i["type"] for i in culprit.issues(status="resolved")]
    send()
    back = culprit.wait_issue(type="BackError", count=2)
    assert back["status"] == "unresolved" and back["substatus"] == "regressed"
    assert culprit.patch(f"/issues/{issue['id']}", {"status": "muted"})["status"] == "muted"
    send()
    assert culprit.wait_issue(type="BackError", count=3)["status"] == "muted"
    kinds = [entry["kind"] for entry in culprit.api(f"/issues/{issue['id']}")["history"]]
    assert kinds in (["first_seen", "resolved", "regressed", "muted"], ["muted", "regressed", "resolved", "first_seen"])
    culprit.patch(f"/issues/{issue['id']}", {"status": "gone"}, code=400)
    culprit.patch("/issues/999999", {"status": "resolved"}, code=404)
    code, _, _ = culprit.request("PATCH", f"/api/v1/issues/{issue['id']}", b'{"status":"resolved"}',
                                 {"Content-Type": "application/json", "Origin": "https://evil.example.org"})
    assert code == 403
    code, _, _ = culprit.request("PATCH", f"/api/v1/issues/{issue['id']}", b'{"status":"resolved"}',
                                 {"Content-Type": "text/plain"})
    assert code == 403


def test_issues_survive_a_restart(running):
    culprit = running.start()
    client = running.client(culprit)
    request = otlp.traces([otlp.span(events=[otlp.exception_event("KeptError", "over a restart")])])
    assert client.traces(request).ok
    before = culprit.wait_issue(type="KeptError")
    culprit.patch(f"/issues/{before['id']}", {"status": "muted"})
    culprit.stop()
    culprit = running.start(culprit.data_dir)
    after = culprit.wait_issue(type="KeptError")
    assert (after["id"], after["count"], after["status"]) == (before["id"], 1, "muted")
    # What was sent before the restart is known again after it.
    assert running.client(culprit).traces(request).ok
    caught_up(culprit)
    assert culprit.wait_issue(type="KeptError")["count"] == 1
