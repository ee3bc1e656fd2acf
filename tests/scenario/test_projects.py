# SPDX-License-Identifier: Apache-2.0
"""Projects: made and changed over the API and by the command line, beside a running instance, which follows at once;
what is set for one project holds for its data and for no other's."""
import json
import sqlite3

import pytest
import sentry_sdk
import sentry_sdk.logger

import otlp_messages as otlp
from culprit_process import run
from otlp_client import CONTENT_TYPES
from sentry_messages import Sender, envelope, event_envelope, frame, item, new_event_id
from waiting import wait_until

CANARY = "hunter2canary"
FILTERED = "[Filtered]"


def send_json(culprit, method, path, document=None, code=200):
    """A change over the API, the JSON of its answer."""
    body = None if document is None else json.dumps(document).encode()
    status, _, text = culprit.request(method, "/api/v1" + path, body, {"Content-Type": "application/json"})
    assert status == code, f"{method} {path}: {status} {text[:400]!r}"
    return json.loads(text)


def make_project(culprit, slug, **settings):
    project = send_json(culprit, "POST", "/projects", {"slug": slug}, 201)
    if settings:
        project = set_project(culprit, slug, **settings)
    return project


def set_project(culprit, slug, code=200, **settings):
    return send_json(culprit, "PATCH", f"/projects/{slug}", {"settings": settings}, code)


def sender_of(culprit, project):
    return Sender(culprit, project["dsn"], int(project["id"]))


def event_named(kind, **members):
    return {"platform": "python", "exception": {"values": [
        {"type": kind, "value": "no price", "stacktrace": {"frames": [frame("main"), frame("price_of")]}}]}, **members}


def document_of(culprit, event_id):
    """The event once it is in the inbox, without what names it."""
    return wait_until(lambda: culprit.request("GET", f"/api/v1/events/{event_id}")[0] == 200
                      and culprit.event(event_id), 10, "the event")["document"]


def post_event(sender, event, code=200):
    event_id = new_event_id()
    status, reply, headers = sender.post(event_envelope(event, event_id))
    assert status == code, reply
    return event_id, headers


# --- projects and keys


def test_a_project_made_over_the_api_works_at_once(running):
    culprit = running.start()
    assert [project["slug"] for project in culprit.api("/projects")["projects"]] == ["default"]
    project = make_project(culprit, "shop")
    [key] = project["keys"]
    assert project["dsn"] == key["dsn"] == f"http://{key['key']}@{culprit.http}/{project['id']}" and key["active"]
    sender = sender_of(culprit, project)
    post_event(sender, event_named("ShopError"))
    issue = culprit.wait_issue(10, type="ShopError")
    assert issue["project"] == "shop" and issue["short_id"] == "SHOP-1"
    code, printed, _ = run("project", "list", data_dir=culprit.data_dir)
    assert code == 0 and project["dsn"] in printed
    listed = culprit.api("/projects")["projects"]
    assert listed[1]["keys"] == project["keys"] and culprit.api("/projects/shop") == project


def test_only_a_new_project_makes_a_data_directory(tmp_path):
    """Started in the wrong place a list would print a key that no running culprit knows."""
    data_dir = tmp_path / "data"
    for arguments in (["list"], ["key", "default"], ["rules", "default"], ["revoke", "default", "0" * 32]):
        code, printed, errors = run("project", *arguments, data_dir=data_dir)
        assert (code, printed) == (1, "") and str(data_dir) in errors and "CULPRIT_DATA_DIR" in errors
        assert not data_dir.exists()
    code, dsn, _ = run("project", "create", "shop", data_dir=data_dir)
    assert code == 0 and dsn.startswith("http://")
    code, printed, _ = run("project", "list", data_dir=data_dir)
    assert code == 0 and dsn in printed


def test_an_sdk_that_names_no_service_is_its_project(running):
    """The same in the list of errors, its filter, the event and the request with its spans and logs."""
    culprit = running.start()
    project = make_project(culprit, "shop")
    request_id = "request-of-no-service"
    with sentry_sdk.new_scope():
        client = sentry_sdk.Client(dsn=project["dsn"], traces_sample_rate=1.0, enable_logs=True, release="9f2c1d7",
                                   default_integrations=False)
        scope = sentry_sdk.get_current_scope()
        scope.set_client(client)
        with sentry_sdk.start_transaction(op="task", name="price all") as transaction:
            transaction.set_data("request_id", request_id)
            scope.set_tag("request_id", request_id)
            sentry_sdk.logger.error("no price", attributes={"request_id": request_id})
            sentry_sdk.capture_exception(LookupError("no price"))
        scope.set_tag("service", "pricing")
        sentry_sdk.capture_exception(ArithmeticError("no sum"))
        client.close(timeout=10)
    issue = culprit.wait_issue(10, type="LookupError")
    assert issue["services"] == ["shop"]
    assert culprit.wait_issue(10, type="ArithmeticError")["services"] == ["pricing"]
    found = {service: [each["type"] for each in culprit.api(f"/issues?service={service}")["issues"]]
             for service in ("shop", "pricing")}
    assert "LookupError" in found["shop"] and found["pricing"] == ["ArithmeticError"]
    assert set(culprit.api("/issues")["services"]) == {"shop", "pricing"}
    [listed] = culprit.api(f"/issues/{issue['id']}/events")["events"]
    assert listed["service"] == "shop" and culprit.event(listed["event_id"])["service"] == "shop"

    def whole():
        request = culprit.find(request_id)
        return request if request["spans"] and request["logs"] and len(request["events"]) == 2 else None

    request = wait_until(whole, 15, "the request with its span, log and errors")
    assert {each["service"] for kind in ("spans", "logs") for each in request[kind]} == {"shop"}
    assert {each["title"]: each["service"] for each in request["events"]} == {
        "LookupError: no price": "shop", "ArithmeticError: no sum": "pricing"}


def test_keys_come_and_go_at_once(running):
    culprit = running.start()
    project = make_project(culprit, "shop")
    first = sender_of(culprit, project)
    second = send_json(culprit, "POST", "/projects/shop/keys", code=201)
    sender = Sender(culprit, second["dsn"], int(project["id"]))
    post_event(sender, event_named("A"))
    path = f"/projects/shop/keys/{second['key']}"
    for _ in range(5):
        assert send_json(culprit, "PATCH", path, {"active": False})["active"] is False
        assert sender.post(event_envelope(event_named("A")))[0] == 403
        post_event(first, event_named("A"))
        assert send_json(culprit, "PATCH", path, {"active": True}) == second
        post_event(sender, event_named("A"))
    assert [key["key"] for key in send_json(culprit, "DELETE", path)["keys"]] == [first.key]
    status, reply, _ = sender.post(event_envelope(event_named("A")))
    assert status == 403 and reply["causes"]
    send_json(culprit, "DELETE", path, code=404)
    send_json(culprit, "PATCH", f"/projects/default/keys/{first.key}", {"active": False}, 404)  # another project's
    send_json(culprit, "PATCH", f"/projects/shop/keys/{first.key}", {"active": False})
    assert culprit.api("/projects/shop")["dsn"] is None


def test_the_command_line_is_followed(running):
    culprit = running.start()
    code, printed, errors = run("project", "create", "shop", data_dir=culprit.data_dir)
    assert code == 0, errors
    dsn = printed.strip()
    project = culprit.api("/projects/shop")
    assert project["dsn"] == dsn
    sender = sender_of(culprit, project)
    post_event(sender, event_named("A"))  # at its first use
    code, printed, _ = run("project", "key", "shop", data_dir=culprit.data_dir)
    assert code == 0
    second = Sender(culprit, printed.strip(), int(project["id"]))
    wait_until(lambda: second.post(event_envelope(event_named("A")))[0] == 200, 2, "the second key to be honoured")
    code, _, errors = run("project", "revoke", "shop", sender.key, data_dir=culprit.data_dir)
    assert code == 0, errors
    wait_until(lambda: sender.post(event_envelope(event_named("A")))[0] == 403, 2, "the key to be refused")
    for arguments in (["revoke", "shop", "0" * 32], ["key", "nobody"], ["create", "shop"], ["create", "No!"]):
        code, _, errors = run("project", *arguments, data_dir=culprit.data_dir)
        assert code == 1 and errors.startswith(f"culprit project {arguments[0]}: ")


def test_what_is_wrong_is_said(running):
    culprit = running.start(ingest_public_url="https://errors.example/in/")
    project = make_project(culprit, "shop")
    assert project["dsn"] == f"https://{project['keys'][0]['key']}@errors.example/in/{project['id']}"
    bad = [
        ("POST", "/projects", {"slug": "shop"}, 409, "slug"), ("POST", "/projects", {"slug": "A b"}, 400, "slug"),
        ("POST", "/projects", {}, 400, "slug"), ("POST", "/projects", {"slug": "a", "x": 1}, 400, "x"),
        ("PATCH", "/projects/nobody", {"settings": {"events_per_minute": 1}}, 404, "slug"),
        ("PATCH", "/projects/shop", {}, 400, "settings"), ("PATCH", "/projects/shop", {"settings": 1}, 400, "settings"),
        ("PATCH", "/projects/shop", {"settings": {"scrub": 1}}, 400, "settings.scrub"),
        ("PATCH", "/projects/shop", {"settings": {"scrub": {"on": True}}}, 400, "settings.scrub.on"),
        ("PATCH", "/projects/shop", {"settings": {"scrub": {"enabled": 1}}}, 400, "settings.scrub.enabled"),
        ("PATCH", "/projects/shop", {"settings": {"scrub": {"safe_keys": ["a", ""]}}}, 400, "settings.scrub.safe_keys"),
        ("PATCH", "/projects/shop", {"settings": {"scrub": {"sensitive_keys": ["k"] * 101}}}, 400,
         "settings.scrub.sensitive_keys"),
        ("PATCH", "/projects/shop", {"settings": {"logs_per_minute": -1}}, 400, "settings.logs_per_minute"),
        ("PATCH", "/projects/shop", {"settings": {"logs_per_minute": 1.5}}, 400, "settings.logs_per_minute"),
        ("PATCH", "/projects/shop", {"settings": {"enhancements": "x" * (100 * 1024 + 1)}}, 413,
         "settings.enhancements"),
        ("PATCH", f"/projects/shop/keys/{project['keys'][0]['key']}", {}, 400, "active"),
    ]
    for method, path, document, code, field in bad:
        assert send_json(culprit, method, path, document, code)["error"]["field"] == field, (path, document)
    status, _, _ = culprit.request("POST", "/api/v1/projects", b'{"slug":"x"}', {"Content-Type": "text/plain"})
    assert status == 403
    assert culprit.api("/projects/shop") == project


# --- scrubbing


def leaky(request_id):
    return event_named("LoginError", tags={"request_id": request_id}, user={"ip_address": "203.0.113.7"},
                       extra={"password": CANARY, "tax_number": "tax-1", "note": "from 203.0.113.7"})


def test_each_project_is_scrubbed_in_its_own_way(running):
    culprit = running.start()
    projects = {
        "plain": make_project(culprit, "plain"),
        "off": make_project(culprit, "off", scrub={"enabled": False}),
        "strict": make_project(culprit, "strict", scrub={"sensitive_keys": ["tax_number"], "ip_addresses": True}),
        "own": make_project(culprit, "own", scrub={"defaults": False, "sensitive_keys": ["tax"]}),
        "safe": make_project(culprit, "safe", scrub={"safe_keys": ["password"]}),
    }
    expected = {  # password, tax_number, address
        "plain": (FILTERED, "tax-1", True), "off": (CANARY, "tax-1", True), "strict": (FILTERED, FILTERED, False),
        "own": (CANARY, FILTERED, True), "safe": (CANARY, "tax-1", True),
    }
    for name, project in projects.items():
        sender = sender_of(culprit, project)
        for _ in range(2):  # the second time what was remembered of keys must not be another project's
            document = document_of(culprit, post_event(sender, leaky("r"))[0])
            found = (document["extra"]["password"], document["extra"]["tax_number"], "203.0.113.7" in document["extra"]["note"])
            assert found == expected[name], name
    set_project(culprit, "off", scrub=None)  # takes it all back
    document = document_of(culprit, post_event(sender_of(culprit, projects["off"]), leaky("r"))[0])
    assert document["extra"]["password"] == FILTERED


def otlp_request(culprit, project, request_id, values):
    """One span over the project's own OTLP path, as it was stored."""
    span = otlp.span(values={"request_id": request_id, **values})
    key = project["keys"][0]["key"]
    status, _, body = culprit.request(
        "POST", f"/api/{project['id']}/integration/otlp/v1/traces", otlp.traces([span]).SerializeToString(),
        {"Content-Type": "application/x-protobuf", "X-Sentry-Auth": f"Sentry sentry_version=7, sentry_key={key}"},
        culprit.http)
    assert status == 200, body
    [found] = wait_until(lambda: culprit.find(request_id)["spans"], 10, "the span")
    return found["attributes"]


def test_spans_and_logs_too(running):
    culprit = running.start()
    plain, off = make_project(culprit, "plain"), make_project(culprit, "off", scrub={"enabled": False})
    strict = make_project(culprit, "strict", scrub={"sensitive_keys": ["tax_number"]})
    values = {"db.password": CANARY, "tax_number": "tax-1"}
    for _ in range(3):
        for project, expected in ((plain, (FILTERED, "tax-1")), (off, (CANARY, "tax-1")), (strict, (FILTERED, FILTERED))):
            found = otlp_request(culprit, project, otlp.new_request_id(), values)
            assert (found["db.password"], found["tax_number"]) == expected, project["slug"]
    # Logs and transactions of an SDK, and the OTLP port, whose project is the default one.
    request_id, trace_id = otlp.new_request_id(), otlp.new_trace_id().hex()
    log = {"items": [{"timestamp": 1e9, "level": "warn", "body": "in", "trace_id": trace_id, "attributes": {
        "tax_number": {"type": "string", "value": "tax-1"}, "request_id": {"type": "string", "value": request_id}}}]}
    status, reply, _ = sender_of(culprit, strict).post(envelope(item(
        "log", log, item_count=1, content_type="application/vnd.sentry.items.log+json")))
    assert status == 200, reply
    [stored] = wait_until(lambda: culprit.find(request_id)["logs"], 10, "the log")
    assert stored["attributes"]["tax_number"] == FILTERED
    client = running.client(culprit)
    for settings, expected in (({"enabled": False}, CANARY), (None, FILTERED)):
        set_project(culprit, "default", scrub=settings)
        request_id = otlp.new_request_id()
        assert client.traces(otlp.traces([otlp.span(values={"request_id": request_id, "api_key": CANARY})])).ok
        [span] = wait_until(lambda: culprit.find(request_id)["spans"], 10, "the span")
        assert span["attributes"]["api_key"] == expected


def test_settings_survive_and_nothing_reaches_the_disk(running):
    culprit = running.start()
    project = make_project(culprit, "strict", scrub={"sensitive_keys": ["tax_number"]}, events_per_minute=1000)
    culprit.stop()
    culprit = running.start(culprit.data_dir)
    assert culprit.api("/projects/strict")["settings"] == project["settings"]
    event = event_named("LoginError", extra={"tax_number": CANARY})
    post_event(Sender(culprit, project["dsn"], int(project["id"])), event)
    culprit.wait_issue(10, type="LoginError")
    culprit.stop()
    for path in culprit.data_dir.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path
    with sqlite3.connect(culprit.data_dir / "culprit.db") as database:
        assert database.execute("SELECT count(*) FROM event").fetchone() == (1,)


# --- grouping rules


def two_events(sender, kinds):
    return [post_event(sender, event_named(kind))[0] for kind in kinds]


def issue_of(culprit, event_id):
    document_of(culprit, event_id)
    return culprit.event(event_id)["issue"]["id"]


def test_rules_of_a_project_group_its_events(running):
    culprit = running.start()
    ruled, other = make_project(culprit, "ruled"), make_project(culprit, "other")
    set_project(culprit, "ruled", fingerprint_rules='type:Shop* -> shop, {{ default }} title="Shop is down"\n'
                                                    "type:Cart* -> cart\n",
                enhancements="stack.function:price_of -app\n")
    stored = culprit.api("/projects/ruled")["settings"]
    assert stored["enhancements"] == "stack.function:price_of -app\n" and "cart" in stored["fingerprint_rules"]
    cart = None
    for project, together in ((ruled, True), (other, False)):
        first, second = two_events(sender_of(culprit, project), ["CartEmpty", "CartGone"])
        assert (issue_of(culprit, first) == issue_of(culprit, second)) is together
        frames = culprit.event(first)["document"]["exception"]["values"][0]["stacktrace"]["frames"]
        assert [one["in_app"] for one in frames] == [True, not together]
        cart = cart or issue_of(culprit, first)
    titled = post_event(sender_of(culprit, ruled), event_named("ShopError"))[0]
    document_of(culprit, titled)
    assert culprit.event(titled)["title"] == "Shop is down"
    set_project(culprit, "ruled", fingerprint_rules=None)  # in force for the next event, and the old issue is found
    again = post_event(sender_of(culprit, ruled), event_named("CartEmpty"))[0]
    assert issue_of(culprit, again) == cart  # the hash of the rule that is gone leads there for 30 days
    assert "custom-fingerprint" not in culprit.event(again)["grouping"]["variants"]
    assert culprit.api("/projects/ruled")["settings"]["enhancements"] == "stack.function:price_of -app\n"


def test_a_bad_rule_is_refused_with_its_place(running, tmp_path):
    culprit = running.start()
    project = make_project(culprit, "shop", enhancements="function:a -group")
    error = set_project(culprit, "shop", 400, enhancements="# ok\nfunction:a -group\n  function:b -grup\n")["error"]
    assert (error["line"], error["column"], error["field"]) == (3, 14, "settings.enhancements")
    assert error["message"].startswith("line 3, column 14: unknown action 'grup'; known are +app, -app, +group")
    error = set_project(culprit, "shop", 400, fingerprint_rules="tipe:T -> a", events_per_minute=5)["error"]
    assert (error["line"], error["column"]) == (1, 1) and "tags.NAME" in error["message"]
    assert culprit.api("/projects/shop")["settings"] == project["settings"]
    rules = tmp_path / "rules.txt"
    rules.write_text("function:a -grup\nfunction:b -group\nnothing\n")
    code, _, errors = run("project", "rules", "shop", "--stack", str(rules), data_dir=culprit.data_dir)
    assert code == 1 and f"{rules}:1:12: unknown action 'grup'" in errors and f"{rules}:3:1: unknown matcher" in errors
    assert culprit.api("/projects/shop")["settings"] == project["settings"]


def test_rules_of_the_command_line_are_followed(running, tmp_path):
    culprit = running.start()
    project = make_project(culprit, "shop", enhancements="function:a -group\n")
    rules = tmp_path / "rules.txt"
    rules.write_text("# a team's\ntype:Cart* -> cart\n")
    code, printed, errors = run("project", "rules", "shop", "--fingerprint", str(rules), data_dir=culprit.data_dir)
    assert code == 0 and printed == f"{rules}: 1 rules\n", errors
    first, second = two_events(sender_of(culprit, project), ["CartEmpty", "CartGone"])
    assert issue_of(culprit, first) == issue_of(culprit, second)
    code, printed, _ = run("project", "rules", "shop", data_dir=culprit.data_dir)
    assert code == 0 and "function:a -group\n" in printed and rules.read_text() in printed


# --- rate limits


def test_what_is_over_the_limit_is_refused_with_the_time(running):
    culprit = running.start()
    project = make_project(culprit, "shop", events_per_minute=3)
    other, sender = sender_of(culprit, make_project(culprit, "other")), sender_of(culprit, project)
    for _ in range(3):
        _, headers = post_event(sender, event_named("A"))
        assert "X-Sentry-Rate-Limits" not in headers
    status, reply, headers = sender.post(event_envelope(event_named("A")))
    assert status == 429 and reply["causes"] == ["over the project's rate limit"]
    seconds, rest = headers["X-Sentry-Rate-Limits"].split(":", 1)
    assert rest == "error;default:project:quota" and headers["Retry-After"] == seconds and 1 <= int(seconds) <= 20
    # Others go on: another project, another category, and what else the envelope has.
    post_event(other, event_named("A"))
    log = {"items": [{"timestamp": 1e9, "level": "error", "body": "in", "trace_id": otlp.new_trace_id().hex()}]}
    logs = item("log", log, item_count=1, content_type="application/vnd.sentry.items.log+json")
    status, _, headers = sender.post(envelope(logs))
    assert status == 200 and "X-Sentry-Rate-Limits" not in headers
    status, _, headers = sender.post(envelope(item("event", event_named("A")), logs, event_id=new_event_id()))
    assert status == 200 and headers["X-Sentry-Rate-Limits"].endswith(":error;default:project:quota")
    metrics = culprit.metrics()
    assert metrics.sum("culprit_sentry_limited_total", category="error") == 2
    assert metrics.sum("culprit_sentry_items_total", type="event", outcome="refused") == 2
    assert metrics.sum("culprit_sentry_items_total", type="event", outcome="accepted") == 4
    set_project(culprit, "shop", events_per_minute=0)  # in force at once
    post_event(sender, event_named("A"))
    set_project(culprit, "shop", logs_per_minute=1)
    assert sender.post(envelope(logs))[0] == 200
    status, _, headers = sender.post(envelope(logs))
    assert status == 429 and headers["X-Sentry-Rate-Limits"].endswith(":log_item:project:quota")


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_otlp_to_a_project_is_limited_in_its_own_form(running, encoding):
    culprit = running.start()
    project = make_project(culprit, "shop", logs_per_minute=6, transactions_per_minute=4)
    client = running.client(culprit, encoding)

    def send(signal, message, project=project):
        key = project["dsn"].split("//")[1].split("@")[0]
        return client.post(f"/api/{project['id']}/integration/otlp/v1/{signal}", client.encode(message), {
            "Content-Type": CONTENT_TYPES[encoding], "X-Sentry-Auth": f"Sentry sentry_key={key}"}, signal)

    def assert_limited(answer, category):
        assert answer.meaning == "exhausted" and answer.message == "over the project's rate limit"
        assert answer.headers["X-Sentry-Rate-Limits"] == f"{int(answer.retry_s)}:{category}:project:quota"
        assert answer.headers["Retry-After"] == str(int(answer.retry_s)) and 1 <= answer.retry_s <= 60

    for _ in range(3):
        assert send("logs", otlp.several("logs", 2)).ok
    assert_limited(send("logs", otlp.several("logs", 2)), "log_item")
    # Of spans those count that begin a service's part.
    trace_id, parent = otlp.new_trace_id(), otlp.new_span_id()
    children = otlp.traces([otlp.span(trace_id, parent=parent) for _ in range(10)])
    for _ in range(2):
        assert send("traces", children).ok and send("traces", otlp.several("traces", 2)).ok
    assert_limited(send("traces", otlp.several("traces", 1)), "transaction")
    assert send("traces", children).ok
    # Neither another project nor the door for everybody is meant.
    assert send("logs", otlp.several("logs", 2), make_project(culprit, "other")).ok
    assert client.logs(otlp.several("logs", 20)).ok and client.traces(otlp.several("traces", 20)).ok
    metrics = culprit.metrics()
    assert metrics.sum("culprit_sentry_limited_total", category="log_item") == 2
    assert metrics.sum("culprit_sentry_limited_total", category="transaction") == 1
    for signal in ("logs", "traces"):
        assert metrics.sum("culprit_refused_requests_total", signal=signal, reason="rate limited") == 1
    set_project(culprit, "shop", logs_per_minute=0)  # in force at once
    assert send("logs", otlp.several("logs", 2)).ok


@pytest.fixture
def sdk(running):
    """Sentry's SDK in this process, for the project it is given."""
    clients = []

    def make(project):
        client = sentry_sdk.Client(dsn=project["dsn"], default_integrations=False, send_client_reports=True)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close(timeout=0)


def test_the_real_sdk_holds_back(running, sdk):
    culprit = running.start()
    client = sdk(make_project(culprit, "shop", events_per_minute=600))

    def accepted(outcome="accepted"):
        return culprit.metrics().sum("culprit_sentry_items_total", type="event", outcome=outcome)

    def send(count):
        for _ in range(count):
            client.capture_event(event_named("A"))
        client.flush(timeout=20)

    set_project(culprit, "shop", events_per_minute=10)
    for _ in range(40):  # one more is allowed every six seconds
        send(1)
        if accepted("refused"):
            break
    before = accepted()
    assert before >= 10 and accepted("refused") == 1
    send(30)
    assert accepted() == before and accepted("refused") == 1  # nothing came
    wait_until(lambda: send(1) or accepted() > before, 20, "the SDK to send again")
    assert accepted("refused") == 1
    wait_until(lambda: send(0) or culprit.metrics().sum("culprit_sentry_client_discarded_total",
                                                        reason="ratelimit_backoff") >= 30, 90, "the SDK's report")
