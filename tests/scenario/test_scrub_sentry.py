# SPDX-License-Identifier: Apache-2.0
"""One secret in every place of an event, its transaction, its logs and its spans where an application may leak it: it is
nowhere in the data directory and nowhere in what the API shows, and the places still say that something was there."""
import json
import sqlite3
import time
from urllib.parse import quote

import pytest

import otlp_messages as otlp
from sentry_messages import Sender, dsn_of, envelope, event_envelope, frame, item, new_event_id
from waiting import wait_until

CANARY = "hunter2canary"
FILTERED = "[Filtered]"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def leaky_event(request_id):
    """What Python's SDK sends of a login view that went wrong, with the secret wherever Relay's rules look for one. They
    leave exception values alone, take only what has the form of a secret out of messages, and judge spans by key."""
    secret = {"password": CANARY, "nested": {"api_key": CANARY, "list": [{"access_token": CANARY}, "Bearer " + CANARY]}}
    return {
        "platform": "python", "timestamp": time.time(), "environment": "staging",
        "logentry": {"formatted": f"login failed, Authorization: Bearer {CANARY}"},
        "exception": {"values": [{
            "type": "LoginError", "value": "cannot log in",
            "mechanism": {"type": "generic", "data": {"secret": CANARY}},
            "stacktrace": {"frames": [frame("login", vars={
                "password": f"'{CANARY}'", "request": f"<Request password={CANARY}>", "user": {"passwd": CANARY},
                "headers": [["Authorization", CANARY], ["Cookie", f"sessionid={CANARY}"]],
                "body": json.dumps({"user": "jane", "password": CANARY}), "tokens": [f"Bearer {CANARY}"]})]}}]},
        "threads": {"values": [{"id": 1, "stacktrace": {"frames": [frame("t", vars={"secret_key": CANARY})]}}]},
        "breadcrumbs": {"values": [
            {"type": "http", "category": "httplib", "message": f"POST https://h/?token={CANARY}",
             "data": {"url": f"https://jane:{CANARY}@h/login?api_key={CANARY}", "http.query": f"password={CANARY}",
                      "Authorization": CANARY}},
            {"category": "sql", "message": f"password='{CANARY}'", "data": {"mysql_pwd": CANARY}}]},
        "request": {
            "method": "POST", "url": f"https://h/login?token={CANARY}&page=2", "query_string": f"a=b&secret={CANARY}",
            "data": {"user": "jane", "password": CANARY},
            "cookies": {"sessionid": CANARY, "csrftoken": CANARY, "theme": "dark"},
            "headers": {"Authorization": f"Bearer {CANARY}", "Cookie": f"sessionid={CANARY}", "X-Api-Key": CANARY,
                        "X-Request-Id": request_id, "Referer": f"https://h/?apikey={CANARY}"},
            "env": {"AWS_SECRET_ACCESS_KEY": CANARY}},
        "user": {"id": "7", "username": "jane", "auth_token": CANARY, "data": {"password": CANARY}},
        "extra": {"request_id": request_id, "config": secret, "text": json.dumps(secret), "auth": CANARY,
                  "url": f"postgres://app:{CANARY}@db/shop", "list": [["password", CANARY]]},
        "contexts": {"trace": {"trace_id": TRACE, "span_id": SPAN, "data": {"db.password": CANARY}},
                     "login": secret, "state": {"value": {"credentials": CANARY}}},
        "tags": {"request_id": request_id, "api_key": CANARY, "service": "shop"},
        "modules": {"django": "5.0"},
    }


VARIANTS = {
    "form": {"data": f"user=jane&password={CANARY}&next=%2F"},
    "json text": {"data": json.dumps({"user": "jane", "password": CANARY, "deep": [{"token": CANARY}]})},
    "pairs": {"query_string": [["a", "b"], ["access_token", CANARY]], "cookies": [["PHPSESSID", CANARY], ["a", "b"]],
              "headers": [["authorization", CANARY], ["Set-Cookie", f"session={CANARY}; Path=/"]]},
    "objects": {"query_string": {"password": CANARY}, "headers": {"authorization": [CANARY, CANARY]},
                "cookies": f"a=b; csrf_token={CANARY}; xsrf-token={CANARY}"},
    "encoded": {"query_string": f"p%61ssword={CANARY}", "url": f"https://h/?a=b&api%5Fkey={CANARY}"},
    "env": {"env": {"DATABASE_URL": f"mysql://root:{CANARY}@h/db", "DJANGO_SECRET": CANARY}},
}


def send(culprit, request_id):
    """All forms, and the events' ids."""
    sender = Sender(culprit, dsn_of(culprit))
    ids = [new_event_id()]
    assert sender.post(event_envelope(leaky_event(request_id), ids[0]))[0] == 200
    for name, request in VARIANTS.items():
        ids.append(new_event_id())
        event = {"message": f"variant {name}", "request": request, "tags": {"request_id": request_id}}
        assert sender.post(event_envelope(event, ids[-1]))[0] == 200
    now = time.time()
    transaction = {"type": "transaction", "transaction": "POST /login", "start_timestamp": now - 1, "timestamp": now,
                   "contexts": {"trace": {"trace_id": TRACE, "span_id": SPAN, "op": "http.server",
                                          "status": "internal_error", "data": {"http.request.header.cookie": CANARY}}},
                   "request": {"method": "POST", "url": "https://h/",
                               "headers": {"X-Request-Id": request_id}}, "tags": {"auth_token": CANARY},
                   "spans": [{"span_id": "1111111111111111", "op": "db", "description": "SELECT 1",
                              "start_timestamp": now - 1, "timestamp": now, "data": {"db.password": CANARY},
                              "tags": {"secret": CANARY}}]}
    assert sender.post(envelope(item("transaction", transaction)))[0] == 200

    def typed(**values):
        return {name: {"value": value, "type": "string"} for name, value in values.items()}

    logs = {"items": [
        {"timestamp": now, "trace_id": TRACE, "level": "error", "body": f"calling with Bearer {CANARY}",
         "attributes": typed(password=CANARY, request_id=request_id)},
        {"timestamp": now, "trace_id": TRACE, "level": "warn", "body": f'{{"password":"{CANARY}"}}',
         "attributes": typed(**{"sentry.message.parameter.password": CANARY, "url.full": f"https://h/?token={CANARY}"})},
    ]}
    spans = {"items": [{"trace_id": TRACE, "span_id": "2222222222222222", "name": "GET", "status": "error",
                        "start_timestamp": now - 1, "end_timestamp": now,
                        "attributes": typed(**{"api_key": CANARY, "http.request.header.authorization": CANARY})}]}
    otel = {"timeUnixNano": str(time.time_ns()), "severityNumber": 17, "body": {"stringValue": f"with Bearer {CANARY}"},
            "traceId": TRACE, "attributes": [{"key": "token", "value": {"stringValue": CANARY}}]}
    assert sender.post(envelope(item("log", logs), item("span", spans), item("otel_log", otel)))[0] == 200
    report = {"csp-report": {"document-uri": f"https://h/?token={CANARY}", "effective-directive": "img-src",
                             "blocked-uri": f"https://jane:{CANARY}@x/", "original-policy": "default-src 'none'"}}
    assert sender.post(json.dumps(report), path="security")[0] == 200
    sender.close()
    return ids


def documents(culprit, request_id, ids):
    """Everything the API shows of it, once all of it is there."""

    def whole():
        found = culprit.find(request_id)
        assert len(found["spans"]) == 3 and len(found["logs"]) == 3, found
        return [found] + [culprit.event(event_id) for event_id in ids]

    found = wait_until(whole, 15, "the request and its events")
    issues = wait_until(lambda: [issue for issue in culprit.issues() if len(culprit.issues()) > len(VARIANTS)], 10,
                        "the issues")
    for issue in issues:
        found.append(culprit.api(f"/issues/{issue['id']}"))
        found += [culprit.event(event["event_id"]) for event in culprit.events_of(issue)]
    return found


def places_with(directory, text):
    """Files with the text in their bytes, as it is or percent-encoded, and tables with it in a row."""
    forms = {text.encode(), quote(text).encode()}
    found = [str(path) for path in directory.rglob("*") if path.is_file()
             and any(form in path.read_bytes() for form in forms)]
    with sqlite3.connect(directory / "culprit.db") as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if any(text.encode() in (value if isinstance(value, bytes) else str(value).encode())
                   for row in database.execute(f'SELECT * FROM "{table}"') for value in row):
                found.append(table)
    return found


def test_a_secret_in_every_place_is_nowhere(running):
    backend = running.backend("grpc")
    culprit = running.start(backend=backend, exporters_otlp_logs="true")
    request_id = otlp.new_request_id()
    ids = send(culprit, request_id)
    found = documents(culprit, request_id, ids)
    leaks = [text for text in map(json.dumps, found) if CANARY in text]
    assert leaks == [], [text[max(0, text.index(CANARY) - 120):text.index(CANARY) + 40] for text in leaks]
    # What is no secret is still there, and so is the place of what was one.
    document = culprit.event(ids[0])["document"]
    assert document["request"]["method"] == "POST" and "page=2" in document["request"]["url"]
    assert document["request"]["cookies"]["theme"] == "dark" and document["user"]["username"] == "jane"
    assert document["extra"]["config"]["password"] == FILTERED and document["tags"]
    [login] = document["exception"]["values"][0]["stacktrace"]["frames"]
    assert login["vars"]["password"] == FILTERED and login["function"] == "login"
    assert document["_meta"]
    assert json.dumps(found).count(FILTERED) > 60
    wait_until(lambda: len(backend.spans()) == 3, 10, "the spans at the backend")
    assert all(CANARY.encode() not in received.body for received in backend.requests())
    culprit.stop()
    assert places_with(culprit.data_dir, CANARY) == []
    assert CANARY not in culprit.stderr()


def test_it_looks_in_the_right_places(running):
    """The same with scrubbing off: the secret is in every document and in the data."""
    culprit = running.start(scrub_enabled="false")
    request_id = otlp.new_request_id()
    ids = send(culprit, request_id)
    found = documents(culprit, request_id, ids)
    assert json.dumps(found).count(CANARY) > 60
    assert all(CANARY in json.dumps(culprit.event(event_id)) for event_id in ids)
    culprit.stop()
    found = places_with(culprit.data_dir, CANARY)
    assert any(place.endswith(".seg") for place in found), found
    assert any("/" not in place for place in found), found


@pytest.mark.parametrize("value", ["4111 1111 1111 1111", "5500-0000-0000-0004", "DE89370400440532013000",
                                   "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEAcanary\n-----END RSA PRIVATE KEY-----"])
def test_values_that_are_secrets_by_their_form(running, value):
    """Card, IBAN, private key: whatever the name they stand under."""
    culprit = running.start()
    sender = Sender(culprit)
    event_id = new_event_id()
    event = {"message": f"paid with {value} today", "extra": {"note": value, "list": [f"x {value} y"]},
             "exception": {"values": [{"type": "E", "stacktrace": {"frames": [frame(vars={"n": value})]}}]}}
    assert sender.post(event_envelope(event, event_id))[0] == 200
    sender.close()
    text = json.dumps(wait_until(lambda: culprit.event(event_id), 10, "the event"))
    secret = json.dumps(value if "\n" not in value else value.split("\n")[1])[1:-1]
    assert secret not in text and "today" in text
    culprit.stop()
    assert places_with(culprit.data_dir, secret) == []
