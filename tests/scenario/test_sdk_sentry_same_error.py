# SPDX-License-Identifier: Apache-2.0
"""One error, reported by Sentry's SDK and by OpenTelemetry's: one issue, whichever comes first. Four languages, each a
program in its own folder here that takes the SDK as an argument. What Go and Java need is looked for and not installed:
neither is needed to work on culprit."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from application import exporter_environment
from culprit_process import ROOT
from test_sdk_sentry_python import dsn_of
from waiting import FACTOR

FOLDER = Path(__file__).parent
BUILD = ROOT / "build" / "scenario"
ITEM = "cake"


def make(command, folder, deadline=300, **environment):
    """A build step; registries may be slow, and without one there is nothing to test."""
    done = subprocess.run([str(part) for part in command], cwd=folder, env={**os.environ, **environment},
                          capture_output=True, text=True, timeout=deadline, check=False)
    if done.returncode != 0:
        pytest.fail(f"{command}: exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")


def python():
    return [[sys.executable, "same_error.py", sdk, ITEM] for sdk in ("sentry", "otel")], FOLDER / "python"


def node():
    return [["node", "same_error.js", sdk, ITEM] for sdk in ("sentry", "otel")], FOLDER / "node"


def wanted_go():
    [version] = [line.split()[1] for line in (FOLDER / "go/go.mod").read_text().splitlines() if line.startswith("go ")]
    return version


def numbers(version):
    return [int(part) for part in version.split(".")[:2]]


def go():
    if shutil.which("go") is None:
        pytest.skip("no Go here: `go` is not in the path")
    found = subprocess.run(["go", "env", "GOVERSION"], cwd="/", capture_output=True, text=True, timeout=60, check=True,
                           env={**os.environ, "GOTOOLCHAIN": "local"}).stdout.strip().removeprefix("go").split("-")[0]
    if numbers(found) < numbers(wanted_go()):
        pytest.skip(f"Go {found} is too old: the SDKs need {wanted_go()}")
    programs = [BUILD / "go" / name for name in ("with_sentry", "with_otel")]
    make(["go", "build", "-mod=readonly", "-o", f"{BUILD / 'go'}/", "./with_sentry", "./with_otel"], FOLDER / "go",
         GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false", CGO_ENABLED="0")
    return [[program, ITEM] for program in programs], FOLDER / "go"


def java():
    missing = [name for name in ("java", "javac", "mvn") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no Java or Maven here: {', '.join(missing)} not in the path")
    pom, libraries, classes = FOLDER / "java/pom.xml", BUILD / "java/libraries", BUILD / "java/classes"
    stamp = BUILD / "java/pom.xml"  # of the libraries that are there
    if not stamp.exists() or stamp.read_bytes() != pom.read_bytes():
        shutil.rmtree(libraries, ignore_errors=True)
        make(["mvn", "-q", "-B", f"-Dmaven.repo.local={BUILD / 'java/repository'}", "dependency:copy-dependencies",
              f"-DoutputDirectory={libraries}"], FOLDER / "java")
        shutil.copy(pom, stamp)
    make(["javac", "-d", classes, "-cp", f"{libraries}/*", *sorted((FOLDER / "java/shop").glob("*.java"))],
         FOLDER / "java")
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{classes}:{libraries}/*", "shop.SameError"]
    return [[*command, sdk, ITEM] for sdk in ("sentry", "otel")], FOLDER / "java"


# What each program reports, by the issue's title; and the function that raised it, of the own code.
UNKNOWN = f"nothing is known of {ITEM}"
EXPECTED = {
    "python": {f"UnknownItem: {UNKNOWN}": ("price_of", "cart.py")},
    "node": {f"UnknownItem: {UNKNOWN}": ("priceOf", "orders.js")},
    "go": {f"*orders.UnknownItem: {UNKNOWN}": ("(*Cart).MustTotal", "orders.go"),
           "*errors.errorString: the cart is not empty": ("plain", "main.go"),
           f"*fmt.wrapError: total of 2 items: {UNKNOWN}": ("wrapped", "main.go")},
    "java": {f"Cart$UnknownItem: {UNKNOWN}": ("priceOf", "Cart.java")},
}


@pytest.fixture(scope="module", params=[python, node, go, java], ids=lambda language: language.__name__)
def language(request):
    """(name, the commands for Sentry's and OpenTelemetry's SDK, where they run)"""
    return request.param.__name__, *request.param()


@pytest.fixture(scope="module")
def sides(shared):
    """By the SDK that reports first: (culprit, its DSN)."""
    started = {first: shared.start() for first in ("sentry", "otel")}
    return {first: (culprit, dsn_of(culprit)) for first, culprit in started.items()}


def report(culprit, dsn, command, folder, name):
    environment = {**exporter_environment(culprit, "http/protobuf", f"shop-{name}"), "SENTRY_DSN": dsn,
                   "SENTRY_ENVIRONMENT": "staging", "SENTRY_RELEASE": "1.4.2", "OTEL_LOGS_EXPORTER": "none",
                   "OTEL_NODE_RESOURCE_DETECTORS": "env"}
    inherited = {key: value for key, value in os.environ.items()
                 if not key.startswith(("OTEL_", "CULPRIT_", "SENTRY_"))}
    done = subprocess.run([str(part) for part in command], cwd=folder, env={**inherited, **environment},
                          capture_output=True, text=True, timeout=60 * FACTOR, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("first", ["sentry", "otel"])
def test_both_reports_are_one_issue(sides, language, first):
    name, (with_sentry, with_otel), folder = language
    culprit, dsn = sides[first]
    expected = EXPECTED[name]
    order = [with_sentry, with_otel] if first == "sentry" else [with_otel, with_sentry]
    report(culprit, dsn, order[0], folder, name)
    for title in expected:
        assert culprit.wait_issue(10, title=title, platform=name)["count"] == 1
    report(culprit, dsn, order[1], folder, name)
    for title, (function, file) in expected.items():
        issue = culprit.wait_issue(10, title=title, platform=name, count=2)
        assert issue["level"] in ("error", "fatal")  # fatal: what sentry-go calls a panic
        assert issue["environments"] == ["staging"] and issue["releases"] == ["1.4.2"]
        events = {event["source"]: culprit.event(event["event_id"]) for event in culprit.events_of(issue)}
        assert set(events) == {"sdk", "span"}
        for source, event in events.items():
            assert event["title"] == title, source
            raised = event["document"]["exception"]["values"][-1]
            crash = [frame for frame in raised["stacktrace"]["frames"] if frame["filename"].endswith(file)][-1]
            assert crash["function"] == function and crash["lineno"] > 0, (source, crash)
        frames = [[(frame.get("function"), frame["filename"].rsplit("/", 1)[-1], frame["lineno"])
                   for frame in event["document"]["exception"]["values"][-1]["stacktrace"]["frames"]
                   if frame["in_app"] or name == "java"] for event in events.values()]
        if name != "go":  # two programs there, whose lines differ
            assert frames[0] == frames[1]
    assert len([issue for issue in culprit.issues() if issue["platform"] == name]) == len(expected)
