# SPDX-License-Identifier: Apache-2.0
"""Running it: metrics, health, an orderly end under load, a full disk budget, a second instance."""
import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

import otlp_messages as otlp
from culprit_process import run
from otlp_client import Client
from otlp_server import Reply
from waiting import FACTOR, wait_until


def test_metrics(running):
    backend = running.backend()
    culprit = running.start(backend=backend)
    client = running.client(culprit)
    failing = otlp.span(events=[otlp.exception_event("E", "m")])
    assert client.traces(otlp.traces([otlp.span(), failing])).ok
    assert client.logs(otlp.several("logs", 3)).ok
    assert client.traces(b"\xff").meaning == "invalid"
    wait_until(lambda: len(backend.items()) == 2, 10, "the spans")
    culprit.wait_issue(type="E")

    def exported():
        return culprit.metrics().sum("culprit_exporter_sent_items_total", exporter="otlp") == 2

    wait_until(exported, 5, "the counter")
    code, headers, body = culprit.request("GET", "/metrics")
    assert code == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    metrics = culprit.metrics()  # parses as Prometheus text
    exact = [
        ("culprit_received_requests_total", {"signal": "traces", "transport": "grpc"}, 2),
        ("culprit_received_items_total", {"signal": "traces"}, 2), ("culprit_received_items_total", {"signal": "logs"}, 3),
        ("culprit_refused_requests_total", {"signal": "traces"}, 1),
        ("culprit_sampling_kept_traces_total", {"policy": "errors"}, 1),
        ("culprit_exporter_retried_requests_total", {}, 0), ("culprit_exporter_dead_items_total", {}, 0),
    ]
    for name, labels, value in exact:
        assert metrics.sum(name, **labels) == value, name
    for positive in ("culprit_received_bytes_total", "culprit_journal_bytes", "culprit_journal_commit_seconds_count",
                     "process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds",
                     "process_open_fds"):
        assert metrics.sum(positive) > 0, positive
    names = {sample.name for sample in metrics.samples}
    for part in ("lag", "queue_age", "store", "inbox"):
        assert any(part in name for name in names), part
    buckets = [s for s in metrics.samples if s.name == "culprit_journal_commit_seconds_bucket" and
               s.labels["journal"] == "intake"]
    assert buckets[-1].labels["le"] == "+Inf"
    assert buckets[-1].value == metrics.sum("culprit_journal_commit_seconds_count", journal="intake")
    assert [b.value for b in buckets] == sorted(b.value for b in buckets)
    help_lines = [line.split()[2] for line in body.decode().splitlines() if line.startswith("# HELP")]
    assert len(help_lines) == len(set(help_lines))


def test_status(running):
    culprit = running.start()
    status = culprit.api("/status")
    assert status["ready"] is True and status["reasons"] == [] and status["data_dir"] == str(culprit.data_dir)
    assert {"grpc", "sqlite", "zstd", "lz4", "gnutls", "curl"} <= set(status["libraries"])
    assert status["exporters"][0]["state"] == "off"
    assert status["memory"]["max_bytes"] == 256 << 20


def test_health(running):
    culprit = running.start()
    for path in ("/health", "/health/live", "/health/ready"):
        code, headers, body = culprit.request("GET", path)
        assert code == 200, path
    assert json.loads(body) == {"ready": True, "reasons": []}


def test_readiness_names_a_stuck_exporter(running):
    backend = running.backend()
    backend.script(*[Reply(grpc.StatusCode.PERMISSION_DENIED)] * 10)
    culprit = running.start(backend=backend)
    client = running.client(culprit)
    for count in range(1, 4):
        assert client.traces(otlp.several("traces", 1)).ok
        wait_until(lambda: len(backend.requests()) >= count, 10, "an attempt")

    def told():
        code, _, body = culprit.request("GET", "/health/ready")
        return json.loads(body) if code == 503 else None

    answer = wait_until(told, 10, "503")
    assert answer["ready"] is False and "exporter otlp" in answer["reasons"][0]
    assert "PERMISSION_DENIED" in answer["reasons"][0]
    assert culprit.request("GET", "/health")[0] == 503 and culprit.request("GET", "/health/live")[0] == 200


# --- a full journal


@pytest.mark.parametrize("encoding", ["grpc", "protobuf", "json"])
def test_a_full_journal_refuses_and_recovers(running, encoding):
    """Nothing is settled while the verdicts wait, so the intake fills up; then they come, and it has room again."""
    culprit = running.start(journal_intake_max_bytes="4MiB", journal_segment_bytes="256KiB",
                            sampling_decision_wait="6s" if FACTOR == 1 else "20s", sampling_policies="[errors]")
    client = running.client(culprit, encoding)
    accepted = []

    def until_refused():
        for _ in range(2000):
            trace_id = otlp.new_trace_id()
            filler = os.urandom(30_000).hex()
            answer = client.traces(otlp.traces([otlp.span(trace_id, error=True, values={"filler": filler})]))
            if not answer.ok:
                return answer
            accepted.append(trace_id)
        raise AssertionError("never refused")

    refused = until_refused()
    assert refused.meaning == "unavailable" and refused.retry_s >= 1 and refused.message, refused
    code, _, body = culprit.request("GET", "/health/ready")
    assert code == 503 and b"intake journal" in body
    large = otlp.traces([otlp.span(error=True, values={"filler": os.urandom(30_000).hex()})])

    def takes_again():
        return client.traces(large).ok

    wait_until(takes_again, 30, "room again")
    wait_until(lambda: culprit.request("GET", "/health/ready")[0] == 200, 10, "readiness")
    # Nothing that was accepted made room for it.
    for trace_id in accepted:
        wait_until(lambda: len(culprit.find(trace_id.hex())["spans"]) == 1, 10, "an accepted span")
    received, stored, refused_items = culprit.stop()
    assert stored >= len(accepted) + 1 and received == stored + refused_items


# --- ends


def test_sigterm_under_load(running):
    backend = running.backend()
    culprit = running.start(backend=backend)
    stop, accepted, lock = threading.Event(), set(), threading.Lock()

    def load(encoding):
        client = Client(culprit, encoding)
        while not stop.is_set():
            trace_id = otlp.new_trace_id()
            try:
                answer = client.traces(otlp.several("traces", 5, trace_id), deadline=15)
            except OSError:
                break
            except Exception as error:
                assert type(error).__module__ == "http.client", repr(error)
                break
            if answer.ok:
                with lock:
                    accepted.add(trace_id)
            elif answer.meaning != "unavailable":
                assert answer.code == grpc.StatusCode.CANCELLED, answer  # to be tried again all the same
            if not answer.ok:
                break
        client.close()

    with ThreadPoolExecutor(6) as pool:
        loads = [pool.submit(load, encoding) for encoding in ("grpc", "protobuf", "json") * 2]
        wait_until(lambda: len(accepted) > 100, 20, "load")
        received, stored, _ = culprit.stop()
        stop.set()
        for running_load in loads:
            running_load.result(timeout=30 * FACTOR)
    assert stored >= 5 * len(accepted)
    assert not (culprit.data_dir / "listening.json").exists()
    # What was answered is settled and sent after the next start.
    culprit = running.start(culprit.data_dir, backend=backend)

    def all_there():
        return {span.trace_id for span in backend.spans()} >= accepted

    wait_until(all_there, 20, "every accepted trace at the backend")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_at_once_when_idle(running, number):
    culprit = running.start(sampling_decision_wait="10s")
    culprit.process.send_signal(number)
    assert culprit.process.wait(timeout=5 * FACTOR) == 0


def test_a_second_instance_on_the_same_data_refuses(running):
    culprit = running.start()
    code, out, err = run("serve", data_dir=culprit.data_dir, listen_grpc="127.0.0.1:0", listen_http="127.0.0.1:0",
                         listen_ui="127.0.0.1:0")
    assert code == 1 and str(culprit.data_dir) in err and out == "", err
    # The first one does not mind.
    assert json.loads((culprit.data_dir / "listening.json").read_text())["http"] == culprit.http
    client = running.client(culprit)
    made = otlp.span()
    assert client.traces(otlp.traces([made])).ok
    wait_until(lambda: culprit.find(made.trace_id.hex())["spans"], 5, "the span")


def test_the_web_ui_is_served(running):
    culprit = running.start()
    code, headers, body = culprit.request("GET", "/")
    assert code == 200 and headers["Content-Type"].startswith("text/html") and b"<script" in body
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy or "default-src 'self'" in policy
    assert "unsafe-inline" not in policy and "unsafe-eval" not in policy
    assert b"http://" not in body and b"https://" not in body  # nothing from another host
    assert culprit.request("GET", "/api/v1/nothing")[0] == 404
    assert culprit.request("DELETE", "/api/v1/issues")[0] == 405
