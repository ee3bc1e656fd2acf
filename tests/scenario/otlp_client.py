# SPDX-License-Identifier: Apache-2.0
"""A plain OTLP client for the three encodings, which shows the whole answer and retries nothing."""
import gzip
import http.client
import json
import zlib
from dataclasses import dataclass, field

import grpc
import zstandard
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otlp_messages import to_json_tree
from waiting import FACTOR

ENCODINGS = ["grpc", "protobuf", "json"]
SIGNALS = ["traces", "logs"]
CONTENT_TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}
COMPRESSORS = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress,
               "identity": lambda data: data}
RESPONSES = {"traces": ExportTraceServiceResponse, "logs": ExportLogsServiceResponse,
             "metrics": ExportMetricsServiceResponse}
SERVICES = {"traces": "trace.v1.TraceService", "logs": "logs.v1.LogsService", "metrics": "metrics.v1.MetricsService"}
REJECTED = {"traces": "rejected_spans", "logs": "rejected_log_records", "metrics": "rejected_data_points"}

# What an answer means, whichever transport brought it.
HTTP_MEANING = {200: "ok", 400: "invalid", 401: "unauthenticated", 404: "not found", 405: "method",
                413: "too large", 415: "unsupported", 429: "exhausted", 503: "unavailable", 504: "deadline"}
GRPC_MEANING = {grpc.StatusCode.OK: "ok", grpc.StatusCode.INVALID_ARGUMENT: "invalid",
                grpc.StatusCode.UNAUTHENTICATED: "unauthenticated", grpc.StatusCode.RESOURCE_EXHAUSTED: "too large",
                grpc.StatusCode.UNIMPLEMENTED: "unsupported", grpc.StatusCode.UNAVAILABLE: "unavailable",
                grpc.StatusCode.DEADLINE_EXCEEDED: "deadline"}


@dataclass
class Answer:
    meaning: str
    code: object  # HTTP code or grpc.StatusCode
    body: bytes = b""
    headers: dict = field(default_factory=dict)
    has_partial: bool = False  # partial_success is there, even if empty
    rejected: int = 0
    message: str = ""
    retry_s: float = None  # the hint to come back, None: none
    violations: list = field(default_factory=list)  # BadRequest: (field, description)

    @property
    def ok(self):
        return self.meaning == "ok"


def _read_success(answer, signal, data, encoding):
    if encoding == "json":
        tree = json.loads(data)
        partial = tree.get("partialSuccess", {})
        answer.has_partial = "partialSuccess" in tree
        key = {"traces": "rejectedSpans", "logs": "rejectedLogRecords", "metrics": "rejectedDataPoints"}[signal]
        answer.rejected = int(partial.get(key, 0))
        answer.message = partial.get("errorMessage", "")
        return
    response = RESPONSES[signal].FromString(data)
    answer.has_partial = response.HasField("partial_success")
    answer.rejected = getattr(response.partial_success, REJECTED[signal])
    answer.message = response.partial_success.error_message


def _read_status(answer, data, encoding):
    """google.rpc.Status in the encoding of the request."""
    if encoding == "json":
        tree = json.loads(data)
        answer.message = tree["message"]
        for detail in tree.get("details", []):
            for violation in detail.get("fieldViolations", []):
                answer.violations.append((violation.get("field", ""), violation["description"]))
            if "retryDelay" in detail:
                answer.retry_s = float(detail["retryDelay"].rstrip("s"))
        return
    status = status_pb2.Status.FromString(data)
    answer.message = status.message
    for detail in status.details:
        bad, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(bad):
            answer.violations += [(v.field, v.description) for v in bad.field_violations]
        elif detail.Unpack(retry):
            answer.retry_s = retry.retry_delay.ToTimedelta().total_seconds()


class Client:
    """encoding: grpc, protobuf or json. Not for several threads at once."""

    def __init__(self, culprit, encoding="grpc", headers=None):
        self.encoding = encoding
        self.headers = headers or {}
        self.address = culprit.grpc if encoding == "grpc" else culprit.http
        self.connection = None
        if encoding == "grpc":
            options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1),
                       ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
            self.connection = grpc.insecure_channel(self.address, options)

    def close(self):
        if self.connection:
            self.connection.close()
        if self.encoding != "grpc":
            self.connection = None

    def encode(self, message):
        """The body for a message; bytes pass as they are."""
        if not isinstance(message, Message):
            return message
        if self.encoding == "json":
            return json.dumps(to_json_tree(message)).encode()
        return message.SerializeToString()

    def send(self, signal, message, compression=None, headers=None, deadline=20):
        body = self.encode(message)
        send = self._send_grpc if self.encoding == "grpc" else self._send_http
        return send(signal, body, compression, {**self.headers, **(headers or {})}, deadline * FACTOR)

    def traces(self, message, **options):
        return self.send("traces", message, **options)

    def logs(self, message, **options):
        return self.send("logs", message, **options)

    def _send_grpc(self, signal, body, compression, headers, deadline):
        method = f"/opentelemetry.proto.collector.{SERVICES[signal]}/Export"
        call = self.connection.unary_unary(method)  # bytes in, bytes out
        kind = {None: None, "gzip": grpc.Compression.Gzip, "deflate": grpc.Compression.Deflate,
                "identity": grpc.Compression.NoCompression}[compression]
        try:
            data, details = call.with_call(body, timeout=deadline, compression=kind, metadata=list(headers.items()),
                                           wait_for_ready=False)
        except grpc.RpcError as error:
            answer = Answer(GRPC_MEANING.get(error.code(), str(error.code())), error.code(), message=error.details())
            trailers = dict(error.trailing_metadata() or ())
            if "grpc-status-details-bin" in trailers:
                _read_status(answer, trailers["grpc-status-details-bin"], "protobuf")
            if answer.code == grpc.StatusCode.RESOURCE_EXHAUSTED and answer.retry_s is not None:
                answer.meaning = "exhausted"
            return answer
        answer = Answer("ok", details.code(), data)
        _read_success(answer, signal, data, "protobuf")
        return answer

    def _send_http(self, signal, body, compression, headers, deadline):
        headers = {"Content-Type": CONTENT_TYPES[self.encoding], **headers}
        if compression:
            body = COMPRESSORS[compression](body)
            headers["Content-Encoding"] = compression
        return self.post(f"/v1/{signal}", body, headers, signal, deadline)

    def post(self, path, body, headers, signal="traces", deadline=20, method="POST"):
        """HTTP only: one request on the connection that is kept, made anew after the server closed it."""
        kept = self.connection is not None
        if not kept:
            self.connection = http.client.HTTPConnection(self.address, timeout=deadline)
        try:
            self.connection.request(method, path, body=body, headers=headers)
            response = self.connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            self.connection.close()
            self.connection = None
            if not kept:
                raise
            return self.post(path, body, headers, signal, deadline, method)  # it was closed while idle
        data = response.read()
        if response.will_close:
            self.connection.close()
            self.connection = None
        return read_http_answer(response.status, response.headers, data, signal)


def read_http_answer(code, headers, data, signal="traces"):
    """Checks what holds for every answer of OTLP/HTTP, and reads it."""
    answer = Answer(HTTP_MEANING.get(code, str(code)), code, data, headers)
    kind = headers.get("Content-Type", "")
    encoding = {"application/x-protobuf": "protobuf", "application/json": "json"}.get(kind)
    if headers.get("Content-Encoding") == "gzip":
        data = gzip.decompress(data)
    if code == 200 and encoding:
        _read_success(answer, signal, data, encoding)
    elif code >= 400 and encoding:
        _read_status(answer, data, encoding)
    if "Retry-After" in headers:
        answer.retry_s = float(headers["Retry-After"])
    return answer
