# SPDX-License-Identifier: Apache-2.0
"""What a Sentry SDK sends, byte for byte: envelopes, an event with something in every place of the schema, and a client
that keeps its connection."""
import copy
import http.client
import json
import time
import uuid

from culprit_process import run
from waiting import FACTOR


def dsn_of(culprit, project="default"):
    code, printed, _ = run("project", "list", data_dir=culprit.data_dir)
    assert code == 0
    [dsn] = [line.split()[2] for line in printed.splitlines() if line.split()[1] == project]
    return dsn


def new_event_id():
    return uuid.uuid4().hex


def item(kind, payload, **headers):
    payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return json.dumps({"type": kind, "length": len(payload), **headers}).encode() + b"\n" + payload + b"\n"


def envelope(*items, **headers):
    return json.dumps(headers).encode() + b"\n" + b"".join(items)


def event_envelope(event, event_id=None):
    """The event's bytes, or its document, under an id of the envelope's header."""
    return envelope(item("event", event), event_id=event_id or new_event_id())


class Sender:
    """A connection to the Sentry door. One thread."""

    def __init__(self, culprit, dsn=None, project=1):
        self.culprit, self.project = culprit, project
        self.key = (dsn or dsn_of(culprit)).split("//")[1].split("@")[0]
        self.connection = http.client.HTTPConnection(culprit.http, timeout=60 * FACTOR)

    def post(self, body, path="envelope", headers=None):
        """(code, JSON of the reply, headers)."""
        self.connection.request("POST", f"/api/{self.project}/{path}/", body, {
            "X-Sentry-Auth": f"Sentry sentry_version=7, sentry_client=scenario/1, sentry_key={self.key}",
            **(headers or {})})
        response = self.connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None, response.headers

    def close(self):
        self.connection.close()


def frame(function="f", **members):
    return {"function": function, "module": "m", "filename": "m.py", "abs_path": "/srv/m.py", "lineno": 1,
            "in_app": True, **members}


_FULL = {
    "platform": "python", "level": "error", "logger": "shop", "transaction": "/cart", "culprit": "m in f",
    "server_name": "web-1", "release": "shop@1", "dist": "d", "environment": "staging", "site": "s", "type": "error",
    "version": "7", "errors": [{"type": "invalid_data", "name": "x"}], "modules": {"django": "5.0"},
    "fingerprint": ["{{ default }}", "a"], "tags": {"request_id": "r-1", "service": "shop", "k": "v"},
    "extra": {"shelf": {"rows": [1, 2.5, None]}, "request_id": "r-1"},
    "logentry": {"message": "no %s", "params": ["price"], "formatted": "no price"},
    "exception": {"values": [
        {"type": "KeyError", "value": "apple", "module": "builtins", "thread_id": 1,
         "mechanism": {"type": "chained", "handled": False, "exception_id": 1, "parent_id": 0, "source": "__cause__"},
         "stacktrace": {"frames": [frame("price_of")]}},
        {"type": "ValueError", "value": "no price",
         "mechanism": {"type": "generic", "handled": False, "synthetic": False, "exception_id": 0,
                       "is_exception_group": False, "data": {"a": 1}, "help_link": "https://h/", "description": "d",
                       "meta": {"errno": {"number": 5, "name": "EIO"}, "signal": {"number": 11, "code": 1, "name": "S"},
                                "ns_error": {"domain": "D", "code": 3}, "mach_exception": {"exception": 1}}},
         "stacktrace": {"frames": [
             frame("main", raw_function="main()", symbol="_main", package="p", platform="python", colno=2,
                   pre_context=["a", "b"], context_line="raise", post_context=["c"], vars={"x": "1", "y": [1]},
                   data={"orig_in_app": 1, "category": "c"}, instruction_addr="0x1", lock={"type": 1}),
             frame("f")], "registers": {"rip": "0x1"}, "lang": "en", "snapshot": False}},
    ]},
    "threads": {"values": [{"id": 1, "name": "main", "current": True, "crashed": True, "main": True, "state": "R",
                            "held_locks": {"a": {"type": 1}}, "stacktrace": {"frames": [frame("loop")]}}]},
    "breadcrumbs": {"values": [{"timestamp": 1, "type": "http", "category": "c", "level": "info", "message": "m",
                                "data": {"url": "https://h/", "status_code": 200}}]},
    "request": {"method": "GET", "url": "https://h/a", "query_string": [["a", "b"]], "data": {"a": 1},
                "cookies": [["a", "b"]], "headers": [["Host", "h"], ["X-Request-Id", "r-1"]],
                "env": {"REMOTE_ADDR": "192.0.2.1"}, "fragment": "f", "inferred_content_type": "application/json"},
    "user": {"id": 5, "email": "jane@example.com", "username": "jane", "ip_address": "{{auto}}", "name": "Jane",
             "geo": {"city": "Graz"}, "data": {"plan": "p"}},
    "contexts": {"trace": {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7",
                           "parent_span_id": "00f067aa0ba902b8", "op": "http.server", "status": "ok", "data": {"a": 1}},
                 "runtime": {"name": "CPython", "version": "3"}, "otel": {"resource": {"service.name": "shop"}}},
    "sdk": {"name": "sentry.python", "version": "2.0", "integrations": ["django"],
            "packages": [{"name": "pypi:sentry-sdk", "version": "2.0"}]},
    "debug_meta": {"images": [{"type": "elf", "image_addr": "0x1"}], "sdk_info": {"sdk_name": "x"}},
    "template": {"filename": "t.html", "lineno": 1, "context_line": "x"},
    "_meta": {"user": {"email": {"": {"rem": [["!", "x"]]}}}},
}


def full_event(**members):
    """An event with something in every place of the schema."""
    return {**copy.deepcopy(_FULL), "timestamp": time.time(), **members}
