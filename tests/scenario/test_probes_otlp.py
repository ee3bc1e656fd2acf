# SPDX-License-Identifier: Apache-2.0
"""OTLP 1.11 from outside, probe by probe: P1 to P8 and P10 to P13, over gRPC, HTTP/protobuf and HTTP/JSON, for traces and
logs. The rows E, Z, R and J of the specification's requirements that each probe holds are named beside it."""
import gzip
import http.client
import json
import os
import socket

import grpc
import pytest
from opentelemetry.proto.common.v1.common_pb2 import EntityRef

import otlp_messages as otlp
from culprit_process import SANITIZED
from otlp_client import CONTENT_TYPES, ENCODINGS, SIGNALS, Client, read_http_answer
from waiting import FACTOR, wait_until

HTTP_ENCODINGS = ["protobuf", "json"]
ALLOWED_ORIGIN = "https://shop.example.com"
LIMIT = 64 << 20


@pytest.fixture(scope="module")
def backend(shared):
    return shared.backend()


@pytest.fixture(scope="module")
def culprit(shared, backend):
    return shared.start(backend=backend, cors_allowed_origins='["https://*.example.com"]')


@pytest.fixture(scope="module")
def clients(shared, culprit):
    return {encoding: shared.client(culprit, encoding) for encoding in ENCODINGS}


@pytest.fixture(params=ENCODINGS)
def client(request, clients):
    return clients[request.param]


@pytest.fixture(params=HTTP_ENCODINGS)
def http_client(request, clients):
    return clients[request.param]


@pytest.fixture(params=SIGNALS)
def signal(request):
    return request.param


def wait_stored(culprit, signal, trace_id, count):
    """Until the request page shows exactly that many items of the trace."""
    key = "spans" if signal == "traces" else "logs"
    wait_until(lambda: len(culprit.find(trace_id.hex())[key]) >= count, 5, f"{count} {key} of the trace")
    assert len(culprit.find(trace_id.hex())[key]) == count


class Untouched:
    """Nothing is accepted inside the block, and exactly `refused` requests are refused and counted."""

    def __init__(self, culprit, signal, refused=1):
        self.culprit, self.signal, self.refused = culprit, signal, refused

    def read(self):
        metrics = self.culprit.metrics()
        return (metrics.sum("culprit_received_items_total", signal=self.signal),
                metrics.sum("culprit_refused_requests_total", signal=self.signal))

    def __enter__(self):
        self.before = self.read()

    def __exit__(self, kind, *_):
        if kind is None:
            accepted, refused = self.before
            assert self.read() == (accepted, refused + self.refused)


# --- P1, P2: nothing to take, and nothing to say (R1, R2)


def empty_requests(signal, encoding):
    group = {"traces": "resource_spans", "logs": "resource_logs"}[signal]
    inner = {"traces": "scope_spans", "logs": "scope_logs"}[signal]
    resource_only = otlp.REQUESTS[signal]()
    getattr(resource_only, group).add(resource=otlp.resource())
    scope_only = otlp.REQUESTS[signal]()
    getattr(getattr(scope_only, group).add(), inner).add().scope.name = "nothing"
    return [b"{}" if encoding == "json" else b"", resource_only, scope_only]


def test_p01_empty_requests_are_a_success(client, signal):
    for request in empty_requests(signal, client.encoding):
        answer = client.send(signal, request)
        assert answer.ok and not answer.has_partial, answer


def test_p02_success_has_no_partial_success(culprit, client, signal):
    trace_id = otlp.new_trace_id()
    answer = client.send(signal, otlp.several(signal, 3, trace_id))
    assert answer.ok
    assert answer.body == (b"{}" if client.encoding == "json" else b"")
    if client.encoding != "grpc":
        assert answer.headers["Content-Type"] == CONTENT_TYPES[client.encoding]
    wait_stored(culprit, signal, trace_id, 3)


def test_p02_metrics_are_answered_with_a_warning(client):
    request = otlp.REQUESTS["metrics"]()
    metric = request.resource_metrics.add(resource=otlp.resource()).scope_metrics.add().metrics.add(name="requests")
    metric.sum.data_points.add(time_unix_nano=1, as_int=7)
    answer = client.send("metrics", request)
    # R4: everything was taken, and the sender is told that it goes nowhere.
    assert answer.ok and answer.rejected == 0 and "not store" in answer.message


# --- P3: encodings (E6, E7)


COMPRESSIONS = [("grpc", "identity"), ("grpc", "gzip"), ("grpc", "deflate"),  # gRPC has no zstd
                *((encoding, name) for encoding in HTTP_ENCODINGS for name in ("identity", "gzip", "deflate", "zstd"))]


@pytest.mark.parametrize("encoding, compression", COMPRESSIONS)
def test_p03_content_encodings(culprit, clients, signal, encoding, compression):
    client, trace_id = clients[encoding], otlp.new_trace_id()
    answer = client.send(signal, otlp.several(signal, 50, trace_id), compression=compression)
    assert answer.ok and not answer.has_partial, answer
    wait_stored(culprit, signal, trace_id, 50)


def test_p03_gzip_answer_when_asked(http_client):
    request = otlp.traces([otlp.span(trace_id=b"\1") for _ in range(2)])
    plain = http_client.traces(request)
    asked = http_client.traces(request, headers={"Accept-Encoding": "gzip"})
    refused = http_client.traces(request, headers={"Accept-Encoding": "gzip;q=0"})
    assert plain.ok and asked.ok and asked.rejected == plain.rejected == 2
    assert asked.headers["Content-Type"] == plain.headers["Content-Type"]
    assert "Content-Encoding" not in plain.headers and "Content-Encoding" not in refused.headers


# --- P4: bytes that are no request (R6, R7, R11)


def broken_protobuf(signal):
    good = otlp.several(signal, 2).SerializeToString()
    yield "truncated", good[:-3]
    yield "random", bytes([0xFF]) + os.urandom(200)
    yield "wrong wire type", otlp.field_varint(1, 7)
    yield "group", bytes([1 << 3 | 3, 1 << 3 | 4])
    item = otlp.field_bytes(5 if signal == "traces" else 3, b"\xc3\x28")  # name, severity_text: no UTF-8
    yield "invalid UTF-8", otlp.field_bytes(1, otlp.field_bytes(2, otlp.field_bytes(2, item)))
    yield "length over the end", otlp.varint(1 << 3 | 2) + otlp.varint(1 << 40) + b"x"


def broken_json(signal):
    group = {"traces": "resourceSpans", "logs": "resourceLogs"}[signal]
    yield "truncated", b'{"%s": [' % group.encode()
    yield "random", os.urandom(200)
    yield "wrong type", json.dumps({group: 7}).encode()
    yield "not an object", b"[]"
    yield "invalid UTF-8", b'{"%s": [{"schemaUrl": "\xc3\x28"}]}' % group.encode()
    yield "trailing bytes", b"{} {}"


def test_p04_undecodable_bodies_are_refused_with_a_status(culprit, client, signal):
    cases = broken_json(signal) if client.encoding == "json" else broken_protobuf(signal)
    for name, body in cases:
        with Untouched(culprit, signal):
            answer = client.send(signal, body)
            assert answer.meaning == "invalid", (name, answer)
            assert answer.message and answer.retry_s is None, (name, answer)
            assert answer.violations, (name, answer)  # BadRequest says what is wrong
        if client.encoding != "grpc":
            assert answer.headers["Content-Type"] == CONTENT_TYPES[client.encoding]  # E5


def test_p04_damaged_compression_is_refused(culprit, http_client, signal):
    whole = gzip.compress(http_client.encode(otlp.several(signal, 20)))
    damaged = bytearray(whole)
    damaged[len(damaged) // 2] ^= 0xFF
    for body in (whole[:-9], bytes(damaged), os.urandom(100), b""):
        with Untouched(culprit, signal):
            headers = {"Content-Type": CONTENT_TYPES[http_client.encoding], "Content-Encoding": "gzip"}
            answer = http_client.post(f"/v1/{signal}", body, headers, signal)
            assert answer.meaning == "invalid" and answer.message, answer


# --- P5: one bad item among good ones (R3)


@pytest.mark.parametrize("bad", [{"trace_id": b"\0" * 16}, {"trace_id": b"\1" * 15}, {"span_id": b"\0" * 8},
                                 {"span_id": b"\1" * 9}, {"trace_id": b""}, {"span_id": b""}], ids=str)
def test_p05_one_bad_id_of_ten(culprit, backend, client, bad):
    trace_id = otlp.new_trace_id()
    spans = [otlp.span(trace_id) for _ in range(10)]
    for name, value in bad.items():
        setattr(spans[4], name, value)
    answer = client.traces(otlp.traces(spans))
    assert answer.ok and answer.rejected == 1
    assert next(iter(bad)) in answer.message, answer.message
    wait_stored(culprit, "traces", trace_id, 9)
    good = {span.span_id for span in spans if span is not spans[4]}
    wait_until(lambda: {s.span_id for s in backend.spans() if s.trace_id == trace_id} == good, 5, "9 forwarded spans")


def test_p05_a_log_with_a_bad_trace_id_is_not_associated(culprit, client):
    request_id = otlp.new_request_id()
    records = [otlp.log("kept all the same", severity=13, trace_id=bad, values={"request_id": request_id})
               for bad in (b"\1" * 15, b"\0" * 16)]
    answer = client.logs(otlp.logs(records))
    assert answer.ok and not answer.has_partial, answer
    wait_until(lambda: len(culprit.find(request_id)["logs"]) == 2, 5, "both logs")
    assert [log["trace_id"] for log in culprit.find(request_id)["logs"]] == [None, None]


# --- P6: too large, before and after decompression (Z1, Z2, Z3)


def raw_http(address, *parts):
    """Writes bytes, then reads one answer."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20 * FACTOR) as connection:
        for part in parts:
            connection.sendall(part)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.headers, response.read()


def assert_memory_flat(culprit, before, held=0):
    if not SANITIZED:  # it holds freed memory back
        grown = culprit.memory_peak() - before
        assert grown < held + (32 << 20), f"{grown >> 20} MiB more"


def head_of(http_client, signal, *lines):
    fixed = (f"POST /v1/{signal} HTTP/1.1", "Host: x", f"Content-Type: {CONTENT_TYPES[http_client.encoding]}")
    return "\r\n".join((*fixed, *lines, "", "")).encode()


def test_p06_too_large_plain_http(culprit, http_client, signal):
    before = culprit.memory_peak()
    answer = http_client.send(signal, b" " * (LIMIT + 1))
    assert answer.meaning == "too large" and answer.message and answer.retry_s is None
    # A client that asks first is spared the sending.
    head = head_of(http_client, signal, f"Content-Length: {LIMIT + 1}", "Expect: 100-continue")
    answer = read_http_answer(*raw_http(culprit.http, head), signal)
    assert answer.meaning == "too large" and answer.message and answer.retry_s is None
    assert_memory_flat(culprit, before)


def test_p06_too_large_chunked(culprit, http_client, signal):
    """Without a length, so that only counting finds out."""
    head = head_of(http_client, signal, "Transfer-Encoding: chunked")
    chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    answer = read_http_answer(*raw_http(culprit.http, head, chunk * 65, b"0\r\n\r\n"), signal)
    assert answer.meaning == "too large" and answer.retry_s is None


def test_p06_too_large_plain_grpc(culprit, clients, signal):
    before = culprit.memory_peak()
    answer = clients["grpc"].send(signal, b"x" * (LIMIT + 1))
    assert answer.code == grpc.StatusCode.RESOURCE_EXHAUSTED and answer.retry_s is None, answer
    assert_memory_flat(culprit, before, held=LIMIT)  # gRPC core hands a message over when all of it is there


@pytest.mark.parametrize("encoding, compression", [pair for pair in COMPRESSIONS if pair[1] != "identity"])
def test_p06_decompression_bomb(culprit, clients, signal, encoding, compression):
    client, before = clients[encoding], culprit.memory_peak()
    with Untouched(culprit, signal):
        answer = client.send(signal, b"\0" * (LIMIT + (1 << 20)), compression=compression)
        assert answer.meaning == "too large" and answer.message and answer.retry_s is None, answer
    assert_memory_flat(culprit, before)


def test_p06_the_limits_can_be_set(running):
    """Z1: before and after decompression."""
    culprit = running.start(ingest_max_request_bytes="16KiB", ingest_max_decoded_bytes="64KiB")
    noise = os.urandom(9_000).hex()  # 18 kB that compress to half
    for encoding in ENCODINGS:
        client = running.client(culprit, encoding)
        assert client.traces(otlp.traces([otlp.span(values={"noise": noise})])).meaning == "too large"
        assert client.traces(otlp.traces([otlp.span(values={"noise": noise})]), compression="gzip").ok
        text = otlp.traces([otlp.span(values={"text": "x" * 70_000})])
        assert client.traces(text, compression="gzip").meaning == "too large"


# --- P7: methods, types, encodings (R6 for the body, E5 for its type)


def test_p07_methods_and_types(culprit, clients, signal):
    client, path = clients["protobuf"], f"/v1/{signal}"
    proto = {"Content-Type": "application/x-protobuf"}
    cases = [
        ("GET", None, {}, 405), ("GET", None, proto, 405), ("PUT", b"", proto, 405), ("DELETE", None, {}, 405),
        ("POST", b"", {"Content-Type": "text/plain"}, 415), ("POST", b"x=1", {}, 415),
        ("POST", b"", {**proto, "Content-Encoding": "compress"}, 415),
        ("POST", b"", {**proto, "Content-Encoding": "gzip, gzip"}, 415),
    ]
    for method, body, headers, code in cases:
        answer = client.post(path, body, headers, signal, method=method)
        assert answer.code == code, (method, headers, answer)
        assert answer.message, (method, headers, answer)  # a Status that says why
        assert answer.headers["Content-Type"] == headers.get("Content-Type", "").replace(
            "text/plain", "") or answer.headers["Content-Type"] == "application/json"
        if code == 405:
            assert "POST" in answer.headers["Allow"]
    wrong = clients["json"].post(path, b"{}", {"Content-Type": "application/json", "Content-Encoding": "x"}, signal)
    assert wrong.code == 415 and wrong.headers["Content-Type"] == "application/json" and wrong.message


def test_p07_unknown_paths_and_methods_of_grpc(clients):
    assert clients["json"].post("/v1/other", b"{}", {"Content-Type": "application/json"}).code == 404
    channel = clients["grpc"].connection
    call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Import")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=10 * FACTOR)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


# --- P8: forms of one request (E4)


def test_p08_type_with_parameters(culprit, clients, signal):
    trace_id = otlp.new_trace_id()
    body = clients["json"].encode(otlp.several(signal, 1, trace_id))
    answer = clients["json"].post(f"/v1/{signal}", body, {"Content-Type": "Application/JSON; charset=utf-8"}, signal)
    assert answer.ok and answer.headers["Content-Type"] == "application/json"
    wait_stored(culprit, signal, trace_id, 1)


def test_p08_chunked_body(culprit, http_client, signal):
    trace_id = otlp.new_trace_id()
    body = http_client.encode(otlp.several(signal, 5, trace_id))
    pieces = (body[at:at + 37] for at in range(0, len(body), 37))  # an iterator is sent in chunks
    answer = http_client.post(f"/v1/{signal}", pieces, {"Content-Type": CONTENT_TYPES[http_client.encoding]}, signal)
    assert answer.ok, answer
    wait_stored(culprit, signal, trace_id, 5)


def test_p08_expect_continue(culprit, http_client, signal):
    trace_id = otlp.new_trace_id()
    body = http_client.encode(otlp.several(signal, 1, trace_id))
    host, port = culprit.http.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20 * FACTOR) as connection:
        connection.sendall(head_of(http_client, signal, f"Content-Length: {len(body)}", "Expect: 100-continue"))
        lines = connection.makefile("rb")
        assert lines.readline().startswith(b"HTTP/1.1 100")
        assert lines.readline() == b"\r\n"
        connection.sendall(body)
        assert lines.readline().startswith(b"HTTP/1.1 200")
    wait_stored(culprit, signal, trace_id, 1)


# --- P10: JSON (J1 to J7)


def json_span(trace_id, **more):
    return {"traceId": trace_id.hex(), "spanId": otlp.new_span_id().hex(), "name": "json",
            "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000000000001000", **more}


def json_traces(*spans):
    return json.dumps({"resourceSpans": [{"resource": {"attributes": [
        {"key": "service.name", "value": {"stringValue": "json"}}]}, "scopeSpans": [{"spans": list(spans)}]}]}).encode()


def stored_span(culprit, client, body, trace_id):
    answer = client.traces(body)
    assert answer.ok and not answer.has_partial, answer
    wait_stored(culprit, "traces", trace_id, 1)
    return culprit.find(trace_id.hex())["spans"][0]


def test_p10_ids_in_either_case(culprit, clients):
    trace_id = bytes.fromhex("ABCDEF") + otlp.new_trace_id()[3:]
    body = json_traces(json_span(trace_id, traceId=trace_id.hex().upper(), parentSpanId="ABCDEF0123456789"))
    found = stored_span(culprit, clients["json"], body, trace_id)
    assert found["parent_span_id"] == "abcdef0123456789"
    base64_id = json_traces(json_span(trace_id, traceId="q83v" * 5 + "qw=="))
    answer = clients["json"].traces(base64_id)
    assert answer.meaning == "invalid" or answer.rejected == 1  # J1: never base64


def test_p10_numbers_in_every_form(culprit, clients):
    trace_id = otlp.new_trace_id()
    values = [("string", {"intValue": "9223372036854775807"}), ("number", {"intValue": -5}),
              ("nan", {"doubleValue": "NaN"}), ("infinity", {"doubleValue": "-Infinity"}),
              ("exponent", {"doubleValue": 1.5e3}), ("text", {"doubleValue": "2.5"}), ("yes", {"boolValue": True}),
              ("bytes", {"bytesValue": "AAEC"})]
    attributes = [{"key": key, "value": value} for key, value in values]
    body = json_traces(json_span(trace_id, kind=2, status={"code": 1}, flags=257, startTimeUnixNano=1700000000000000000,
                                 droppedAttributesCount="3", attributes=attributes, parentSpanId=None))
    found = stored_span(culprit, clients["json"], body, trace_id)
    assert found["start_ns"] == "1700000000000000000" and found["kind"] == "server" and found["status"] == "ok"
    attributes = found["attributes"]
    assert attributes["string"] == "9223372036854775807" and attributes["number"] == -5
    assert attributes["exponent"] == 1500 and attributes["text"] == 2.5 and attributes["yes"] is True
    assert attributes["bytes"] == {"bytes": "AAEC"}


def test_p10_enum_numbers_and_omitted_fields(culprit, clients):
    trace_id = otlp.new_trace_id()
    found = stored_span(culprit, clients["json"], json_traces(json_span(trace_id)), trace_id)
    assert found["kind"] == "unspecified" and found["status"] == "unset" and found["parent_span_id"] is None  # J7


def test_p10_unknown_and_snake_case_keys_are_ignored(culprit, clients):
    trace_id = otlp.new_trace_id()
    span = json_span(trace_id, unknown={"deep": [1, {"x": None}]}, parent_span_id="1111111111111111",
                     status_message="no", attributes=[{"key": "a", "value": {"stringValue": "b"}, "extra": 1}])
    found = stored_span(culprit, clients["json"], json_traces(span), trace_id)
    assert found["parent_span_id"] is None and found["attributes"] == {"a": "b"}  # J3, J4


def test_p10_duplicate_keys(culprit, clients):
    trace_id = otlp.new_trace_id()
    body = json_traces(json_span(trace_id)).replace(b'"name": "json"', b'"name": "first", "name": "json"')
    assert stored_span(culprit, clients["json"], body, trace_id)["name"] == "json"  # the last one wins


def test_p10_empty_trace_id_is_an_invalid_one(clients):
    answer = clients["json"].traces(json_traces(json_span(otlp.new_trace_id(), traceId="")))
    assert answer.ok and answer.rejected == 1 and "trace_id" in answer.message  # J7


def test_p10_nesting_is_bounded(culprit, clients, signal):
    deep = '{"arrayValue":{"values":[' * 10_000 + "{}" + "]}}" * 10_000
    if signal == "traces":
        body = json_traces(json_span(otlp.new_trace_id(), attributes=["@"]))
    else:
        body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": ["@"]}]}]}]}).encode()
    body = body.replace(b'"@"', b'{"key":"deep","value":' + deep.encode() + b"}")
    with Untouched(culprit, signal):
        answer = clients["json"].send(signal, body)
        assert answer.meaning == "invalid" and answer.message
    ignored = b'{"unknown":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
    with Untouched(culprit, signal):
        assert clients["json"].send(signal, ignored).meaning == "invalid"


def test_p10_nesting_is_bounded_in_protobuf(culprit, clients, signal):
    value = b""
    for _ in range(10_000):
        value = otlp.field_bytes(5, otlp.field_bytes(1, value))
    attribute = otlp.field_bytes(1, b"deep") + otlp.field_bytes(2, value)
    item = otlp.field_bytes(9 if signal == "traces" else 6, attribute)
    body = otlp.field_bytes(1, otlp.field_bytes(2, otlp.field_bytes(2, item)))
    for encoding in ("grpc", "protobuf"):
        with Untouched(culprit, signal):
            assert clients[encoding].send(signal, body).meaning == "invalid"


def test_p10_logs_in_json(culprit, clients):
    trace_id = otlp.new_trace_id()
    record = {"timeUnixNano": "1700000000000000000", "severityNumber": 13, "severityText": "WARN",
              "traceId": trace_id.hex().upper(), "body": {"kvlistValue": {"values": [
                  {"key": "text", "value": {"stringValue": "structured"}}]}}, "eventName": "cart.changed"}
    answer = clients["json"].logs(json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode())
    assert answer.ok and not answer.has_partial
    wait_stored(culprit, "logs", trace_id, 1)
    found = culprit.find(trace_id.hex())["logs"][0]
    assert found["body"] == {"text": "structured"} and found["event_name"] == "cart.changed"
    assert found["severity_number"] == 13 and found["time_ns"] == "1700000000000000000"


# --- P11, P12: what we do not know passes unchanged


def unusual_request(trace_id):
    """High flag bits, entity_refs, strindex fields, dropped counts, links, schema urls; then unknown fields everywhere."""
    span = otlp.span(trace_id, trace_state="vendor=1", values={"a": [1, None, {"b": b"\0\xff"}], "empty": None})
    span.flags = 0xFFFF0301
    span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count = 1, 2, 3
    span.links.add(trace_id=trace_id, span_id=b"\7" * 8, flags=0x80000101, trace_state="x=y")
    span.attributes.add(key_strindex=5).value.string_value_strindex = 7
    request = otlp.traces([span])
    group = request.resource_spans[0]
    group.resource.entity_refs.append(EntityRef(type="service", id_keys=["service.name"], schema_url="urn:e"))
    group.schema_url, group.scope_spans[0].schema_url = "urn:resource", "urn:scope"
    unknown = (otlp.field_bytes(900, b"\xfe\xed") + otlp.field_varint(901, 1 << 60) +
               otlp.varint(902 << 3 | 1) + b"8 bytes!" + otlp.varint(903 << 3 | 5) + b"four")
    span_bytes = span.SerializeToString() + unknown
    resource_bytes = group.resource.SerializeToString() + unknown
    scope_bytes = group.scope_spans[0].scope.SerializeToString() + unknown
    scope_spans = otlp.field_bytes(1, scope_bytes) + otlp.field_bytes(2, span_bytes) + otlp.field_bytes(3, b"urn:scope")
    body = otlp.field_bytes(1, otlp.field_bytes(1, resource_bytes) + otlp.field_bytes(2, scope_spans) +
                            otlp.field_bytes(3, b"urn:resource"))
    return body + unknown, span_bytes, (resource_bytes, scope_bytes, b"urn:resource", b"urn:scope")


def forwarded(backend, trace_id):
    return [item for item in backend.items() if trace_id in item.bytes]


@pytest.mark.parametrize("encoding", ["grpc", "protobuf"])
def test_p11_unknown_fields_are_forwarded_unchanged(culprit, backend, clients, encoding):
    trace_id = otlp.new_trace_id()
    body, span_bytes, surroundings = unusual_request(trace_id)
    answer = clients[encoding].traces(body)
    assert answer.ok and not answer.has_partial, answer
    wait_until(lambda: forwarded(backend, trace_id), 5, "the forwarded span")
    [item] = forwarded(backend, trace_id)
    assert item.bytes == span_bytes
    assert item.surroundings == surroundings
    [found] = culprit.find(trace_id.hex())["spans"]
    assert found["attributes"]["a"] == [1, None, {"b": {"bytes": "AP8="}}]
    assert found["links"][0]["span_id"] == "07" * 8


@pytest.mark.parametrize("encoding", ["grpc", "protobuf"])
def test_p11_a_spliced_request_keeps_them_too(backend, clients, encoding):
    """The bad neighbour is cut out, so the bytes are put together anew."""
    trace_id = otlp.new_trace_id()
    body, span_bytes, surroundings = unusual_request(trace_id)
    bad = otlp.traces([otlp.span(b"\1")]).SerializeToString()
    answer = clients[encoding].traces(bad + body + bad)
    assert answer.ok and answer.rejected == 2
    wait_until(lambda: forwarded(backend, trace_id), 5, "the forwarded span")
    [item] = forwarded(backend, trace_id)
    assert item.bytes == span_bytes and item.surroundings == surroundings


def test_p12_field_1000_is_carried_along_and_not_read(culprit, backend, clients):
    """The pre-1.0 instrumentation library list: an unknown field to culprit (proto/otlp_scan.h)."""
    trace_id, old_id = otlp.new_trace_id(), otlp.new_trace_id()
    legacy = otlp.field_bytes(1000, otlp.field_bytes(2, otlp.span(old_id).SerializeToString()))
    only = otlp.field_bytes(1, legacy)
    for encoding in ("grpc", "protobuf"):
        answer = clients[encoding].traces(only)
        assert answer.ok and not answer.has_partial
    beside = otlp.traces([otlp.span(trace_id)]).resource_spans[0].SerializeToString() + legacy
    assert clients["grpc"].traces(otlp.field_bytes(1, beside)).ok
    wait_until(lambda: forwarded(backend, trace_id), 5, "the span beside it")
    assert any(legacy in received.body for received in backend.requests() if trace_id in received.body)
    assert culprit.find(old_id.hex())["spans"] == []


# --- P13: browsers


def preflight(culprit, origin, path="/v1/traces"):
    code, headers, _ = culprit.request("OPTIONS", path, headers={
        "Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"},
        address=culprit.http)
    return code, headers


def test_p13_preflight(culprit, signal):
    code, headers = preflight(culprit, ALLOWED_ORIGIN, f"/v1/{signal}")
    assert code in (200, 204)
    assert headers["Access-Control-Allow-Origin"] == ALLOWED_ORIGIN
    assert "POST" in headers["Access-Control-Allow-Methods"]
    assert "content-type" in headers["Access-Control-Allow-Headers"].lower()
    assert int(headers["Access-Control-Max-Age"]) > 0
    for foreign in ("https://evil.example.org", "http://shop.example.com", "null"):
        _, headers = preflight(culprit, foreign, f"/v1/{signal}")
        assert not [name for name in headers if name.lower().startswith("access-control")]


def test_p13_export_from_a_browser(culprit, http_client):
    for origin, allowed in ((ALLOWED_ORIGIN, True), ("https://evil.example.org", False)):
        answer = http_client.traces(otlp.several("traces", 1), headers={"Origin": origin})
        assert answer.ok
        assert (answer.headers.get("Access-Control-Allow-Origin") == origin) == allowed


# --- keys


def test_ingest_keys(running):
    culprit = running.start(ingest_keys='["first-key", "second-key"]')
    for encoding in ENCODINGS:
        for headers, allowed in (({}, False), ({"authorization": "Bearer wrong"}, False),
                                 ({"authorization": "Bearer second-key"}, True), ({"x-culprit-key": "first-key"}, True)):
            client = Client(culprit, encoding, headers)
            answer = client.traces(otlp.several("traces", 1))
            client.close()
            assert answer.meaning == ("ok" if allowed else "unauthenticated"), (encoding, headers, answer)


# --- the server as a whole


def test_grpc_health(culprit, clients):
    call = clients["grpc"].connection.unary_unary("/grpc.health.v1.Health/Check")
    assert call(b"", timeout=10 * FACTOR) == b"\x08\x01"  # SERVING


def test_probes_left_nothing_behind(culprit):
    """After all of the above: alive, ready, and every request accounted for."""
    assert culprit.request("GET", "/health/ready")[0] == 200
    status = culprit.api("/status")
    assert status["memory"]["in_flight_bytes"] == 0
