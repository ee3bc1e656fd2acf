# SPDX-License-Identifier: Apache-2.0
"""A scripted OTLP backend, Jaeger's stand-in, over gRPC or HTTP: it records every request bit for bit and answers what
the test wrote down, one answer a request, "ok" when the list is empty."""
import gzip
import struct
import socket
import threading
import time
from collections import Counter, deque
from concurrent import futures
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otlp_messages import raw_items

SIGNAL_OF_SERVICE = {"trace": "traces", "logs": "logs", "metrics": "metrics"}


@dataclass
class Reply:
    """One scripted answer. code: a grpc.StatusCode or an HTTP code; None: never answer (hang) or cut the line."""

    code: object
    retry_s: float = None  # RetryInfo over gRPC
    retry_after: str = None  # the Retry-After header over HTTP
    body: bytes = b""
    cut: bool = False  # reset the connection instead of answering
    slow: bool = False  # begin to answer, never end


HANG = Reply(None)
RESET = Reply(None, cut=True)


def rejecting(spans, message="not these"):
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = spans
    response.partial_success.error_message = message
    return response.SerializeToString()


@dataclass
class Received:
    signal: str
    body: bytes
    headers: dict
    time: float


class Backend:
    """protocol: grpc or http/protobuf."""

    def __init__(self, protocol="grpc", address="127.0.0.1:0"):
        self.protocol = protocol
        self.lock = threading.Lock()
        self.replies = deque()
        self.received = []  # everything, also what was not answered with success
        self.accepted = []
        self.released = threading.Event()  # lets the hanging ones go
        self.server = None
        self.address = address
        self.start()

    # --- life

    def start(self):
        """Also after stop(): on the same port again."""
        self.released.clear()
        if self.protocol == "grpc":
            self._start_grpc()
        else:
            self._start_http()

    def stop(self):
        self.released.set()
        if self.server is None:
            return
        if self.protocol == "grpc":
            self.server.stop(grace=None).wait()
        else:
            self.server.shutdown()
            self.server.server_close()
        self.server = None

    close = stop

    @property
    def endpoint(self):
        return f"http://{self.address}" + ("/v1/traces" if self.protocol != "grpc" else "")

    # --- the script, and what became of it

    def script(self, *replies):
        with self.lock:
            self.replies.extend(replies)

    def pending(self):
        """Scripted answers that nobody has asked for yet."""
        with self.lock:
            return len(self.replies)

    def _take(self, signal, body, headers):
        with self.lock:
            received = Received(signal, body, headers, time.monotonic())
            self.received.append(received)
            reply = self.replies.popleft() if self.replies else None
            if reply is None or reply.code in (200, grpc.StatusCode.OK):
                self.accepted.append(received)
            return reply

    def requests(self, signal="traces"):
        with self.lock:
            return [received for received in self.received if received.signal == signal]

    def items(self, signal="traces"):
        """Everything accepted, as otlp_messages.Item."""
        with self.lock:
            bodies = [received.body for received in self.accepted if received.signal == signal]
        return [item for body in bodies for item in raw_items(body)]

    def spans(self):
        return [Span.FromString(item.bytes) for item in self.items()]

    def span_counts(self):
        """How often each (trace id, span id) was accepted."""
        return Counter((span.trace_id, span.span_id) for span in self.spans())

    # --- gRPC

    def _start_grpc(self):
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), handlers=(_Generic(self),),
                                  options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)])
        port = self.server.add_insecure_port(self.address)
        self.address = f"127.0.0.1:{port}"
        self.server.start()

    def _answer_grpc(self, signal, body, context):
        reply = self._take(signal, body, dict(context.invocation_metadata()))
        if reply is None:
            return b""
        if reply.code is None:
            self.released.wait(timeout=60)
            context.abort(grpc.StatusCode.CANCELLED, "released")
        if reply.code != grpc.StatusCode.OK:
            if reply.retry_s is not None:
                retry = error_details_pb2.RetryInfo(retry_delay=_duration(reply.retry_s))
                status = status_pb2.Status(code=reply.code.value[0], message="scripted")
                status.details.append(_any(retry))
                context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(reply.code, "scripted")
        return reply.body

    # --- HTTP

    def _start_http(self):
        host, port = self.address.rsplit(":", 1)
        self.server = _Server((host, int(port)), _Handler)
        self.server.backend = self
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


def _duration(seconds):
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration


def _any(message):
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


class _Generic(grpc.GenericRpcHandler):
    """Every method of the three services, request and response as bytes."""

    def __init__(self, backend):
        self.backend = backend

    def service(self, details):
        parts = details.method.split(".")
        if not details.method.startswith("/opentelemetry.proto.collector."):
            return None
        signal = SIGNAL_OF_SERVICE[parts[3]]
        return grpc.unary_unary_rpc_method_handler(
            lambda body, context: self.backend._answer_grpc(signal, body, context))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        pass  # a line that was cut is what the script asked for


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        backend = self.server.backend
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        reply = backend._take(self.path.rsplit("/", 1)[1], body, {k.lower(): v for k, v in self.headers.items()})
        if reply is None:
            reply = Reply(200)
        if reply.cut:
            # Linger of zero: the peer sees a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        if reply.code is None:
            backend.released.wait(timeout=60)
            self.close_connection = True
            return
        self.send_response(reply.code)
        if reply.retry_after is not None:
            self.send_header("Retry-After", reply.retry_after)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(reply.body) + (1 if reply.slow else 0)))
        self.end_headers()
        self.wfile.write(reply.body)
        if reply.slow:
            self.wfile.flush()
            backend.released.wait(timeout=60)
            self.close_connection = True
