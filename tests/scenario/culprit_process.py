# SPDX-License-Identifier: Apache-2.0
"""The real binary as a child process: start, ask, stop, kill."""
import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import urllib.parse
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from waiting import FACTOR, wait_until

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("TEST_BINARY", str(ROOT / "build/release/culprit"))
SANITIZED = "asan" in BINARY


def environment(options):
    """CULPRIT_… variables out of keyword arguments: sampling_decision_wait="50ms". The caller's own are left out, so
    that what a test gets is what it asked for."""
    names = {name: value for name, value in os.environ.items() if not name.startswith(("CULPRIT_", "OTEL_"))}
    for name, value in options.items():
        names["CULPRIT_" + name.upper()] = str(value)
    return names


def run(*arguments, deadline=30, **options):
    """A command that ends by itself: (exit code, stdout, stderr)."""
    done = subprocess.run([BINARY, *arguments], env=environment(options), capture_output=True, text=True,
                          timeout=deadline * FACTOR, check=False)
    return done.returncode, done.stdout, done.stderr


class Metrics:
    """One reading of /metrics."""

    def __init__(self, text):
        self.samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def sum(self, name, **labels):
        """All series of that name with these labels, added up. A name that is nowhere is a mistake in the test."""
        found = [s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items()]
        assert found, f"no series {name}{labels}"
        return sum(found)


class Culprit:
    """`culprit serve` on free loopback ports and a data directory of its own. variables: more of the environment."""

    def __init__(self, data_dir, config=None, variables=None, **options):
        self.data_dir = Path(data_dir)
        self.variables = variables or {}
        self.arguments = ["serve"] + (["-c", str(config)] if config else [])
        self.options = {"data_dir": data_dir, "listen_grpc": "127.0.0.1:0", "listen_http": "127.0.0.1:0",
                        "listen_ui": "127.0.0.1:0", **options}
        self.process = None
        self.log = None
        self.stdout = ""

    # --- life

    def spawn(self):
        # stderr goes to a file: a pipe nobody reads would stop the program.
        self.log = tempfile.TemporaryFile(mode="w+b")
        listening = self.data_dir / "listening.json"
        listening.unlink(missing_ok=True)
        self.process = subprocess.Popen([BINARY, *self.arguments], env={**environment(self.options), **self.variables},
                                        stdout=subprocess.PIPE, stderr=self.log)
        self._output = []
        self._reader = threading.Thread(target=lambda: self._output.append(self.process.stdout.read()), daemon=True)
        self._reader.start()

    def start(self, deadline=15):
        self.spawn()
        listening = self.data_dir / "listening.json"

        def is_up():
            assert self.process.poll() is None, f"exit code {self.process.returncode}: {self.stderr()}"
            return listening.exists()

        try:
            wait_until(is_up, deadline, "listening.json")
        except AssertionError:
            if self.process.poll() is None:
                self.kill()
            raise
        addresses = json.loads(listening.read_text())
        self.grpc, self.http, self.ui = addresses["grpc"], addresses["http"], addresses["ui"]
        return self

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def _collect(self):
        self._reader.join(timeout=10 * FACTOR)
        self.stdout = b"".join(self._output).decode(errors="replace")

    def stop(self, deadline=20):
        """SIGTERM; returns the balance (received, stored, refused) after checking that it is one."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=deadline * FACTOR)
        self._collect()
        assert code == 0, f"exit code {code}\n{self.stdout}\n{self.stderr()}"
        found = re.search(r"^balance: received (\d+) = stored (\d+) \+ refused (\d+)$", self.stdout, re.MULTILINE)
        assert found, f"no balance in: {self.stdout}"
        received, stored, refused = map(int, found.groups())
        assert received == stored + refused
        return received, stored, refused

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait(timeout=10 * FACTOR)
        self._collect()

    def stderr(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def memory_peak(self):
        """Resident bytes, the highest they have been."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024

    # --- questions

    def request(self, method, path, body=None, headers=None, address=None):
        """(code, headers, body) of one HTTP request, to the UI port unless told otherwise."""
        connection = http.client.HTTPConnection(address or self.ui, timeout=20 * FACTOR)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def api(self, path, code=200, **query):
        """A GET below /api/v1, its JSON."""
        url = "/api/v1" + path + ("?" + urllib.parse.urlencode(query) if query else "")
        status, _, body = self.request("GET", url)
        assert status == code, f"GET {url}: {status} {body[:300]!r}"
        return json.loads(body)

    def patch(self, path, document, code=200):
        status, _, body = self.request("PATCH", "/api/v1" + path, json.dumps(document).encode(),
                                       {"Content-Type": "application/json"})
        assert status == code, f"PATCH {path}: {status} {body[:300]!r}"
        return json.loads(body)

    def issues(self, **query):
        return self.api("/issues", **{"status": "all", "limit": 200, **query})["issues"]

    def wait_issue(self, deadline=5, **fields):
        """The one issue whose fields are these."""

        def matching():
            found = [issue for issue in self.issues() if fields.items() <= issue.items()]
            assert len(found) <= 1, f"{len(found)} issues with {fields}"
            return found and found[0]

        return wait_until(matching, deadline, f"an issue with {fields}")

    def events_of(self, issue):
        return self.api(f"/issues/{issue['id']}/events")["events"]

    def event(self, event_id):
        return self.api(f"/events/{event_id}")

    def find(self, request_or_trace_id):
        """The request page's document; empty when nothing is known under the id."""
        path = "/api/v1/requests/" + urllib.parse.quote(request_or_trace_id, safe="")
        status, _, body = self.request("GET", path)
        if status == 404:
            return {"request_ids": [], "trace_ids": [], "spans": [], "logs": [], "events": [], "verdict": None}
        assert status == 200, f"GET {path}: {status} {body[:300]!r}"
        return json.loads(body)

    def metrics(self):
        status, headers, body = self.request("GET", "/metrics")
        assert status == 200 and headers["Content-Type"].startswith("text/plain")
        return Metrics(body.decode())
