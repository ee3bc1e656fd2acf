# SPDX-License-Identifier: Apache-2.0
"""An instrumented application in a process of its own, as its owner would start it: only OTEL_… variables say where the
telemetry goes."""
import http.client
import os
import re
import subprocess
import tempfile

from waiting import FACTOR, wait_until


def exporter_environment(culprit, protocol, service):
    """What culprit prints at start, plus short batches so that a test need not wait for them."""
    address = culprit.grpc if protocol == "grpc" else culprit.http
    return {
        "OTEL_SERVICE_NAME": service,
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=staging,service.version=1.4.2",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{address}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_BLRP_SCHEDULE_DELAY": "50",
    }


class Application:
    """is_ready: asked until it is true; gets the application."""

    def __init__(self, arguments, environment, folder, is_ready):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "CULPRIT_"))}
        self.arguments = arguments
        self.output = tempfile.TemporaryFile(mode="w+b")
        self.process = subprocess.Popen(arguments, env={**inherited, **environment}, cwd=folder, stdout=self.output,
                                        stderr=subprocess.STDOUT)

        def ready():
            assert self.process.poll() is None, self.printed()
            try:
                return is_ready(self)
            except OSError:
                return False

        try:
            wait_until(ready, 30, f"{arguments[0]} to be ready")
        except AssertionError:
            print(self.printed())
            self.close()
            raise

    def printed(self):
        self.output.seek(0)
        return self.output.read().decode(errors="replace")

    def port(self):
        """The one that a server started on port 0 says it has got; so nobody else can take it first."""
        found = re.search(r"(?:running on|server at) http://127\.0\.0\.1:([1-9]\d*)", self.printed())
        return found and int(found.group(1))

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=1)  # what it had to say was waited for already
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def is_alive(application):
    """It listens and answers /alive."""
    return application.port() and get(application.port(), "/alive")[0] == 200


def get(port, path, headers=None):
    """(code, body) of a GET to an application."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20 * FACTOR)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
