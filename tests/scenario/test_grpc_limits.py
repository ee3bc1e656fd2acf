# SPDX-License-Identifier: Apache-2.0
"""What a gRPC client may not do, seen from the wire: the limits of the server's HTTP/2 side hold, cost bounded memory,
and are counted where the call got as far as having a method."""
import socket
import struct

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import pytest

import otlp_messages as otlp
from culprit_process import SANITIZED
from waiting import FACTOR, wait_until

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
MIB = 1 << 20


class Peer:
    """An HTTP/2 connection of which nothing is hidden."""

    def __init__(self, culprit):
        host, port = culprit.grpc.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20 * FACTOR)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.flush()
        self.events = []
        self.closed = False

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def call(self, extra=(), end_stream=False):
        stream = self.h2.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":authority", "culprit"), (":path", EXPORT),
                   ("content-type", "application/grpc"), ("te", "trailers"), *extra]
        self.h2.send_headers(stream, headers, end_stream=end_stream)
        self.flush()
        return stream

    def read(self):
        """Whatever comes next."""
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            self.closed = True
            return
        self.events += self.h2.receive_data(data)
        try:
            self.flush()
        except (BrokenPipeError, ConnectionResetError):
            self.closed = True

    def wait(self, kind, stream=None):
        """The first event of a kind (of a stream)."""
        while True:
            for event in self.events:
                if isinstance(event, kind) and (stream is None or event.stream_id == stream):
                    return event
            assert not self.closed, f"closed before {kind}: {self.events}"
            self.read()

    def grpc_status(self, stream):
        """The status of an answer, in trailers or in headers alone."""
        while True:
            for event in self.events:
                if isinstance(event, (h2.events.TrailersReceived, h2.events.ResponseReceived)) \
                        and event.stream_id == stream and "grpc-status" in dict(event.headers):
                    return int(dict(event.headers)["grpc-status"])
            assert not self.closed, self.events
            self.read()

    def send(self, stream, data, end_stream=False):
        """All of it, as the windows allow. False when the server ended the stream before."""
        view = memoryview(data)
        while len(view) > 0:
            if self.closed or any(isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated))
                                  for event in self.events):
                return False
            try:
                room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
                if room <= 0:
                    self.read()
                    continue
                part, view = view[:room], view[room:]
                self.h2.send_data(stream, part.tobytes(), end_stream=end_stream and len(view) == 0)
                self.flush()
            except (h2.exceptions.StreamClosedError, h2.exceptions.ProtocolError, BrokenPipeError,
                    ConnectionResetError):
                return False
        return True

    def close(self):
        self.socket.close()


@pytest.fixture
def culprit(running):
    return running.start(memory_max_bytes="64MiB", ingest_max_request_bytes="4MiB")


@pytest.fixture
def peer(culprit):
    peer = Peer(culprit)
    yield peer
    peer.close()


def refused(culprit, reason):
    return culprit.metrics().sum("culprit_refused_requests_total", signal="traces", reason=reason)


def message(payload, length=None):
    return struct.pack(">BI", 0, len(payload) if length is None else length) + payload


def test_over_the_limit_is_counted(culprit, peer):
    stream = peer.call()
    assert peer.send(stream, message(bytes(4 * MIB + 1)), end_stream=True)
    assert peer.grpc_status(stream) == 8  # RESOURCE_EXHAUSTED
    trailers = dict(peer.wait((h2.events.TrailersReceived, h2.events.ResponseReceived), stream).headers)
    assert "grpc-status-details-bin" not in trailers and "4194305" in str(peer.events)
    assert refused(culprit, "too large") == 1
    assert culprit.metrics().sum("culprit_received_requests_total", signal="traces", transport="grpc") == 1


def test_an_end_without_a_message_is_counted(culprit, peer):
    stream = peer.call(end_stream=True)
    assert peer.grpc_status(stream) == 3  # INVALID_ARGUMENT
    assert refused(culprit, "invalid") == 1


@pytest.mark.parametrize("payload", [b"", b"\x00", message(b"x" * 100, 1000)], ids=["nothing", "a byte", "a part"])
def test_a_call_that_is_cancelled_is_counted(culprit, peer, payload):
    stream = peer.call()
    assert peer.send(stream, payload)
    peer.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
    peer.flush()
    wait_until(lambda: refused(culprit, "timeout") == 1, 5, "the counter")


def test_the_end_comes_before_the_announced_length(culprit, peer):
    stream = peer.call()
    assert peer.send(stream, message(b"x" * 100, 1000), end_stream=True)
    assert peer.grpc_status(stream) != 0
    wait_until(lambda: refused(culprit, "invalid") + refused(culprit, "timeout") == 1, 5, "the counter")


def test_a_gibibyte_is_not_waited_for(culprit, running):
    """Whatever a message says of its length, and from however many streams: memory stays within the budget's bounds."""
    before = culprit.memory_peak()
    peers = [Peer(culprit) for _ in range(3)]
    block = bytes(MIB)
    streams = [[peer.call() for _ in range(4)] for peer in peers]
    for peer, own in zip(peers, streams):
        for stream in own:
            peer.send(stream, message(b"", (1 << 30) - 1))
    sent, alive = 0, True
    while alive and sent < 1 << 30:
        alive = False
        for peer, own in zip(peers, streams):
            for stream in own:
                alive |= peer.send(stream, block)
        sent += 12 * MIB
    assert not alive
    for peer in peers:
        peer.close()
    assert culprit.memory_peak() - before < 128 * MIB or SANITIZED
    wait_until(lambda: refused(culprit, "timeout") >= 12, 10, "the counter")
    client = running.client(culprit)
    wait_until(lambda: client.traces(otlp.several("traces", 1)).ok, 10, "an ordinary request")
    assert culprit.api("/status")["memory"]["in_flight_bytes"] == 0


def test_metadata_has_a_limit(peer):
    peer.h2.ping(b"settings")  # behind the acknowledgement of the settings, from which on the limit holds
    peer.wait(h2.events.PingAckReceived)
    stream = peer.call(extra=[("x-filler", "y" * 20_000)])
    event = peer.wait((h2.events.StreamReset, h2.events.TrailersReceived, h2.events.ResponseReceived), stream)
    if not isinstance(event, h2.events.StreamReset):
        assert peer.grpc_status(stream) not in (0, 12)


def test_streams_have_a_limit(peer):
    peer.wait(h2.events.RemoteSettingsChanged)
    assert peer.h2.remote_settings.max_concurrent_streams == 100
    for _ in range(100):
        peer.call()
    with pytest.raises(h2.exceptions.TooManyStreamsError):
        peer.call()


def test_pings_have_a_limit(culprit, peer):
    """The third one within five seconds and without data is one too many."""
    for i in range(10):
        peer.h2.ping(struct.pack(">Q", i))
        try:
            peer.flush()
        except (BrokenPipeError, ConnectionResetError):
            break
    received = b""
    try:
        while data := peer.socket.recv(1 << 16):
            received += data
    except ConnectionResetError:
        pass
    goodbyes = []
    while received:
        length, kind = int.from_bytes(received[:3], "big"), received[3]
        if kind == 7:  # GOAWAY: last stream, error code, words
            goodbyes.append(int.from_bytes(received[13:17], "big"))
        received = received[9 + length:]
    assert h2.errors.ErrorCodes.ENHANCE_YOUR_CALM in goodbyes
    assert culprit.is_running()


def test_a_connection_that_says_nothing_is_closed(culprit):
    """Ten seconds for the handshake, HTTP/2's settings included."""
    host, port = culprit.grpc.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=25 * FACTOR) as silent:
        while silent.recv(1 << 16):
            pass
