# SPDX-License-Identifier: Apache-2.0
"""OTLP messages in a few words, their JSON form, and their bytes taken apart again without an unmarshaller, so that a
comparison sees every byte, unknown fields too."""
import base64
import itertools
import os
import time

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_counter = itertools.count(1)


def new_trace_id():
    return os.urandom(8) + next(_counter).to_bytes(8, "big")


def new_span_id():
    return next(_counter).to_bytes(8, "big")


def new_request_id(prefix="req"):
    return f"{prefix}-{next(_counter)}-{os.urandom(4).hex()}"


# --- values


def any_value(value):
    if isinstance(value, AnyValue):
        return value
    if value is None:
        return AnyValue()
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, dict):
        message = AnyValue()
        message.kvlist_value.values.extend(attributes(value))
        return message
    message = AnyValue()
    message.array_value.SetInParent()
    message.array_value.values.extend(any_value(element) for element in value)
    return message


def attributes(values):
    return [KeyValue(key=key, value=any_value(value)) for key, value in (values or {}).items()]


# --- messages


def span_event(name, at_ns=None, **values):
    """Attribute names have dots: pass them as **{"exception.type": …}."""
    return Span.Event(name=name, time_unix_nano=at_ns or time.time_ns(), attributes=attributes(values))


def exception_event(kind, message, stacktrace=None, at_ns=None):
    values = {"exception.type": kind, "exception.message": message}
    if stacktrace is not None:
        values["exception.stacktrace"] = stacktrace
    return span_event("exception", at_ns, **values)


def span(trace_id=None, name="operation", *, parent=b"", kind=Span.SPAN_KIND_INTERNAL, start_ns=None, ms=5, values=None,
         events=(), error=False, trace_state="", span_id=None):
    start_ns = start_ns or time.time_ns()
    made = Span(trace_id=trace_id or new_trace_id(), span_id=span_id or new_span_id(), parent_span_id=parent, name=name,
                kind=kind, start_time_unix_nano=start_ns, end_time_unix_nano=start_ns + int(ms * 1e6),
                attributes=attributes(values), events=events, trace_state=trace_state)
    if error:
        made.status.code = 2
    return made


def log(body="message", *, severity=9, trace_id=b"", span_id=b"", values=None, at_ns=None, event_name=""):
    texts = {1: "TRACE", 5: "DEBUG", 9: "INFO", 13: "WARN", 17: "ERROR", 21: "FATAL"}
    return LogRecord(time_unix_nano=at_ns or time.time_ns(), observed_time_unix_nano=time.time_ns(),
                     severity_number=severity, severity_text=texts.get(severity, ""), body=any_value(body),
                     trace_id=trace_id, span_id=span_id, attributes=attributes(values), event_name=event_name)


def resource(service="shop", **values):
    return Resource(attributes=attributes({"service.name": service, **values}))


def traces(spans, service="shop", scope="scenario", **resource_values):
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(resource=resource(service, **resource_values))
    inner = group.scope_spans.add()
    inner.scope.name = scope
    inner.spans.extend(spans)
    return request


def logs(records, service="shop", scope="scenario", **resource_values):
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add(resource=resource(service, **resource_values))
    inner = group.scope_logs.add()
    inner.scope.name = scope
    inner.log_records.extend(records)
    return request


REQUESTS = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest,
            "metrics": ExportMetricsServiceRequest}


def several(signal, count, trace_id=None):
    """A request of `count` items of the signal that are all kept."""
    trace_id = trace_id or new_trace_id()
    if signal == "traces":
        return traces([span(trace_id) for _ in range(count)])
    return logs([log(f"line {i}", severity=13, trace_id=trace_id) for i in range(count)])


def items_of(signal, request):
    """The spans or log records of a request, in order."""
    if signal == "traces":
        return [s for group in request.resource_spans for scope in group.scope_spans for s in scope.spans]
    return [r for group in request.resource_logs for scope in group.scope_logs for r in scope.log_records]


# --- JSON (OTLP 1.11, "JSON Protobuf Encoding": ids in hexadecimal, enums as numbers)

_IDS = {"traceId", "spanId", "parentSpanId"}


def to_json_tree(message):
    tree = json_format.MessageToDict(message, use_integers_for_enums=True)
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(node)
        elif isinstance(node, dict):
            for key, value in node.items():
                if key in _IDS:
                    node[key] = base64.b64decode(value).hex()
                else:
                    pending.append(value)
    return tree


# --- bytes


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field_bytes(number, content):
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def field_varint(number, value):
    return varint(number << 3) + varint(value)


def _read_varint(data, at):
    shift = value = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data):
    """(number, wire type, content) of a message's fields; content is bytes or, for varints, a number."""
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _read_varint(data, at)
        else:
            if kind == 2:
                size, at = _read_varint(data, at)
            else:
                size = {1: 8, 5: 4}[kind]
            value = data[at:at + size]
            assert len(value) == size
            at += size
        yield tag >> 3, kind, value


class Item:
    """A span or log record as it lies in a request: its bytes and those of what surrounds it."""

    def __init__(self, item, resource_bytes, scope_bytes, resource_url, scope_url):
        self.bytes = item
        self.surroundings = (resource_bytes, scope_bytes, resource_url, scope_url)


def raw_items(data):
    """The items of the bytes of a traces or logs request: both nest 1 (Resource…), 2 (Scope…), 2 (item)."""
    for number, _, group in fields(data):
        if number != 1:
            continue
        parts = list(fields(group))
        resource_bytes = b"".join(v for n, _, v in parts if n == 1)
        resource_url = b"".join(v for n, _, v in parts if n == 3)
        for _, _, inner in (part for part in parts if part[0] == 2):
            inner_parts = list(fields(inner))
            scope_bytes = b"".join(v for n, _, v in inner_parts if n == 1)
            scope_url = b"".join(v for n, _, v in inner_parts if n == 3)
            for inner_number, _, item in inner_parts:
                if inner_number == 2:
                    yield Item(item, resource_bytes, scope_bytes, resource_url, scope_url)
