# SPDX-License-Identifier: Apache-2.0
"""Fixtures. Every instance of culprit that a test starts is stopped with SIGTERM at its end, must exit with 0 and must
print a balance."""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from application import Application
from culprit_process import Culprit
from otlp_client import Client
from otlp_server import Backend


class Running:
    """What a fixture hands out and takes back."""

    def __init__(self):
        self.directories, self.instances, self.closable = [], [], []

    def start(self, data_dir=None, backend=None, **options):
        """A running culprit. backend: its spans go there."""
        if data_dir is None:
            data_dir = tempfile.mkdtemp(prefix="culprit-scenario-")
            self.directories.append(data_dir)
        if backend is not None:
            options = {"exporters_otlp_endpoint": backend.endpoint, "exporters_otlp_protocol": backend.protocol,
                       **options}
        culprit = Culprit(data_dir, **{"sampling_decision_wait": "50ms", **options})
        culprit.start()
        self.instances.append(culprit)
        return culprit

    def backend(self, protocol="grpc"):
        backend = Backend(protocol)
        self.closable.append(backend)
        return backend

    def client(self, culprit, encoding="grpc", **options):
        client = Client(culprit, encoding, **options)
        self.closable.append(client)
        return client

    def finish(self, failed):
        problems = []
        for closable in reversed(self.closable):
            closable.close()
        for culprit in self.instances:
            if not culprit.is_running():
                continue
            try:
                culprit.stop()
            except Exception as error:  # the other instances must end too
                problems.append(error)
                culprit.kill()
        if failed or problems:
            for closable in self.closable:
                if isinstance(closable, Application):
                    print(f"--- output of {closable.arguments}\n{closable.printed()[-4000:]}")
            for culprit in self.instances:
                print(f"--- stderr of {culprit.data_dir}\n{culprit.stderr()[-6000:]}")
        for directory in self.directories:
            shutil.rmtree(directory, ignore_errors=True)
        if problems:
            raise problems[0]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if outcome.get_result().failed:
        item.session.stash.setdefault(FAILED, set()).add(item.nodeid)


FAILED = pytest.StashKey()


@pytest.fixture
def running(request):
    """Instances for one test."""
    running = Running()
    yield running
    running.finish(request.node.nodeid in request.session.stash.get(FAILED, set()))


@pytest.fixture(scope="module")
def shared(request):
    """Instances for all tests of a file."""
    running = Running()
    yield running
    prefix = request.node.nodeid
    running.finish(any(name.startswith(prefix) for name in request.session.stash.get(FAILED, set())))


@pytest.fixture(scope="session")
def wall_clock(tmp_path_factory):
    """wall_clock(days=-8): variables for an instance whose wall clock is off by that much."""
    library = tmp_path_factory.mktemp("wall_clock") / "wall_clock.so"
    source = Path(__file__).parent / "wall_clock.c"
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source],
                   check=True)

    def shifted(days):
        # AddressSanitizer wants to be the first library; this one takes nothing away from it.
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return {"LD_PRELOAD": str(library), "WALL_CLOCK_SHIFT_S": str(days * 86400), "ASAN_OPTIONS": sanitizer}

    return shifted
