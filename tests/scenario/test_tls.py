# SPDX-License-Identifier: Apache-2.0
"""TLS and mTLS of the three listeners, and of the exporter: with certificates of a day made for the test."""
import http.client
import json
import shutil
import signal
import ssl

import grpc
import pytest
import trustme

import otlp_messages as otlp
from waiting import FACTOR, wait_until

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Certificates:
    def __init__(self, folder):
        self.folder = folder
        self.authority, self.other = trustme.CA(), trustme.CA()
        self.ca = self.write("ca.pem", self.authority.cert_pem)
        self.server = self.pair("server", self.authority.issue_cert("127.0.0.1", "localhost"))
        self.client = self.pair("client", self.authority.issue_cert("sender@example.com"))
        self.stranger = self.pair("stranger", self.other.issue_cert("sender@example.com"))

    def write(self, name, blob):
        path = self.folder / name
        blob.write_to_path(str(path))
        return str(path)

    def pair(self, name, issued):
        certificate = self.folder / f"{name}.pem"
        for number, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(str(certificate), append=number > 0)
        return str(certificate), self.write(f"{name}.key", issued.private_key_pem)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


def listener(certificates, name, mutual):
    options = {f"tls_{name}_cert_file": certificates.server[0], f"tls_{name}_key_file": certificates.server[1]}
    return {**options, f"tls_{name}_client_ca_file": certificates.ca} if mutual else options


def over_http(address, certificates, pair, method, path, body=None):
    context = ssl.create_default_context(cafile=certificates.ca)
    if pair:
        context.load_cert_chain(*pair)
    connection = http.client.HTTPSConnection(address, timeout=10 * FACTOR, context=context)
    try:
        connection.request(method, path, body, {"Content-Type": "application/x-protobuf"} if body is not None else {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def over_grpc(address, certificates, pair):
    def read(path):
        with open(path, "rb") as file:
            return file.read()

    key, chain = (read(pair[1]), read(pair[0])) if pair else (None, None)
    credentials = grpc.ssl_channel_credentials(read(certificates.ca), key, chain)
    with grpc.secure_channel(address, credentials) as channel:
        return channel.unary_unary(METHOD)(otlp.several("traces", 1).SerializeToString(), timeout=5 * FACTOR)


@pytest.mark.parametrize("mutual", [False, True], ids=["TLS", "mTLS"])
def test_listeners(running, certificates, mutual):
    options = {key: value for name in ("grpc", "http") for key, value in listener(certificates, name, mutual).items()}
    culprit = running.start(**options)
    body = otlp.several("traces", 1).SerializeToString()
    allowed = certificates.client if mutual else None
    assert over_grpc(culprit.grpc, certificates, allowed) == b""
    assert over_http(culprit.http, certificates, allowed, "POST", "/v1/traces", body) == (200, b"")
    for refused in (None, certificates.stranger) if mutual else ():
        with pytest.raises(grpc.RpcError) as caught:
            over_grpc(culprit.grpc, certificates, refused)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        with pytest.raises(OSError):
            over_http(culprit.http, certificates, refused, "POST", "/v1/traces", body)
    with pytest.raises((OSError, http.client.HTTPException)):
        culprit.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"}, culprit.http)
    assert culprit.metrics().sum("culprit_received_items_total", signal="traces") == 2


def test_the_ui(running, certificates):
    culprit = running.start(**listener(certificates, "ui", False))
    code, body = over_http(culprit.ui, certificates, None, "GET", "/api/v1/status")
    assert code == 200 and json.loads(body)["ready"] is True


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_the_exporter(running, certificates, protocol):
    """One culprit behind another, which wants a certificate."""
    name = "grpc" if protocol == "grpc" else "http"
    behind = running.start(**listener(certificates, name, True))
    address = behind.grpc if protocol == "grpc" else behind.http
    culprit = running.start(exporters_otlp_endpoint=f"https://{address}", exporters_otlp_protocol=protocol,
                            exporters_otlp_tls_ca_file=certificates.ca,
                            exporters_otlp_tls_cert_file=certificates.client[0],
                            exporters_otlp_tls_key_file=certificates.client[1])
    made = otlp.span()
    assert running.client(culprit).traces(otlp.traces([made])).ok
    wait_until(lambda: behind.find(made.trace_id.hex())["spans"], 10, "the span behind TLS")


def test_renewed_certificates_are_taken_on_a_hangup(running, certificates, tmp_path):
    """Under the same names, by all three listeners, while connections go on; half a renewal is not taken."""
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    renewed = Certificates(tmp_path)

    def put(pair, *numbers):
        for number in numbers:
            shutil.copy(pair[number], files[number])

    def lines(message):
        logged = [json.loads(line) for line in culprit.stderr().splitlines() if line.startswith("{")]
        return [line for line in logged if line["message"].startswith(message)]

    def hang_up():
        before = len(lines("configuration read again"))
        culprit.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(lines("configuration read again")) > before, 10, "the reload")

    def trusts(roots):
        """Whether a client that trusts these gets an answer from each listener."""
        found = []
        for ask in (lambda: over_grpc(culprit.grpc, roots, None),
                    lambda: over_http(culprit.http, roots, None, "POST", "/v1/traces", b""),
                    lambda: over_http(culprit.ui, roots, None, "GET", "/health/live")):
            try:
                ask()
                found.append(True)
            except (grpc.RpcError, OSError):
                found.append(False)
        assert len(set(found)) == 1, found
        return found[0]

    put(certificates.server, 0, 1)
    culprit = running.start(**{f"tls_{name}_{what}_file": str(file) for name in ("grpc", "http", "ui")
                               for what, file in zip(("cert", "key"), files)})
    open_line = http.client.HTTPSConnection(culprit.ui, timeout=10 * FACTOR,
                                            context=ssl.create_default_context(cafile=certificates.ca))
    open_line.connect()
    port = open_line.sock.getsockname()
    assert trusts(certificates) and not trusts(renewed)
    put(renewed.server, 0)
    hang_up()
    assert len(lines("certificates are wrong")) == 3 and not lines("certificates read again")
    assert trusts(certificates) and not trusts(renewed)
    put(renewed.server, 1)
    hang_up()
    assert sorted(line["listener"] for line in lines("certificates read again")) == ["grpc", "http", "ui"]
    assert trusts(renewed) and not trusts(certificates)
    open_line.request("GET", "/health/live")
    assert open_line.getresponse().status == 200 and open_line.sock.getsockname() == port
    open_line.close()
